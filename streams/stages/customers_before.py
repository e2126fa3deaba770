"""Migration of customers from the last release, which held them in one partition, to the home partitions of their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from msgspec.json import encode

from streams.engine.stage import Flush, Output
from streams.stages.counters import StageCounters
from streams.stages.customer_progress import progress_outputs
from streams.tracking.customer_facts import contact_name, customer_partition
from streams.tracking.spaces import MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streams.engine.stage import Record, Row
    from streams.stages.customers import CustomerTopics

__all__ = ["CustomersBeforeStage"]

#: Customers, and bytes of their rows, that a flush moves.
_AT_ONCE = 5_000
_BYTES_AT_ONCE = 16_000_000
_DONE = b"done"
#: Beyond the time of any fact: the moved customers are complete.
_EVER_MS = 253_402_300_799_000


class CustomersBeforeStage:
    """Reads state and facts of the last release to their ends, moves all rows once, and publishes that they are complete.

    A flush removes the rows that it moves from the state, so a restart continues where the last flush ended. Facts that were not
    counted are moved as rows too. The receiver uses a row where it has nothing newer about a contact or event.
    """

    def __init__(self, topics: CustomerTopics, counters: StageCounters | None = None) -> None:
        self._topics = topics
        self.counters = counters if counters is not None else StageCounters()
        #: shown in the flow's table: rows that are not moved yet
        self.rows: dict[str, bytes] = {}
        self._others: list[bytes] = []
        #: facts that were not counted, the last of each key
        self._facts: list[dict[str, Any]] = []
        self._done = self._linked = self._published = False

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Restore the state, then the facts that are still in their topic, the last of each key."""
        if topic == self._topics.before:
            if not self._done:
                self._facts = [orjson.loads(value) for _, value in rows]
                self._catch_up()
            return
        for key, value in rows:
            if key == _DONE:
                self._done = True
            elif key.startswith(b"s|"):
                self.rows[key[2:].decode()] = value
            else:
                self._others.append(key)

    def _catch_up(self) -> None:
        """Merge the facts that were not counted into the rows."""
        contacts = {_name(fact): fact for fact in self._facts if fact["kind"] == "contact"}
        if contacts:
            for key, value in list(self.rows.items()):
                row = orjson.loads(value)
                stale = [name for name in row.get("contacts", {}) if name in contacts]
                if stale:
                    for name in stale:
                        del row["contacts"][name]
                    self.rows[key] = encode(row)
        for name, fact in contacts.items():
            if not fact.get("gone"):
                fields = [fact["queue"], fact["channel"], fact["category"], fact["resolved"], fact["first_contact"]]
                self._put(fact["customer_key"], "contacts", contact_name(name), [fact["start_ms"], *fields])
        for fact in self._facts:
            key, at, space = fact.get("customer_key", ""), fact.get("at_ms", 0), MARK + fact["id_space"] if "id_space" in fact else ""
            if fact["kind"] == "order":
                order_id = None if fact["order_id"] is None else fact["order_id"] + space
                self._put(key, "orders", fact["event_id"] + space, [at, order_id, fact["value_milli"], fact["currency"]])
            elif fact["kind"] == "cancellation":
                self._put(key, "cancellations", fact["event_id"] + space, [at, fact["order_id"] + space])
            elif fact["kind"] == "status":
                self._put(key, "statuses", fact["event_id"] + space, [at, fact["sequence"], fact["active"]])
            elif fact["kind"] == "link":
                self._put(key, "links", fact["event_id"] + space, [at, fact["linked_key"]])
        self._facts = []

    def _put(self, key: str, kind: str, name: str, content: list[Any]) -> None:
        row = orjson.loads(self.rows.get(key, b'{"base":[null,0]}'))
        if not row.get("overfull") or kind == "links":
            row.setdefault(kind, {}).setdefault(name, content)
            self.rows[key] = encode(row)

    def process(self, records: Sequence[Record]) -> None:
        """Accept no record: a worker of the last release still runs and would count twice."""
        if records:
            raise RuntimeError(
                f"A worker of the last release still writes to {self._topics.before}. Stop all of them, then start this one again."
            )

    def collect(self) -> Flush:
        """Move some customers; with the last of them, publish that all are moved."""
        if self._published:
            return Flush()
        topics, flush, size = self._topics, Flush(), 0
        if not self._linked:
            self._linked = True
            flush.outputs += self._links()
        while self.rows and len(flush.rows) < _AT_ONCE and size < _BYTES_AT_ONCE:
            key, value = self.rows.popitem()
            size += len(value)
            row = orjson.loads(value)
            row.pop("links", None)
            moved = {"kind": "moved", "customer_key": key, "row": row}
            partition = customer_partition(key, topics.partitions)
            flush.outputs.append(Output(topics.facts, partition, f"moved|{key}".encode(), encode(moved)))
            flush.rows.append((b"s|" + key.encode(), None))
        if not self.rows:
            self._published = True
            done: list[Row] = [] if self._done else [(_DONE, b"true"), *((key, None) for key in self._others)]
            flush.rows += done
            flush.outputs += progress_outputs((topics.before, 0), topics.fact_parts(), _EVER_MS)
        flush.more = not self._published
        return flush

    def _links(self) -> Iterator[Output]:
        """Yield all links, the earliest first: those win where links would join too many keys."""
        links = (
            (at, key, other, name)
            for key, value in self.rows.items()
            if b'"links"' in value
            for name, (at, other) in orjson.loads(value).get("links", {}).items()
        )
        for at, key, other, name in sorted(links):
            link = {"kind": "link", "event_id": name, "customer_key": key, "linked_key": other, "at_ms": at}
            yield Output(self._topics.links, 0, f"link|{name}".encode(), encode(link))


def _name(fact: dict[str, Any]) -> str:
    name: str = fact["conversation_id"]
    return name + MARK + fact["id_space"] if "id_space" in fact else name
