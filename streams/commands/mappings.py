"""``contact-streams mappings``: test a mapping file on data before anything is published."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from schemas.events import encode
from streams.commands.common import fail, write_json
from streams.commands.mapping_options import make_mapper
from streams.connectors.lines import Rejected
from streams.connectors.mapping import MappingError, read_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.connectors.mapping import Mapper, Mapping

__all__ = ["add_parser", "run"]

_ROWS: Final = 10

#: Fields that every event repeats, or that the first column shows.
_NOT_SHOWN: Final = frozenset({"type", "event_id", "occurred_at", "received_at", "source", "schema_version", "sequence"})


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("mappings", description=__doc__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    test = verbs.add_parser(
        "test", help="show the events of each row", description="Shows the events of each row; exits with 1 if some cannot be mapped."
    )
    test.add_argument("mapping", type=Path, metavar="FILE", help="the mapping file (YAML)")
    test.add_argument("data", type=Path, metavar="DATA", help="the data file")
    test.add_argument("--rows", type=_count, default=_ROWS, metavar="N", help="number of rows to map (default: %(default)s; 0: all)")
    test.add_argument("--json", action="store_true", help="print one JSON object")
    test.set_defaults(run=run)


def _count(text: str) -> int:
    if not text.isdecimal():
        message = f"{text!r} is no number of rows: 0 or more"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Map some rows and print their events."""
    try:
        mapping, mapper = make_mapper(args.mapping)
        result = _tried(args, mapping, mapper)
    except (MappingError, ValueError) as error:
        return fail(error)
    except OSError as error:
        return fail(f"{error.filename or args.data}: cannot be read: {error.strerror or error}")
    if args.json:
        write_json(result)
    else:
        sys.stdout.writelines(f"{line}\n" for line in _readable(result))
    return 1 if result["rejected"] else 0


def _tried(args: argparse.Namespace, mapping: Mapping, mapper: Mapper) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    types: Counter[str] = Counter()
    filled: dict[str, None] = {}
    with closing(read_records(args.data, mapping)) as records:
        for record in itertools.islice(records, args.rows or None):
            if isinstance(record, Rejected):
                outcome: Any = record
            else:
                filled |= dict.fromkeys(_filled(record.values))
                for table, listed in record.joined.items():
                    filled |= dict.fromkeys(f"{table}.{name}" for joined in listed for name in _filled(joined.values))
                outcome = mapper.map(record)
            if isinstance(outcome, Rejected):
                rows.append({"origin": outcome.origin, "reason": outcome.reason, "detail": outcome.detail})
                continue
            events = [orjson.loads(encode(event)) for event in outcome]
            types.update(event["type"] for event in events)
            rows.append({"origin": record.origin, "events": events})
    used = dict.fromkeys(name.replace("\\.", ".") for _, name in mapping.plan.paths)
    for table, plan in mapping.plan.tables.items():
        used |= dict.fromkeys(f"{table}." + name.replace("\\.", ".") for _, name in plan.paths)
    return {
        "mapping": mapping.plan.file.name,
        "rows": rows,
        "read": len(rows),
        "rejected": sum("reason" in row for row in rows),
        "ignored": dict(mapper.ignored),
        "notes": mapper.notes(),
        "events": dict(types),
        "empty": [name for name in used if name not in filled] if rows else [],
        "not_used": [name for name in filled if name not in used],
    }


def _filled(value: Any, before: str = "") -> Iterator[str]:
    """Yield the paths of all values of a record that are not empty; never a value."""
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _filled(inner, f"{before}.{name}" if before else str(name))
    elif value not in {None, ""}:
        yield before


def _readable(result: dict[str, Any]) -> Iterator[str]:
    for row in result["rows"]:
        yield row["origin"]
        if "reason" in row:
            yield f"  not mapped: {row['reason']}: {row['detail']}"
        elif not row["events"]:
            yield "  no event"
        for event in row.get("events", []):
            shown = "  ".join(f"{name}={_cell(content)}" for name, content in event.items() if name not in _NOT_SHOWN)
            yield f"  {event['occurred_at']}  {event['type']:<22}  {shown}"
    events = ", ".join(f"{name} {count}" for name, count in result["events"].items()) or "none"
    yield f"{result['read']} rows, {result['rejected']} not mapped; events: {events}"
    texts = {"passed_over": "skipped by when", "no_event": "without an event", "repeated": "repeated without a change"}
    yield from (f"{count} rows {texts[name]}" for name, count in result["ignored"].items())
    yield from result["notes"]
    if result["empty"]:
        yield f"empty in all these rows, though the mapping uses it: {', '.join(result['empty'])}"
    if result["not_used"]:
        yield f"not used by the mapping: {', '.join(result['not_used'])}"


def _cell(content: Any) -> str:
    return ",".join(map(str, content)) if isinstance(content, list) else str(content)
