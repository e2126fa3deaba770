"""Map records to canonical events: pure, record by record; a record gives all of its events or a rejection."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import ValidationError

from schemas.contact import ContactModel, ContactWithdrawn
from schemas.limits import MAX_AHEAD_MS, MIN_TIME_MS
from schemas.times import from_ms, to_ms
from streams.connectors.lines import Rejected
from streams.connectors.mapping.compiling import KEYED, Row
from streams.connectors.mapping.kinds import EVENTS_PER_RECORD, error_text
from streams.connectors.mapping.texts import BadRecordError
from streams.connectors.repeated_hour import RepeatedHour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from schemas.base import Event
    from streams.configuration.yaml_lines import Location
    from streams.connectors.lines import Outcome
    from streams.connectors.mapping.loading import Mapping
    from streams.connectors.mapping.plan import EventPlan, FieldPlan
    from streams.connectors.mapping.records import Record
from streams.connectors.mapping.unmatched import Unmatched

__all__ = ["Mapper"]

#: As ``schemas.base`` has it.
_MAX_REVISION: Final = 9_007_199_254_740_991
_MAX_AHEAD_MINUTES: Final = MAX_AHEAD_MS // 60_000


class _Version(NamedTuple):
    """The latest version of a record."""

    digest: bytes
    origin: str
    revision: int | None
    #: Id of a contact event → when it occurred, and its conversation; only with a revision.
    events: dict[str, tuple[int, str]]

    def supersedes(self, revision: int | None, digest: bytes) -> bool:
        """Return whether it supersedes another version; raise BadRecordError if neither is the later one, and they differ."""
        if revision is not None and self.revision is not None and revision != self.revision:
            return revision < self.revision
        if digest == self.digest:
            return True
        hint = "a revision would show which is the later one" if revision is None else "both have the same revision"
        raise BadRecordError("repeated_id", f"record_id: {self.origin} has the same one with other content; {hint}")


class Mapper:
    """Applies one mapping to the records of one file, in any order.

    Args:
        mapping: what ``load_mapping`` returned.
        now: the clock, to reject moments in the future.
        customer_key: from a customer's number or address to a keyed hash; without it no customer key passes.
    """

    def __init__(self, mapping: Mapping, *, now: Callable[[], datetime], customer_key: Callable[[str], str] | None = None) -> None:
        self.source = mapping.plan.file.source
        #: Records that gave neither events nor a rejection: ``passed_over`` by ``when``, ``no_event`` applied, ``repeated`` as they were.
        self.ignored: Counter[str] = Counter()
        #: Records with undecodable bytes, which were replaced.
        self.replaced = 0
        self._plan = mapping.plan
        self._unmatched = Unmatched(mapping.plan.file)
        self._hours: defaultdict[Location, RepeatedHour] = defaultdict(RepeatedHour)
        self._encoding = mapping.plan.file.read.encoding
        self._now = now
        self._customer_key = customer_key
        #: Digest of a record id → its latest version.
        self._seen: dict[bytes, _Version] = {}

    def notes(self) -> list[str]:
        """Return notes for the operator on the records so far: what was replaced, what stays ambiguous, what matched no row."""
        notes = []
        if self.replaced:
            notes.append(f"{self.replaced} records hold bytes that are no {self._encoding}: replaced by \ufffd, and counted all the same")
        for location, hour in self._hours.items():
            if hour.ambiguous:
                name = ".".join(map(str, location))
                notes.append(
                    f"{hour.ambiguous} moments of {name} lie in an hour that came twice, and may be of either: read as of the first"
                )
        return [*notes, *self._unmatched.notes()]

    @property
    def is_unmatched(self) -> bool:
        """Whether an event matched no row though its column holds something that no condition names."""
        return bool(self._unmatched.notes())

    def map(self, record: Record) -> Outcome:
        """Return the events of a record, all received when they occurred; or why there are none."""
        try:
            return self._map(record)
        except BadRecordError as error:
            return self._rejected(record, error.reason, error.detail)

    def _rejected(self, record: Record, reason: str, detail: str) -> Rejected:
        about = "agents" if self._plan.about_agents else "contacts"
        return Rejected(record.origin, reason, detail, record.raw, record.offset, about)  # type: ignore[arg-type]

    def _map(self, record: Record) -> list[Event]:
        self.replaced += (record.replaced > 0) + sum(joined.replaced > 0 for rows in record.joined.values() for joined in rows)
        row = Row(record.values, self._customer_key, self._hours)
        for name, table in self._plan.tables.items():
            if table.spec.rows == "one" and record.joined.get(name):
                row.joined[name] = record.joined[name][0].values
        if self._plan.when is not None and not self._plan.when(row):
            self.ignored["passed_over"] += 1
            return []
        record_id = self._plan.record_id(row)
        if record_id is None:
            raise BadRecordError("missing_value", "record_id: there is nothing in its columns; permitted: what identifies a record")
        revision = None if self._plan.revision is None else self._revision(self._plan.revision, row)
        key, digest = _digest(str(record_id).encode()), _digest(_content_of(record))
        previous = self._seen.get(key)
        if previous is not None and previous.supersedes(revision, digest):
            self.ignored["repeated"] += 1
            return []
        site = None if self._plan.site is None else self._plan.site(row)
        common = {"source": self.source, "site": site, "revision": revision}
        sequence = self._plan.sequence(row, record.number) if self._plan.sequence is not None else None
        at_same_time: Counter[int] = Counter()
        events: list[Event] = []
        contact_events: dict[str, tuple[int, str]] = {}
        for index, event, row_id, event_row in self._rules(record, row):
            if event.when is not None:
                if not event.when(event_row):
                    continue
                self._unmatched.holds(index)
            at_ms = self._moment(event, event_row)
            # Within a millisecond the events of a record follow the order of the mapping.
            position = at_same_time[at_ms]
            at_same_time[at_ms] += 1
            # From the record and its position in the mapping alone: the same on every reading, also of a corrected record.
            identity = f"{self.source}\0{record_id}\0{index}" + ("" if row_id is None else f"\0{row_id}")
            event_id = hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
            moment = from_ms(at_ms)
            times = {
                "occurred_at": moment,
                "received_at": moment,
                "sequence": position or None if sequence is None else sequence * EVENTS_PER_RECORD + position,
            }
            events.append(self._event(event, event_row, {**common, **times, "event_id": event_id}))
            if revision is not None and isinstance(events[-1], ContactModel):
                contact_events[event_id] = at_ms, events[-1].conversation_id
        if previous is not None:
            events += [
                self._withdrawn(event_id, was, common) for event_id, was in previous.events.items() if event_id not in contact_events
            ]
        if not events:
            self.ignored["no_event"] += 1
        self._unmatched.row(record.values)
        # Only now: a corrected version of a rejected record may follow.
        self._seen[key] = _Version(digest, record.origin, revision, contact_events)
        return events

    def _revision(self, read: Callable[[Row], int | None], row: Row) -> int:
        number = read(row) or 0
        if not 0 <= number <= _MAX_REVISION:
            raise BadRecordError("not_permitted", f"revision: permitted: from 0 to {_MAX_REVISION}")
        return number

    def _rules(self, record: Record, row: Row) -> Iterator[tuple[int, EventPlan, str | None, Row]]:
        """Yield the events of the mapping with what they are read from: the record, or each row of a table that belongs to it."""
        for index, event in enumerate(self._plan.events):
            if event.each is None:
                yield index, event, None, row
                continue
            raw_by_id: dict[str, bytes] = {}
            for joined in record.joined.get(event.each, ()):
                row_id = self._row_id(event.each, joined)
                if row_id in raw_by_id:
                    if raw_by_id[row_id] != joined.raw:
                        raise BadRecordError("repeated_id", f"tables.{event.each}.row_id: {joined.origin} has that of another row")
                    continue
                raw_by_id[row_id] = joined.raw
                yield index, event, row_id, row.beside(event.each, joined.values)

    def _row_id(self, name: str, record: Record) -> str:
        read = self._plan.tables[name].readers.row_id
        row_id = None if read is None else read(Row(record.values, None))
        if row_id is None:
            raise BadRecordError("missing_value", f"tables.{name}.row_id: {record.origin} has nothing in its columns")
        return str(row_id)

    def _withdrawn(self, event_id: str, was: tuple[int, str], common: dict[str, Any]) -> ContactWithdrawn:
        """Return the withdrawal of an event that the record no longer gives."""
        at_ms, conversation_id = was
        moment = from_ms(at_ms)
        return ContactWithdrawn(**common, event_id=event_id, occurred_at=moment, received_at=moment, conversation_id=conversation_id)

    def _moment(self, event: EventPlan, row: Row) -> int:
        at_ms = event.at(row)
        if at_ms is None:
            raise BadRecordError("missing_value", f"{event.name}: no moment {event.at_origin}; permitted: a value, or a when without it")
        if at_ms < MIN_TIME_MS:
            raise BadRecordError("time_too_old", f"{event.name} {event.at_origin}: before the year 2000 a clock was not set")
        if at_ms > to_ms(self._now()) + MAX_AHEAD_MS:
            raise BadRecordError("time_in_future", f"{event.name} {event.at_origin}: more than {_MAX_AHEAD_MINUTES} minutes after now")
        return at_ms

    def _event(self, event: EventPlan, row: Row, common: dict[str, Any]) -> Event:
        content = dict(common)
        for field in event.fields:
            value = field.read(row)
            if value is None:
                if field.required:
                    raise BadRecordError("missing_value", _missing(event, field, keyed=row.keyed is not None))
                continue
            content[field.name] = from_ms(value) if field.kind == "time" else value
        try:
            return event.model.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            origin = next((field.origin for field in event.fields if field.name == name), "as the mapping has it")
            raise BadRecordError("not_permitted", f"{event.name}: {name} {origin}: {error_text(first)}") from None


def _missing(event: EventPlan, field: FieldPlan, *, keyed: bool) -> str:
    if field.name in KEYED and not keyed:
        return f"{event.name}: no {field.name}: there is no key to hash it with"
    return f"{event.name}: no {field.name} {field.origin}; permitted: a value, or a when without it"


def _content_of(record: Record) -> bytes:
    """Return the bytes of a record and of its joined rows."""
    return (
        record.raw if not record.joined else b"\0".join([record.raw, *(joined.raw for rows in record.joined.values() for joined in rows)])
    )


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=12).digest()
