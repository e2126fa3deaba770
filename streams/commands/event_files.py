"""Files of events that commands read: canonical events, any file by a mapping, an Asterisk queue_log, or a platform's export."""

from __future__ import annotations

import base64
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from schemas.agent import AgentModel
from schemas.decoding import Rejected as NotAnEventError
from schemas.decoding import decode_agent_event, decode_contact_event, decode_customer_event, decode_event
from schemas.events import AGENT_KINDS, CONTACT_KINDS, CUSTOMER_KINDS, encode
from schemas.limits import MAX_RECORD_BYTES
from schemas.other import CustomerModel, ForecastSet
from schemas.times import to_ms
from streams.commands import platform_options, queue_log_options
from streams.commands.mapping_options import make_mapper
from streams.connectors.feed import Summary
from streams.connectors.follow import read_lines
from streams.connectors.inputs import Input
from streams.connectors.kit.translating import translate_each
from streams.connectors.lines import Line, Rejected
from streams.connectors.mapping.feed import mapped_events
from streams.replay import Kind, Piece

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator

    from schemas.base import Event
    from streams.connectors.kit.model import Seen

__all__ = ["Notes", "Read", "add_content_options", "canonical_pieces", "dead_letter_of", "read_events"]

#: One event: when it occurred (ms), its JSON, the streams it belongs to, and where it was read.
Read = tuple[int, bytes, tuple[Kind, ...], str]


class Notes(list[str]):
    """Texts to show about a file at the end."""

    #: An event of a mapping matched no row, though its column holds a value that no condition names.
    unmatched: bool = False


def _types(kinds: tuple[type[Any], ...]) -> frozenset[str]:
    return frozenset(str(kind.model_fields["type"].default) for kind in kinds)


#: Event types of each stage of a replay, and their decoder; what a source reports of itself goes to all stages.
_TOPICS: dict[Kind, tuple[frozenset[str], Callable[[bytes], Any]]] = {
    "contact": (_types(CONTACT_KINDS), decode_contact_event),
    "agent": (_types(AGENT_KINDS), decode_agent_event),
    "customer": (_types(CUSTOMER_KINDS), decode_customer_event),
}

#: Types that all stages count.
_OF_ALL = frozenset.intersection(*(types for types, _ in _TOPICS.values()))


def add_content_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Declare options for the content of a file of events."""
    what = parser.add_mutually_exclusive_group(required=required)
    what.add_argument(
        "--connector",
        type=platform_options.named("asterisk-queue-log", "canonical"),
        metavar="NAME",
        default=None if required else "canonical",
        help="what the file holds: asterisk-queue-log; canonical: contact and agent events as JSON Lines; or what a platform sends or "
        "exports, by a name that `contact-streams connectors list` shows",
    )
    what.add_argument(
        "--mapping", type=Path, metavar="MAPPING", help="mapping file (YAML) that describes the file: CSV or JSON of any system"
    )
    queue_log_options.add_options(parser)
    platform_options.add_setting_options(parser)


def read_events(
    args: argparse.Namespace, rejected: list[Rejected], file: Input | None = None, notes: Notes | None = None
) -> Generator[Read]:
    """Yield the events of ``args.file``; append other records to ``rejected``, and texts for the end to ``notes``."""
    file = Input(args.file) if file is None else file
    if args.mapping is not None:
        return _mapped(args, file, rejected, notes)
    if args.connector == "canonical":
        return _canonical(file, rejected)
    if args.connector == "asterisk-queue-log":
        return _queue_log(args, file, rejected, notes)
    return _platform(args, file, rejected, notes)


def dead_letter_of(rejected: Rejected) -> dict[str, Any]:
    """Return a rejected record as a dead letter of a replay."""
    return {
        "origin": rejected.origin,
        "reason": rejected.reason,
        "detail": rejected.detail,
        "bytes": base64.b64encode(rejected.raw).decode(),
    }


def _platform(args: argparse.Namespace, file: Input, rejected: list[Rejected], notes: Notes | None) -> Generator[Read]:
    """Yield the events that a platform's connector translates from a file, which is read entirely first."""
    # The default of --source is a queue_log's.
    source = None if args.source == "asterisk" else args.source
    platform = platform_options.platform(args.connector, args, source=source)
    ignored: Counter[str] = Counter()
    states: dict[str, Seen] = {}
    body = b"".join(file.chunks())
    if not body.strip():
        return
    now = datetime.now(UTC)
    for done in translate_each(platform.connector, body, platform.context, origin=file.name, now=now, states=states, site=platform.site):
        rejected += done.rejected
        ignored += done.ignored
        yield from (_read_of(event, file.name) for event in done.events)
    if ignored and notes is not None:
        notes.append(f"not counted: {', '.join(f'{kind} {count}' for kind, count in sorted(ignored.items()))}")


