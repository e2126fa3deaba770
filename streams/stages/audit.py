"""What a track stage decides about sources, for the audit: in the transaction that moves the offset beyond the record that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.audit import Action, Actor, AuditObject, AuditRecord, encode_audit
from schemas.times import from_ms
from streams.engine.stage import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.engine.stage import Record
    from streams.tracking.quarantine import Quarantine

__all__ = ["Decisions"]

_WORKER = Actor(kind="process", name="worker")


class _Decision(NamedTuple):
    offset: int
    at_ms: int
    action: Action
    source: str
    reason: str


class Decisions:
    """Those of one partition since the last flush.

    Args:
        topic: of the audit; empty: nowhere.
        place: topic and partition of the records that decide.
        consumer_group: says which worker.
    """

    def __init__(self, topic: str, place: tuple[str, int], consumer_group: str) -> None:
        self._topic = topic
        self._place = place
        self._consumer_group = consumer_group
        self._released: list[_Decision] = []

    def released(self, source: str, record: Record, reason: str, why: str) -> None:
        """Take note that a source counts again."""
        self._released.append(_Decision(record.offset, record.timestamp, "source_released", source, _said(reason, why)))

    def outputs(self, quarantine: Quarantine) -> Iterator[Output]:
        """Yield a record for each decision, in their order, and forget them."""
        if not quarantine.begun and not self._released:
            return
        decided = self._released + [
            _Decision(apart.offset, apart.since_ms, "source_quarantined", source, _said(apart.reason, apart.detail))
            for source, apart in quarantine.begun
        ]
        self._released = []
        quarantine.begun.clear()
        if self._topic:
            yield from map(self._output, sorted(decided))

    def _output(self, decision: _Decision) -> Output:
        topic, partition = self._place
        record = AuditRecord(
            # It follows from the record: a worker that decides the same again says the same.
            audit_id=f"{topic}/{partition}/{decision.offset}/{decision.action}/{decision.source}",
            at=from_ms(decision.at_ms),
            action=decision.action,
            outcome="done",
            actor=_WORKER,
            about=AuditObject(source=decision.source, topic=topic, partition=partition, offset=decision.offset),
            reason=decision.reason,
            instance=self._consumer_group,
        )
        return Output(self._topic, 0, *encode_audit(record))


def _said(reason: str, detail: str) -> str:
    return f"{reason}: {detail}" if detail else reason
