"""The command ``contact-streams``: finds the subcommand's module and runs it."""

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

#: Command → its help line. Each is a module of ``streams.commands`` with ``add_parser(subparsers)`` and ``run(args) -> int``.
COMMANDS: Final = {
    "demo": "run everything here with a simulated contact center and an embedded broker",
    "worker": "track contacts and agents, and roll their figures up",
    "serve": "serve figures: metrics, API and page",
    "status": "show in one sentence what is broken, since when, what still works and whom to call",
    "gateway": "receive canonical events and platforms' webhooks over HTTP and publish them",
    "survey-link": "create signed links to the built-in survey",
    "senders": "create a token for a sender of the gateway",
    "access": "check which users may see what on the server, and create entries: tokens, users, screens",
    "connector": "publish the events of a platform",
    "connectors": "list platforms, show what each reports, try a payload, write their configuration",
    "mappings": "try a mapping file on data",
    "check": "check a configuration, mapping, senders, connectors or access file",
    "metrics": "list every figure: name, unit, direction, by what it is served",
    "replay": "count a file of events and print the figures",
    "explain": "show the contacts behind a figure",
    "reconcile": "compare another system's report with our figures",
    "faq-changes": "compare self-service before and after changes of the FAQ",
    "progress": "show how far the stream is counted, and set back what went too far",
    "dead-letters": "list records that could not be used, and replay them",
    "audit": "list who did or tried what, from where, and the outcome",
    "alerts": "list alerts, acknowledge one, silence some, try a receiver, write rules for Prometheus",
    "sources": "list the sources of events, quarantine one, release it",
}

#: Exit code of wrong usage or configuration, as argparse has it.
_USAGE: Final = 2

#: A shell's exit code of an interrupted process.
_INTERRUPTED: Final = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 done, 1 failed, 2 wrong usage or configuration."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="contact-streams", description="Turns what happens in a contact center into figures while it happens."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    # An interrupt while modules are loaded ends the process at once, without a traceback: there is nothing to clean up.
    starting = argv is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if starting:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    # Only the requested module is imported: Faust alone takes most of a second. The overview of all commands needs none.
    if arguments[:1] and arguments[0] in COMMANDS:
        importlib.import_module(f"streams.commands.{arguments[0].replace('-', '_')}").add_parser(subparsers)
    else:
        for name, line in COMMANDS.items():
            subparsers.add_parser(name, help=line)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as leaving:  # argparse has printed the message
        return leaving.code if isinstance(leaving.code, int) else _USAGE
    if starting:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        # Names from senders are printed, in tables, errors and the log: none may control the terminal.
        with contextlib.redirect_stdout(Harmless(sys.stdout)), contextlib.redirect_stderr(Harmless(sys.stderr)):
            code: int = args.run(args)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of the output has closed it; without this, Python fails again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


class _Version(argparse.Action):
    """Prints the version; reading it takes longer than a short command, so it is read only on request."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        sys.stdout.write(f"contact-streams {_version()}\n")
        parser.exit()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow, see _Version

    try:
        return version("contact-streams")
    except PackageNotFoundError:
        return "(not installed)"
