"""What is known of a source of events by its name, as the configuration file says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from streams.catalogue.kpis import KPI_BY_ID
from streams.catalogue.sheets import sheet_kind_of
from streams.configuration.base import Model, nearest, refuse

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
    not_reported: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Figures that it has nothing for, such as `non_response`: ids of [metrics](metrics.md). Where every source that feeds a queue or team
    (its `sources`, else all that stand here) says so, the figure is null there and not 0; so it is for a larger scope where it is for all.
    `contact-streams connectors show NAME` prints them."""

    @field_validator("not_reported", mode="after")
    @classmethod
    def _are_figures(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            kpi = KPI_BY_ID.get(name)
            if kpi is None or sheet_kind_of(kpi) not in {"contacts", "people"}:
                raise refuse(f"{name!r} is no figure of windows of contacts or agents; metrics.md lists them{nearest(name, KPI_BY_ID)}")
        return given
