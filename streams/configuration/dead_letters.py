"""How many records may be set aside before the worker stops; what the limits mean is in ``docs/operations.md``."""

from __future__ import annotations

from pydantic import Field

from streams.configuration.base import Model

__all__ = ["DeadLetterLimits"]


class DeadLetterLimits(Model):
    """Limits of one source partition; 0 or null turns one off."""

    max_run: int | None = Field(default=1_000, ge=0)
    """So many records in a row may be bad: more than one bad batch of a sender, less than a sender that has changed for good."""
    max_ratio: float | None = Field(default=0.5, ge=0, lt=1)
    """Such a share of the last `ratio_window` records may be bad; not judged before there have been as many."""
    # Kept exactly, a bit a record and reason: the bound holds the row small that is written with each flush.
    ratio_window: int = Field(default=10_000, ge=100, le=100_000)
    """How many records `max_ratio` looks back on."""
