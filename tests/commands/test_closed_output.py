"""Who reads the output of a command may have enough of it, as in ``contact-streams sources list | head``: Kafka is not to blame."""

from __future__ import annotations

import os
from argparse import Namespace
from typing import TYPE_CHECKING

import pytest

from streams.commands import dead_letters, progress, sources

if TYPE_CHECKING:
    from types import ModuleType


@pytest.mark.parametrize("command", [dead_letters, progress, sources], ids=lambda command: command.__name__)
def test_a_closed_output_is_no_error_of_kafka(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """What a closed pipe raises while a command prints reaches the frame of all commands, which ends without a word."""
    read_end, write_end = os.pipe()
    os.close(read_end)

    async def printing(_: Namespace) -> int:
        with open(write_end, "w", encoding="utf-8") as output:  # noqa: ASYNC230, PTH123 - a pipe
            output.write("a line\n")
        return 0

    with pytest.raises(BrokenPipeError):
        command.guarded(Namespace(log_level="WARNING", bootstrap="127.0.0.1:1"), printing)
    assert capsys.readouterr().err == ""
