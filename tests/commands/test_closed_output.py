"""Who reads the output of a command may have enough of it, as in ``contact-streams sources list | head``: Kafka is not to blame."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from streams.worker import create_topics

if TYPE_CHECKING:
    from tests.support.kafka import Cluster


def test_a_closed_output_is_no_error_of_kafka(kafka: Cluster) -> None:
    """The command ends without a word."""
    asyncio.run(create_topics(kafka.bootstrap, "closed"))
    for arguments in (("sources", "list"), ("progress", "show"), ("dead-letters", "list")):
        assert with_a_closed_output(*arguments, "--bootstrap", kafka.bootstrap, "--prefix", "closed") == (1, ""), arguments


def with_a_closed_output(*arguments: str) -> tuple[int, str]:
    """Run a command whose output nothing reads, and return its status and what it says of errors."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        # Unbuffered, as a long output is: it is the first line that finds the pipe closed, not the last flush.
        done = subprocess.run(
            [sys.executable, "-u", "-m", "streams", *arguments],
            stdout=write_end,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(write_end)
    return done.returncode, done.stderr.decode()
