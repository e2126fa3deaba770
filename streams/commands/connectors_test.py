"""``contact-streams connectors test``: show the events of each record of a platform's payload."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from schemas.events import encode
from schemas.visible import escaped_json
from streams.commands import platform_options
from streams.commands.common import fail
from streams.configuration.problems import FileError
from streams.connectors.inputs import Input
from streams.connectors.kit.translating import translate_each

if TYPE_CHECKING:
    import argparse

    from streams.connectors.kit.model import Connector, Seen
    from streams.connectors.kit.translating import Translated

__all__ = ["run_test"]


def run_test(args: argparse.Namespace) -> int:
    """Print each record's events, or why there are none; return 1 if any was rejected."""
    file = Input(args.file)
    try:
        platform = platform_options.platform(args.name, args, source=args.source)
        body = b"".join(file.chunks())
    except (FileError, ValueError) as error:
        return fail(error)
    except OSError as error:
        return fail(f"{error.filename or args.file}: cannot be read: {error.strerror or error}")
    if not body.strip():
        return fail(f"{file.name}: is empty: there is nothing to try", code=1)
    states: dict[str, Seen] = {}
    records = events = ignored = rejected = 0
    outcomes = translate_each(
        platform.connector, body, platform.context, origin=file.name, now=datetime.now(UTC), states=states, site=platform.site
    )
    for number, outcome in enumerate(outcomes, start=1):
        records += outcome.records
        events += len(outcome.events)
        ignored += outcome.ignored.total()
        rejected += len(outcome.rejected)
        sys.stdout.write(_as_json(number, outcome) if args.json else _as_text(platform.connector, number, outcome))
    if not args.json:
        sys.stdout.write(f"{records} records: {events} events, {ignored} not counted, {rejected} rejected\n")
    return 1 if rejected else 0


def _as_json(number: int, done: Translated) -> str:
    document: dict[str, Any] = {
        "record": number,
        "events": [orjson.loads(encode(event)) for event in done.events],
        "ignored": next(iter(done.ignored), None),
        "rejected": [{"reason": record.reason, "detail": record.detail} for record in done.rejected],
    }
    return escaped_json(orjson.dumps(document).decode()) + "\n"


def _as_text(connector: Connector, number: int, done: Translated) -> str:
    lines = [escaped_json(encode(event).decode()) for event in done.events]
    lines += [f"nothing: {kind}: {connector.ignored[kind]}" for kind in done.ignored]
    lines += [f"rejected: {record.reason}: {record.detail}" for record in done.rejected]
    note = "" if lines else " nothing: no change to earlier records"
    return f"record {number}:{note}\n" + "".join(f"  {line}\n" for line in lines)
