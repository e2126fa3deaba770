"""How customers are counted: the settings of ``docs/counting.md`` section 16."""

from __future__ import annotations

from pydantic import Field

from streams.configuration.base import Model

__all__ = ["CustomerSettings"]


class CustomerSettings(Model):
    """Settings of figures about customers."""

    repeat_days: int = Field(default=7, ge=1, le=31)
    """A contact is repeated if the same customer makes contact again within this many days; until then the figure is provisional."""
    order_window_days: int = Field(default=90, ge=1, le=366)
    """How many days of orders decide who is a repeat customer."""
    currency: str = Field(default="JPY", pattern="^[A-Z]{3}$")
    """The currency of lifetime values, by ISO 4217; orders in others are not added and lower the coverage."""
    retention_days: int = Field(default=730, ge=1, le=3_650)
    """An inactive customer without an event for longer is deleted."""
