"""Changes of the FAQ in the configuration file; ``docs/judging.md`` explains their figures."""

from __future__ import annotations

from pydantic import Field

from streams.configuration.base import Model, Name
from streams.configuration.definitions import Instant, effective_ms

__all__ = ["FaqChange"]


class FaqChange(Model):
    """A change in the FAQ or the bot, for one category."""

    at: Instant
    """When it was changed; the local day of `default_zone` that holds it counts on neither side."""
    category: str = Field(min_length=1, max_length=200)
    """The category of the sessions that it was to improve."""
    name: Name
    """Its name in the answer."""
    days: int = Field(default=7, ge=1, le=14)
    """How many days before and after it are compared at most; records of figures are retained for 30 days."""

    @property
    def at_ms(self) -> int:
        """``at`` in ms."""
        return effective_ms(self.at)
