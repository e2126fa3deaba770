"""The audit topic in memory, as it is read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from schemas.audit import AuditRecord, encode_audit
from streams.serving.audit.log import AuditLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["HeldAuditLog"]


class HeldAuditLog(AuditLog):
    """Reads records that a test holds, in place of Kafka."""

    def __init__(self, records: list[AuditRecord]) -> None:
        super().__init__("127.0.0.1:9", "none")
        self.held: list[Any] = [SimpleNamespace(offset=index, value=encode_audit(each)[1]) for index, each in enumerate(records)]

    async def _batches(self, since_ms: int | None, offset: int | None, *, follow: bool) -> AsyncIterator[list[Any]]:
        assert not follow
        if rest := self.held[offset or 0 :]:
            yield rest
