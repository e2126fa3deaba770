"""Limits of a source before it is quarantined; ``docs/operations.md`` explains them."""

from __future__ import annotations

from pydantic import Field

from streams.configuration.base import Model

__all__ = ["DeadLetterLimits", "SourceLimits"]


class DeadLetterLimits(Model):
    """Limits of one source on one partition: beyond them it is quarantined there; 0 or null turns one off."""

    max_run: int | None = Field(default=1_000, ge=0)
    """How many records of a source in a row may be bad: more than one bad batch, less than a sender that has changed for good."""
    max_ratio: float | None = Field(default=0.5, ge=0, lt=1)
    """The share of the last `ratio_window` records of a source that may be bad."""
    ratio_window: int = Field(default=10_000, ge=100, le=100_000)
    """How many records of a source `max_ratio` covers, to a twentieth; those before its first count as good."""


class SourceLimits(Model):
    """Further limits of one source on one partition: one that sends to 8 partitions may reach each 8 times. 0 or null turns one off."""

    max_late_ratio: float | None = Field(default=0.9, ge=0, lt=1)
    """The share of the last `late_window` events of a source that may be late: more than after an outage."""
    late_window: int = Field(default=20_000, ge=100, le=1_000_000)
    """How many events of a source `max_late_ratio` covers, to a twentieth; those before its first count as in time."""
    max_new_queues: int | None = Field(default=24, ge=0, le=10_000)
    """On each partition, how many queues of a source that are not configured count by name; further ones count as
    `(other)`. The same limit holds for pairs of a queue and a channel that it is not configured for."""
    max_new_categories: int | None = Field(default=50, ge=0, le=10_000)
    """The same of categories, per source and partition."""
    max_new_teams: int | None = Field(default=24, ge=0, le=10_000)
    """On each partition, how many teams of a source that are not configured count by name."""
    max_new_sites: int | None = Field(default=24, ge=0, le=10_000)
    """The same of sites, per source and partition."""
    names_idle_hours: int = Field(default=168, ge=72, le=8_760)
    """A name without an event for this long makes room for another, and a scope without one is no longer shown,
    unless it is configured; longer than any day is still revised."""
    max_contacts: int | None = Field(default=50_000, ge=0)
    """How many contacts of a source are stored on each partition, open or over for less than `closed_retention_seconds`; events that begin
    further ones become dead letters."""
    max_contact_events: int | None = Field(default=500_000, ge=0)
    """How many events of these contacts are stored, per source and partition."""
    max_people: int | None = Field(default=5_000, ge=0)
    """How many agents of a source are stored on each partition."""
    max_people_events: int | None = Field(default=200_000, ge=0)
    """How many states and plans of these agents that may still change something are stored, per source and partition."""
