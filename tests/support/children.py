"""Python modules in processes of their own, with requests on standard input and answers on standard output: neither slows the other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.kafka import die_with_parent

__all__ = ["start_module"]


def start_module(module: str, argument: object) -> subprocess.Popen[bytes]:
    """Start ``python -m module`` from the root of the checkout with one argument, JSON; it ends with this process."""
    return subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(argument)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - the child calls one system call and execs
    )
