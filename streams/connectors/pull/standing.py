"""How a platform is asked, what became of it, and how the source stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["RunSettings", "Standing", "Stands", "Summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a platform is asked."""

    #: Between two rounds; None for what the platform's file says.
    poll_seconds: float | None = None
    heartbeat_seconds: float = 10.0
    #: The pauses after failures: the first, and the longest, to which they double. Each is up to a half shorter, by chance.
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 300.0
    #: Where a first start begins; None for a day before it.
    since: datetime | None = None
    site: str | None = None


@dataclass(slots=True)
class Summary:
    """What became of the answers."""

    #: Answers, or connections over which all that is open was told.
    pages: int = 0
    records: int = 0
    events: int = 0
    rejected: int = 0
    ignored: int = 0
    failures: int = 0


@dataclass(slots=True)
class Standing:
    """How the source stands."""

    #: Why the platform, or Kafka, cannot be reached, as it is counted; None while all is well.
    trouble: str | None = "starting"
    detail: str = ""
    complete_through: datetime | None = None


class Stands(Protocol):
    """What runs a source and says how that stands."""

    standing: Standing
