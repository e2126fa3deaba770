"""What is known of a source of events by its name, as the configuration file says it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.configuration.base import Model

__all__ = ["Source"]


class Source(Model):
    """What is expected of one source."""

    silence_seconds: int | None = Field(default=None, ge=5, le=2_592_000)
    """How long it may send neither an event nor a heartbeat of its own until it is shown as silent, such as 50400 for a desk that is
    closed for 14 hours; heard once, it is shown for good. By default `source_timeout_seconds`, or `silence_seconds` of `counting` while a
    gateway is there for it."""
    delivery: Literal["live", "journal"] = "live"
    """`live`: it tells within seconds. `journal`: exports, records after the fact, systems that are asked now and then. What a journal
    brings is never late, and changes the figures of its time, up to two days back; no other source waits for it."""
