"""Runs one program and ends it when the guard's owner has died: a small process with the standard library only.

It detects that by a pipe: the owner holds the other end of standard input, and the system closes that end however the owner dies, also by
kill -9. (Linux's parent-death signal does less: it follows the starting *thread*, and macOS has none.)
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading

__all__ = ["main"]

#: Placeholder in the arguments for the program's temporary directory, which is removed after it.
DIRECTORY = "{directory}"

#: How long a program may take to end by itself, by default.
GRACE_SECONDS = 3.0


def main(arguments: list[str]) -> int:
    """Run the program until it ends or standard input does; return its exit code.

    Args:
        arguments: how many seconds the program may take to end by itself, then the program and its own arguments; with ``DIRECTORY``
            among these, names of pipes may precede, as ``--pipe NAME``: they are created in the directory, and have no reader.
    """
    grace_seconds, *arguments = arguments
    pipes = []
    while arguments[0] == "--pipe":
        pipes.append(arguments[1])
        arguments = arguments[2:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # the owner decides; unlike SIG_IGN this is not inherited by the program
    with tempfile.TemporaryDirectory(prefix="contact-streams-", ignore_cleanup_errors=True) as directory:
        for name in pipes:
            os.mkfifo(os.path.join(directory, name))  # noqa: PTH118 - starts faster without pathlib
        command = [argument.replace(DIRECTORY, directory) for argument in arguments]
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        threading.Thread(target=_end_with_owner, args=(program, float(grace_seconds)), daemon=True).start()
        code = program.wait()
        # As shells report a process that a signal ended.
        return code if code >= 0 else 128 - code


def _end_with_owner(program: subprocess.Popen[bytes], grace_seconds: float) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with contextlib.suppress(ProcessLookupError):
        program.terminate()
    try:
        program.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        program.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
