"""Files of events as commands read them: canonical events, what a mapping makes of any file, an Asterisk queue_log, or a platform's."""

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

__all__ = ["Notes", "Read", "add_content_options", "canonical_pieces", "letter_of", "read_events"]

#: One event: when it occurred (ms), its JSON, the streams it belongs to, and where it was read.
Read = tuple[int, bytes, tuple[Kind, ...], str]


class Notes(list[str]):
    """What is to be said of a file at the end."""

    #: An event of a mapping came of no row, though its column holds something that no condition names.
    unmatched: bool = False


def _types(kinds: tuple[type[Any], ...]) -> frozenset[str]:
    return frozenset(str(kind.model_fields["type"].default) for kind in kinds)


#: Which kinds of events each stage of a replay takes, and what reads them; what a source says of itself goes to all of them.
_TOPICS: dict[Kind, tuple[frozenset[str], Callable[[bytes], Any]]] = {
    "contact": (_types(CONTACT_KINDS), decode_contact_event),
    "agent": (_types(AGENT_KINDS), decode_agent_event),
    "customer": (_types(CUSTOMER_KINDS), decode_customer_event),
}

#: Types that all stages take.
_OF_ALL = frozenset.intersection(*(types for types, _ in _TOPICS.values()))


def add_content_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Declare what a file of events holds."""
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
        "--mapping", type=Path, metavar="MAPPING", help="mapping file (YAML) that says what the file holds: CSV or JSON of any system"
    )
    queue_log_options.add_options(parser)
    platform_options.add_setting_options(parser)


def read_events(
    args: argparse.Namespace, rejected: list[Rejected], file: Input | None = None, notes: Notes | None = None
) -> Generator[Read]:
    """Yield the events of ``args.file``; what is none goes to ``rejected``, and to ``notes`` what is to be said at the end."""
    file = Input(args.file) if file is None else file
    if args.mapping is not None:
        return _mapped(args, file, rejected, notes)
    if args.connector == "canonical":
        return _canonical(file, rejected)
    if args.connector == "asterisk-queue-log":
        return _queue_log(args, file, rejected, notes)
    return _platform(args, file, rejected, notes)


def letter_of(rejected: Rejected) -> dict[str, Any]:
    """Return what is no event as a replay takes note of it."""
    return {
        "origin": rejected.origin,
        "reason": rejected.reason,
        "detail": rejected.detail,
        "bytes": base64.b64encode(rejected.raw).decode(),
    }


def _platform(args: argparse.Namespace, file: Input, rejected: list[Rejected], notes: Notes | None) -> Generator[Read]:
    """Yield what a platform's connector makes of a file, which is read as a whole."""
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
        yield from (_made(event, file.name) for event in done.events)
    if ignored and notes is not None:
        notes.append(f"nothing counts of: {', '.join(f'{kind} {count}' for kind, count in sorted(ignored.items()))}")


def _mapped(args: argparse.Namespace, file: Input, rejected: list[Rejected], notes: Notes | None) -> Generator[Read]:
    mapping, mapper = make_mapper(args.mapping)
    with closing(mapped_events(file, mapping, mapper, Summary())) as mapped:
        for found, origin in mapped:
            if isinstance(found, Rejected):
                rejected.append(found)
            else:
                yield _made(found, origin)
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
                yield from (_made(event, line.origin) for event in outcome)
    if notes is not None:
        notes += parser.notes()


def _made(event: Event, origin: str) -> Read:
    """Return an event that a connector or a mapping made."""
    of_customer = isinstance(event, CustomerModel | ForecastSet)
    kind: Kind = "agent" if isinstance(event, AgentModel) else "customer" if of_customer else "contact"
    return to_ms(event.occurred_at), encode(event), (kind,), origin


def _canonical(file: Input, rejected: list[Rejected]) -> Generator[Read]:
    with closing(read_lines(file, MAX_RECORD_BYTES)) as lines:
        for line in lines:
            if not line.raw.strip():
                continue
            found = _event(line)
            if isinstance(found, Rejected):
                rejected.append(found)
            elif found is not None:
                yield found


def canonical_pieces(file: Input, until_ms: int | None, rejected: list[Rejected]) -> Generator[tuple[Piece, int]]:
    """Yield the events of a file in pieces, as ``Replay.add_piece`` takes them, each piece with the number of its last line.

    A piece is good until the next one. Events after ``until_ms`` are left out; lines that are no event, or too long for one, go to
    ``rejected``.
    """
    piece = Piece()
    # Of nearly all events each is for one stage: without a further call.
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
                        found = _event(Line(raw, file.name, number, 0, 0, length or len(raw)))
                        if isinstance(found, Rejected):
                            rejected.append(found)
                        elif found is not None and (until_ms is None or found[0] <= until_ms):
                            piece.add(found[2], _TOPICS[found[2][0]][1](raw), raw, number)
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
    """Yield lines that stand together, with the number of the first; one that is too long alone, cut, and with its length."""
    number, rest, dropped = 1, b"", 0
    with closing(file.chunks()) as chunks:
        for data in chunks:
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            if dropped and lines:
                yield number, [lines[0][:MAX_RECORD_BYTES]], len(lines[0]) + dropped
                number, dropped = number + 1, 0
                del lines[0]
            yield number, lines, None
            number += len(lines)
            if len(rest) > MAX_RECORD_BYTES:
                dropped += len(rest) - MAX_RECORD_BYTES
                rest = rest[:MAX_RECORD_BYTES]
    yield number, [rest], len(rest) + dropped if dropped else None


def _event(line: Line) -> Read | Rejected | None:
    """Return a canonical event, why it is none, or None for one that no figure of a replay counts."""
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
