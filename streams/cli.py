"""The command ``contact-streams``: finds the subcommand and runs it; what a subcommand does stands in its module."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "main"]

#: Modules of ``streams.commands``, each with ``add_parser(subparsers)`` and ``run(args) -> int``. The order is that of the help.
COMMANDS: Final = (
    "demo", "worker", "serve", "gateway", "senders", "connector", "mappings", "check", "metrics", "replay", "explain", "reconcile",
    "faq-changes", "dead-letters",
)  # fmt: skip

#: Exit code of wrong usage or configuration, as argparse has it.
_USAGE: Final = 2

#: As a shell reports a process that an interrupt ended.
_INTERRUPTED: Final = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 done, 1 failed, 2 wrong usage or configuration."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="contact-streams", description="Turns what happens in a contact center into figures while it happens."
    )
    parser.add_argument("--version", action="version", version=f"contact-streams {_version()}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    # Only what is asked for is imported: the worker's frame alone takes most of a second.
    for name in [argument for argument in arguments[:1] if argument in COMMANDS] or COMMANDS:
        importlib.import_module(f"streams.commands.{name.replace('-', '_')}").add_parser(subparsers)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as leaving:  # argparse has printed what there is to say
        return leaving.code if isinstance(leaving.code, int) else _USAGE
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough; without this, Python complains again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _version() -> str:
    try:
        return version("contact-streams")
    except PackageNotFoundError:
        return "(not installed)"
