"""Audit records of a track stage's decisions about sources, in the transaction that commits the deciding record."""

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
    """The decisions of one partition since the last flush.

    Args:
        topic: of the audit; empty: no audit.
        partition: topic and partition of the deciding records.
        consumer_group: of the worker.
    """

    def __init__(self, topic: str, partition: tuple[str, int], consumer_group: str) -> None:
        self._topic = topic
        self._partition = partition
        self._consumer_group = consumer_group
        self._released: list[_Decision] = []

    def released(self, source: str, record: Record, reason: str, why: str) -> None:
        """Record that a source is released from quarantine."""
        self._released.append(_Decision(record.offset, record.timestamp, "source_released", source, _reason_text(reason, why)))

    def outputs(self, quarantine: Quarantine) -> Iterator[Output]:
        """Yield a record for each decision, in order, and drop the decisions."""
        if not quarantine.begun and not self._released:
            return
        decided = self._released + [
            _Decision(
                quarantined.offset, quarantined.since_ms, "source_quarantined", source, _reason_text(quarantined.reason, quarantined.detail)
            )
            for source, quarantined in quarantine.begun
        ]
        self._released = []
        quarantine.begun.clear()
        if self._topic:
            yield from map(self._output, sorted(decided))

    def _output(self, decision: _Decision) -> Output:
        topic, partition = self._partition
        record = AuditRecord(
            # Derived from the record, so a worker that processes it again writes the same id.
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


def _reason_text(reason: str, detail: str) -> str:
    return f"{reason}: {detail}" if detail else reason
