"""Expectations of a source of events, by its name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from streams.catalogue.kpis import KPI_BY_ID
from streams.catalogue.sheets import sheet_kind_of
from streams.configuration.base import Model, nearest, refuse

__all__ = ["Source"]


class Source(Model):
    """Expectations of one source."""

    silence_seconds: int | None = Field(default=None, ge=5, le=2_592_000)
    """How long it may send neither an event nor a heartbeat of its own until it is shown as silent, such as 50400 for a desk that is
    closed for 14 hours; once seen, it is always shown. By default `source_timeout_seconds`, or `silence_seconds` of `counting` while a
    gateway reports for it."""
    delivery: Literal["live", "journal"] = "live"
    """`live`: it reports within seconds. `journal`: exports, records after the fact, systems that are polled now and then. Events of a
    journal are never late, and change the figures of their time, up to two days back; the journal delays no other source."""
    not_reported: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Figures that it does not report, such as `non_response`: ids of [metrics](metrics.md). If every source that feeds a queue or team
    (its `sources`, else all entries here) lists a figure, it is null there and not 0; for a larger scope, if it is null for all its parts.
    `contact-streams connectors show NAME` prints them."""

    @field_validator("not_reported", mode="after")
    @classmethod
    def _are_figures(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            kpi = KPI_BY_ID.get(name)
            if kpi is None or sheet_kind_of(kpi) not in {"contacts", "people"}:
                raise refuse(f"{name!r} is no figure of windows of contacts or agents; metrics.md lists them{nearest(name, KPI_BY_ID)}")
        return given
