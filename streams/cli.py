"""The command ``contact-streams``: finds the subcommand and runs it; what a subcommand does stands in its module."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

from streams.terminal import Harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "main"]

#: Command → its line in the help. Each is a module of ``streams.commands`` with ``add_parser(subparsers)`` and ``run(args) -> int``.
COMMANDS: Final = {
    "demo": "run everything here with a simulated contact center and an embedded broker",
    "worker": "track contacts and people, and roll their figures up",
    "serve": "serve figures: metrics, API and page",
    "status": "say in one sentence what is broken, since when, what is still right and whom to call",
    "gateway": "take canonical events and platforms' webhooks over HTTP and publish them",
    "survey-link": "make signed links to our own survey",
    "senders": "make a token for a sender of the gateway",
    "access": "check who may see what on the server, and make entries: tokens, people, screens",
    "connector": "publish what a platform writes",
    "connectors": "list platforms, say what each reports, try a payload, write their configuration",
    "mappings": "try a mapping file on data",
    "check": "say what is wrong with a configuration, mapping, senders, connectors or access file",
    "metrics": "list every figure: name, unit, direction, by what it is served",
    "replay": "count a file of events and print the figures",
    "explain": "say which contacts are behind a figure",
    "reconcile": "compare another system's report with our figures",
    "faq-changes": "compare self-service before and after changes of the FAQ",
    "progress": "how far the stream is counted, and setting back what went too far",
    "dead-letters": "look at records that could not be used, and send them back",
    "audit": "say who did or tried what, from where, and what came of it",
    "alerts": "list alerts, acknowledge one, silence some, try a receiver, write rules for Prometheus",
    "sources": "list the sources of events, quarantine one, release it",
}

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
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    # An interrupt while modules are loaded ends the process at once: there is nothing to end in order, and no traceback to show.
    starting = argv is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if starting:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    # Only what is asked for is imported: the worker's frame alone takes most of a second. The help of all commands needs none of them.
    if arguments[:1] and arguments[0] in COMMANDS:
        importlib.import_module(f"streams.commands.{arguments[0].replace('-', '_')}").add_parser(subparsers)
    else:
        for name, line in COMMANDS.items():
            subparsers.add_parser(name, help=line)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as leaving:  # argparse has printed what there is to say
        return leaving.code if isinstance(leaving.code, int) else _USAGE
    if starting:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        # Names of senders are printed, in tables, errors and the log: none may command a terminal.
        with contextlib.redirect_stdout(Harmless(sys.stdout)), contextlib.redirect_stderr(Harmless(sys.stderr)):
            code: int = args.run(args)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough; without this, Python complains again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


class _Version(argparse.Action):
    """Prints the version; to look it up takes longer than all else that a short command does, so only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        sys.stdout.write(f"contact-streams {_version()}\n")
        parser.exit()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - as said above

    try:
        return version("contact-streams")
    except PackageNotFoundError:
        return "(not installed)"
