"""``contact-streams replay``: count a file of events in this process, with the worker's stages, and print the figures."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streams.commands.common import add_log_option, fail, instant, start_logging, write_json
from streams.commands.definition_comparison import compared, comparison, comparison_table
from streams.commands.event_files import Notes, add_content_options, canonical_pieces, dead_letter_of, read_events
from streams.commands.replay_files import FORMATS, OutputError, ReplayFiles
from streams.commands.replay_progress import ReplayProgress
from streams.commands.replay_table import table
from streams.configuration import ConfigurationError, load_configuration
from streams.connectors.identities import Identities
from streams.connectors.inputs import Input
from streams.connectors.mapping import MappingError
from streams.engine.memory import collect_seldom
from streams.replay import STREAMED, Replay
from streams.spill import SpillError

if TYPE_CHECKING:
    import argparse

    from streams.connectors.lines import Rejected

__all__ = ["add_parser", "run"]

#: Exit codes: every record was refused; an event of the mapping matched no row.
_NOTHING, _UNMATCHED = 1, 3
#: Events between two readings of the clock, where they are read one by one.
_EVENTS_PER_NOTE: Final = 1_000


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "replay",
        description=f"{__doc__} Exits with 0, with 1 if every record is a dead letter, with 2 if something cannot be read, and with 3 if "
        "an event of the mapping matched no row though its column holds a value that no condition names: the figures lack that event.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="plain or compressed by gzip; - for standard input")
    add_content_options(parser, required=True)
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of a table")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the figures there as CSV and Parquet, in place of a table")
    parser.add_argument(
        "--out-format", choices=tuple(FORMATS), default="both", help="which of the two (default: %(default)s); Parquet needs pyarrow"
    )
    parser.add_argument(
        "--definition",
        action="append",
        metavar="NAME",
        help="compare: judge every queue by this definition, NAME@VERSION or preset, and by the others; repeat it (2 to 4)",
    )
    parser.add_argument("--config", type=Path, help="configuration file (YAML)")
    parser.add_argument(
        "--until", type=instant, metavar="TIME", help="count events up to this RFC 3339 time (default: that of the last event)"
    )
    add_log_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, count, print."""
    start_logging(args.log_level)
    collect_seldom()
    file = Input(args.file)
    try:
        configuration = load_configuration(args.config)
        if args.definition:
            configuration = compared(configuration, args.definition)
        with ExitStack() as stack:
            files = None if args.out is None else stack.enter_context(ReplayFiles(args.out, args.out_format))
            on_dead_letter = None if files is None else files.dead_letter
            has_intervals = files is not None or args.json or bool(args.definition)
            replay = Replay(configuration, file=file.name, figures_only=True, intervals=has_intervals, on_dead_letter=on_dead_letter)
            stack.enter_context(closing(replay))
            notes = Notes()
            with ReplayProgress(file) as progress:
                _count(args, file, Identities(configuration), replay, progress, notes)
            result = replay.figures(args.until if args.until is not None else replay.last_ms)
            if file.is_empty:
                notes.append(f"{file.name} is empty")
            result["notes"] = notes
            if files is None or args.json or args.definition:
                _print(args, result)
            if files is not None:
                files.figures(result)
            counted = result["as_of"] is not None
    except (ConfigurationError, MappingError, OutputError, SpillError, ValueError) as error:
        return fail(error)
    except OSError as error:
        return fail(f"{error.filename or args.file}: cannot be read: {error.strerror or error}")
    if not counted and sum(result["dead_letters_by_reason"].values()):
        return fail(f"{file.name}: every record is a dead letter, so nothing was counted", code=_NOTHING)
    if notes.unmatched:
        return fail(f"{file.name}: an event of {args.mapping} matched no row, see the values of its column above", code=_UNMATCHED)
    return 0


def _count(args: argparse.Namespace, file: Input, identities: Identities, replay: Replay, progress: ReplayProgress, notes: Notes) -> None:
    """Add every event of the file to the replay."""
    rejected: list[Rejected] = []
    if args.mapping is None and args.connector == "canonical" and not identities:
        with closing(canonical_pieces(file, args.until, rejected)) as pieces:
            for piece, number in pieces:
                replay.add_piece(piece)
                _reject(replay, rejected)
                progress.note(number)
        return
    with closing(read_events(args, rejected, file, notes)) as events:
        for number, (occurred_ms, value, kinds, origin) in enumerate(events, 1):
            if rejected:
                _reject(replay, rejected)
            if number % _EVENTS_PER_NOTE == 0:
                progress.note(number)
            if args.until is not None and occurred_ms > args.until:
                continue
            record = identities.of_record(value) if identities else value
            for kind in kinds:
                replay.add(record, kind, origin=origin)
    _reject(replay, rejected)


def _reject(replay: Replay, rejected: list[Rejected]) -> None:
    for record in rejected:
        replay.reject(dead_letter_of(record))
    rejected.clear()


def _print(args: argparse.Namespace, result: dict[str, Any]) -> None:
    if args.out is not None:
        # Files consume the iterators; the JSON needs their content as well.
        result |= {name: [*result[name]] for name in STREAMED}
    if args.definition:
        result |= {"intervals": [*result["intervals"]]}
        result["comparison"] = comparison(result, args.definition)
    if args.json:
        write_json(result, STREAMED)
    elif args.definition:
        sys.stdout.writelines(f"{line}\n" for line in comparison_table(result["comparison"], args.definition))
    else:
        sys.stdout.writelines(f"{line}\n" for line in table(result))
