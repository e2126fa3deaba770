"""How many records may be set aside before the worker stops; what the limits mean is in ``docs/operations.md``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["DeadLetterLimits"]


class DeadLetterLimits(BaseModel):
    """Limits of one source partition; 0 or null turns one off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: So many records in a row may be bad: more than one bad batch of a sender, less than a sender that has changed for good.
    max_run: int | None = Field(default=1_000, ge=0)
    #: Such a share of the last ``ratio_window`` records may be bad; not judged before there have been as many.
    max_ratio: float | None = Field(default=0.5, ge=0, lt=1)
    #: Kept exactly, a bit a record and reason: the bound holds the row small that is written with each flush.
    ratio_window: int = Field(default=10_000, ge=100, le=100_000)
