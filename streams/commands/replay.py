"""``contact-streams replay``: count a file of events in this process, with the stages the worker runs, and print the figures."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from schemas.agent import AgentModel
from schemas.decoding import Rejected as NotAnEventError
from schemas.decoding import decode_agent_event, decode_contact_event, decode_customer_event
from schemas.events import AGENT_KINDS, CONTACT_KINDS, CUSTOMER_KINDS, encode
from schemas.limits import MAX_RECORD_BYTES
from schemas.other import CustomerModel, ForecastSet
from schemas.times import to_ms
from streams.commands import queue_log_options
from streams.commands.common import add_log_option, fail, instant, start_logging, write_json
from streams.commands.definition_comparison import compared, comparison, comparison_table
from streams.commands.mapping_options import make_mapper
from streams.configuration import ConfigurationError, load_configuration
from streams.connectors.feed import Summary
from streams.connectors.follow import read_lines
from streams.connectors.identities import Identities
from streams.connectors.lines import Rejected
from streams.connectors.mapping import MappingError
from streams.connectors.mapping.feed import mapped_events
from streams.replay import Replay

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from streams.connectors.lines import Line

__all__ = ["Read", "add_content_options", "add_parser", "read_events", "run"]

Kind = Literal["contact", "agent", "customer"]

#: One event: when it occurred (ms), its JSON, the streams it belongs to, and where it was read.
Read = tuple[int, bytes, tuple[Kind, ...], str]


def _types(kinds: tuple[type[Any], ...]) -> frozenset[str]:
    return frozenset(str(kind.model_fields["type"].default) for kind in kinds)


#: Which kinds of events each stage of a replay takes, and what reads them; what a source says of itself goes to all of them.
_TOPICS: dict[Kind, tuple[frozenset[str], Callable[[bytes], Any]]] = {
    "contact": (frozenset(_types(CONTACT_KINDS)), decode_contact_event),
    "agent": (frozenset(_types(AGENT_KINDS)), decode_agent_event),
    "customer": (frozenset(_types(CUSTOMER_KINDS)), decode_customer_event),
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("replay", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    add_content_options(parser, required=True)
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of a table")
    parser.add_argument(
        "--definition",
        action="append",
        metavar="NAME",
        help="compare: judge every queue by this definition, NAME@VERSION or preset, and by the others given likewise (2 to 4)",
    )
    parser.add_argument("--config", type=Path, help="configuration file (YAML)")
    parser.add_argument(
        "--until", type=instant, metavar="TIME", help="count what occurred up to this RFC 3339 time (default: the last event's)"
    )
    add_log_option(parser)
    parser.set_defaults(run=run)


def add_content_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Declare what a file of events holds."""
    what = parser.add_mutually_exclusive_group(required=required)
    what.add_argument(
        "--connector",
        choices=("asterisk-queue-log", "canonical"),
        default=None if required else "canonical",
        help="what the file holds: an Asterisk queue_log, or canonical contact and agent events as JSON Lines",
    )
    what.add_argument(
        "--mapping", type=Path, metavar="MAPPING", help="mapping file (YAML) that says what the file holds: CSV or JSON of any system"
    )
    queue_log_options.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Read, count, print."""
    start_logging(args.log_level)
    try:
        configuration = load_configuration(args.config)
        if args.definition:
            configuration = compared(configuration, args.definition)
        rejected: list[Rejected] = []
        identities = Identities(configuration)
        read = read_events(args, rejected)
        replay = Replay(configuration)
        last_ms = None
        for occurred_ms, value, kinds, origin in read:
            if args.until is not None and occurred_ms > args.until:
                continue
            last_ms = occurred_ms if last_ms is None else max(last_ms, occurred_ms)
            record = identities.of_record(value) if identities else value
            for kind in kinds:
                replay.add(record, kind, origin=origin)
    except (ConfigurationError, MappingError, ValueError) as error:
        return fail(error)
    except OSError as error:
        return fail(f"{error.filename or args.file}: cannot be read: {error.strerror or error}")
    result = replay.finish(args.until if args.until is not None else last_ms)
    if args.definition:
        result["comparison"] = comparison(result, args.definition)
    result["dead_letters"] = [_dead_letter(each) for each in rejected] + result.get("dead_letters", [])
    if args.json:
        write_json(result)
    elif args.definition:
        sys.stdout.writelines(f"{line}\n" for line in comparison_table(result["comparison"], args.definition))
    else:
        sys.stdout.writelines(f"{line}\n" for line in _table(result))
    return 0


def read_events(args: argparse.Namespace, rejected: list[Rejected]) -> Iterator[Read]:
    """Yield the events of ``args.file``; what is none goes to ``rejected``."""
    if args.mapping is not None:
        return _mapped(args, rejected)
    return _canonical(args.file, rejected) if args.connector == "canonical" else _queue_log(args, rejected)


def _mapped(args: argparse.Namespace, rejected: list[Rejected]) -> Iterator[Read]:
    mapping, mapper = make_mapper(args.mapping)
    for found, origin in mapped_events(args.file, mapping, mapper, Summary()):
        if isinstance(found, Rejected):
            rejected.append(found)
        else:
            of_customer = isinstance(found, CustomerModel | ForecastSet)
            kind: Kind = "agent" if isinstance(found, AgentModel) else "customer" if of_customer else "contact"
            yield to_ms(found.occurred_at), encode(found), (kind,), origin


def _queue_log(args: argparse.Namespace, rejected: list[Rejected]) -> Iterator[Read]:
    parser = queue_log_options.make_parser(args)
    for line in read_lines(args.file):
        outcome = parser.parse(line)
        if isinstance(outcome, Rejected):
            rejected.append(outcome)
            continue
        for event in outcome:
            kind: Kind = "agent" if isinstance(event, AgentModel) else "contact"
            yield to_ms(event.occurred_at), encode(event), (kind,), line.origin


def _canonical(file: Path, rejected: list[Rejected]) -> Iterator[Read]:
    for line in read_lines(file, MAX_RECORD_BYTES):
        if not line.raw.strip():
            continue
        found = _event(line)
        if isinstance(found, Rejected):
            rejected.append(found)
        elif found is not None:
            yield found


def _event(line: Line) -> Read | Rejected | None:
    """Return a canonical event, why it is none, or None for one that no figure of a replay counts."""
    if line.length > MAX_RECORD_BYTES:
        return Rejected(line.origin, "too_large", f"{line.length} bytes; at most {MAX_RECORD_BYTES}", line.raw, line.start)
    try:
        kind = orjson.loads(line.raw).get("type")
    except (orjson.JSONDecodeError, AttributeError):
        kind = None
    kinds: tuple[Kind, ...] = tuple(name for name, (types, _) in _TOPICS.items() if kind in types)
    decode: Callable[[bytes], Any] = _TOPICS[kinds[0]][1] if kinds else decode_contact_event
    try:
        event = decode(line.raw)
    except NotAnEventError as error:
        return Rejected(line.origin, error.reason, error.detail, line.raw, line.start)
    return event.occurred_ms, line.raw, kinds, line.origin


def _dead_letter(rejected: Rejected) -> dict[str, Any]:
    return {
        "origin": rejected.origin,
        "reason": rejected.reason,
        "detail": rejected.detail,
        "bytes": base64.b64encode(rejected.raw).decode(),
    }


# ---- The table ---------------------------------------------------------------------------------------------------------------------

_COLUMNS = ("offered", "answered", "abandoned", "service_level", "answer_rate", "asa", "aht")
_RATIOS = frozenset({"service_level", "answer_rate"})


def _table(result: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table for people: a row a queue and channel, then all of it."""
    rows = [["queue", "channel", *_COLUMNS]]
    for queue, channels in result["queues"].items():
        rows += [[queue, channel, *_cells(kpis)] for channel, kpis in channels.items()]
    rows.append(["all", "", *_cells(result["totals"])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield f"as of {result['as_of'] or 'no event'}"
    for queue, channel, *figures in rows:
        names = f"{queue:<{widths[0]}}  {channel:<{widths[1]}}"
        yield names + "".join(f"  {figure:>{width}}" for figure, width in zip(figures, widths[2:], strict=True))
    if letters := result["dead_letters"]:
        yield f"{len(letters)} dead letters:"
        yield from (f"  {each['origin']}: {each['reason']}: {each['detail']}" for each in letters)


def _cells(kpis: dict[str, Any]) -> list[str]:
    return [_cell(name, (kpis.get(name) or {}).get("value")) for name in _COLUMNS]


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name in _RATIOS:
        return f"{100 * value:.1f} %"
    return f"{value:.0f}" if name in {"offered", "answered", "abandoned"} else f"{value:.1f} s"