def _mapped(args: argparse.Namespace, file: Input, rejected: list[Rejected], notes: Notes | None) -> Generator[Read]:
    mapping, mapper = make_mapper(args.mapping)
    with closing(mapped_events(file, mapping, mapper, Summary())) as mapped:
        for event, origin in mapped:
            if isinstance(event, Rejected):
                rejected.append(event)
            else:
                yield _read_of(event, origin)
    if notes is not None:
        notes += mapper.notes()
        notes.unmatched = mapper.is_unmatched


def _queue_log(args: argparse.Namespace, file: Input, rejected: list[Rejected], notes: Notes | None) -> Generator[Read]:
    parser = queue_log_options.make_parser(args)
    with closing(read_lines(file)) as lines:
        for line in lines:
            outcome = parser.parse(line)
            if isinstance(outcome, Rejected):
                rejected.append(outcome)
            else:
                yield from (_read_of(event, line.origin) for event in outcome)
    if notes is not None:
        notes += parser.notes()


def _read_of(event: Event, origin: str) -> Read:
    """Return an event of a connector or a mapping with its time, JSON, streams and origin."""
    of_customer = isinstance(event, CustomerModel | ForecastSet)
    kind: Kind = "agent" if isinstance(event, AgentModel) else "customer" if of_customer else "contact"
    return to_ms(event.occurred_at), encode(event), (kind,), origin


def _canonical(file: Input, rejected: list[Rejected]) -> Generator[Read]:
    with closing(read_lines(file, MAX_RECORD_BYTES)) as lines:
        for line in lines:
            if not line.raw.strip():
                continue
            read = _event(line)
            if isinstance(read, Rejected):
                rejected.append(read)
            elif read is not None:
                yield read


def canonical_pieces(file: Input, until_ms: int | None, rejected: list[Rejected]) -> Generator[tuple[Piece, int]]:
    """Yield the events of a file in pieces for ``Replay.add_piece``, each piece with the number of its last line.

    A piece is valid until the next one. Events after ``until_ms`` are left out; lines that are no event, or too long for one, are
    appended to ``rejected``.
    """
    piece = Piece()
    # Nearly every event is for one stage: add it without a further call.
    taken_by = {name: piece.taking[kind] for kind, (types, _) in _TOPICS.items() for name in types - _OF_ALL}
    with closing(_numbered_lines(file)) as pieces:
        for first, lines, length in pieces:
            last_ms: int | None = None
            for number, raw in enumerate(lines, first):
                try:
                    event = decode_event(raw if length is None else None)
                    taking = taken_by.get(event.type)
                except NotAnEventError:
                    if raw.strip():
                        outcome = _event(Line(raw, file.name, number, 0, 0, length or len(raw)))
                        if isinstance(outcome, Rejected):
                            rejected.append(outcome)
                        elif outcome is not None and (until_ms is None or outcome[0] <= until_ms):
                            piece.add(outcome[2], _TOPICS[outcome[2][0]][1](raw), raw, number)
                    continue
                at = event.occurred_ms
                if until_ms is not None and at > until_ms:
                    continue
                if taking is None:
                    piece.add(_TOPICS, event, raw, number)
                    continue
                add_event, add_record, read = taking
                add_event(event)
                add_record(read(raw, number))
                if last_ms is None or at > last_ms:
                    last_ms = at
            if last_ms is not None:
                piece.note(last_ms)
            yield piece, first + len(lines) - 1
            piece.clear()


def _numbered_lines(file: Input) -> Generator[tuple[int, list[bytes], int | None]]:
    """Yield consecutive lines with the number of the first; a too long line separately, cut, and with its length."""
    number, remaining, dropped = 1, b"", 0
    with closing(file.chunks()) as chunks:
        for data in chunks:
            lines = (remaining + data).split(b"\n")
            remaining = lines.pop()
            if dropped and lines:
                yield number, [lines[0][:MAX_RECORD_BYTES]], len(lines[0]) + dropped
                number, dropped = number + 1, 0
                del lines[0]
            yield number, lines, None
            number += len(lines)
            if len(remaining) > MAX_RECORD_BYTES:
                dropped += len(remaining) - MAX_RECORD_BYTES
                remaining = remaining[:MAX_RECORD_BYTES]
    yield number, [remaining], len(remaining) + dropped if dropped else None


def _event(line: Line) -> Read | Rejected | None:
    """Return a canonical event, a rejected line, or None for an event that no figure of a replay counts."""
    if line.length > MAX_RECORD_BYTES:
        detail = f"{line.length} bytes; at most {MAX_RECORD_BYTES}"
        return Rejected(line.origin, "too_large", detail, line.raw[:MAX_RECORD_BYTES], line.start)
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
