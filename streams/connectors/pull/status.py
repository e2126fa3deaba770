"""How to poll a platform, what became of its records, and the status of the source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["HasStatus", "RunSettings", "SourceStatus", "Summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How to poll a platform."""

    #: Between two polls; None for the default of the platform.
    poll_seconds: float | None = None
    heartbeat_seconds: float = 10.0
    #: Pauses after failures double from the first to the longest. Each is up to a half shorter, by chance.
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 300.0
    #: Where a first start begins; None for a day before it.
    since: datetime | None = None
    site: str | None = None


@dataclass(slots=True)
class Summary:
    """What became of the records."""

    #: Answers, or connections that reported all that is open.
    pages: int = 0
    records: int = 0
    events: int = 0
    rejected: int = 0
    ignored: int = 0
    failures: int = 0


@dataclass(slots=True)
class SourceStatus:
    """The status of a source."""

    #: Why the platform, or Kafka, cannot be reached, as metrics count it; None while both can.
    trouble: str | None = "starting"
    detail: str = ""
    complete_through: datetime | None = None


class HasStatus(Protocol):
    """Runs a source, and has its status."""

    status: SourceStatus
