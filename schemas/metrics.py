"""Records of the metric topics: one window of one scope, or the progress of one partition."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.judged import BUCKETS_HELP, BeyondLimits

__all__ = [
    "DefinitionFigures",
    "FigureValue",
    "MetricRecord",
    "NowFigures",
    "OtherFigures",
    "ProgressFigures",
    "QuarantinedSource",
    "ScopeKind",
    "WindowFigures",
]

ScopeKind = Literal["queue", "department", "business", "site", "team", "total"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class FigureValue(_Model):
    """One KPI with its parts; times in seconds, ratios 0 to 1, null where it is unknown."""

    value: float | None
    numerator: float | None = None
    denominator: float | None = None
    coverage: float | None = Field(default=None, description="measured ÷ all, 0 to 1; null where it does not apply")


class _Scoped(_Model):
    scope_kind: ScopeKind
    scope: str = Field(description="name of the queue, department, business, site or team; 'all' for the total")
    channel: str | None = Field(description="null for figures about agents")
    as_of: str = Field(description="RFC 3339: the newest instant that the figures include")
    complete_through: str | None = Field(
        description="RFC 3339: nothing earlier is still to come; null while part of the stream has reported nothing"
    )
    revision: int = Field(ge=1, description="grows with every record of the same key; ignore lower ones")


class OtherFigures(_Model):
    """The same KPIs, counted in another way."""

    kpis: dict[str, FigureValue]


class WindowFigures(_Scoped):
    """The KPIs of one window."""

    kind: Literal["window"] = "window"
    window: str = Field(
        description="trailing_5m, trailing_15m, trailing_30m, trailing_60m, interval_5m, interval_15m, interval_30m, interval_60m, day"
    )
    window_start: str
    window_end: str
    final: bool = Field(
        description="all its contacts are decided: only late events, or later facts of the contacts, such as a resolution, change it"
    )
    late_events: int = Field(ge=0)
    definitions: dict[str, str] = Field(
        description="KPI id → definition@version; of larger scopes whose queues are judged differently all of them, the default first"
    )
    kpis: dict[str, FigureValue]
    by_definition: dict[str, dict[str, FigureValue]] | None = Field(
        default=None,
        description="definition@version → KPI id → figure, of the definitions beside the first, where its meaning differs",
    )
    by_label: dict[str, dict[str, FigureValue]] = Field(
        default_factory=dict,
        description="KPI id → label (a reason, a category) → figure; at most 100 labels a KPI, the others together as '(other)'",
    )
    counts: dict[str, int] = Field(description="the sums behind the KPIs; times in milliseconds; they add up over windows of one scope")
    by_outcome: OtherFigures | None = Field(
        default=None,
        description="intervals and days of contacts, if configured: by the time of outcomes, whenever the contacts were offered",
    )
    exceptions: list[str] | None = Field(
        default=None, description="intervals and days: names of the calendar exceptions that touch it; absent without"
    )
    without_exceptions: OtherFigures | None = Field(
        default=None, description="days with exceptions: from their cells that no exception touches"
    )


class DefinitionFigures(_Model):
    """One version of a definition, as it was first used; written once."""

    kind: Literal["definition"] = "definition"
    name: str
    version: int = Field(ge=1)
    effective_from: str | None = Field(description="RFC 3339: it judges windows that begin at or after this; null for the first version")
    known_since: str | None = Field(
        description="RFC 3339: nor does it judge windows that begin before this; null where the stream has had it from the beginning"
    )
    content: dict[str, Any] = Field(description="the keys of docs/configuration.md, service level")
    revision: int = Field(ge=1)


class NowFigures(_Scoped):
    """The present state at ``as_of``."""

    kind: Literal["now"] = "now"
    waiting: int | None = Field(default=None, ge=0)
    waiting_since: str | None = Field(
        default=None, description="RFC 3339: entry of the longest-waiting contact; longest wait = as-of − this"
    )
    longest_wait_seconds: float | None = Field(default=None, ge=0, description="at as_of; null if no contact waits")
    in_progress: int | None = Field(default=None, ge=0)
    waiting_past_threshold: int | None = Field(default=None, ge=0, description="waiting longer than the service level threshold, at as_of")
    callbacks_waiting: int | None = Field(default=None, ge=0, description="callbacks pending")
    callbacks_overdue: int | None = Field(default=None, ge=0, description="of these, due before as_of")
    backlog_untouched: int | None = Field(default=None, ge=0, description="reply channels only, like all of the backlog")
    backlog_in_progress: int | None = Field(default=None, ge=0)
    backlog_waiting_on_customer: int | None = Field(default=None, ge=0)
    backlog_on_hold: int | None = Field(default=None, ge=0)
    backlog_oldest_since: str | None = Field(default=None, description="RFC 3339: earliest start in the backlog; oldest = as-of − this")
    backlog_oldest_seconds: float | None = Field(default=None, ge=0, description="at as_of; null without a backlog")
    backlog_by_age: dict[str, int] | None = Field(
        default=None, description="0-4h, 4-24h, 1-3d, 3-7d, over-7d → contacts of the backlog, at as_of, by starts rounded down to the hour"
    )
    reply_overdue: int | None = Field(
        default=None, ge=0, description="customers waiting for a reply that was due before as_of; null where replies have no target"
    )
    agents_by_state: dict[str, int] | None = None


class QuarantinedSource(_Model):
    """A source that is quarantined on some partition, because it exceeded its limits or an operator ordered it."""

    reason: str = Field(description="bad_records, late_records, operator; of the partition where it began first")
    since: str = Field(description="RFC 3339")
    partitions: int = Field(ge=1, description="of all event topics")
    records: int = Field(ge=0, description="dead letters since")


class ProgressFigures(_Model):
    """How far one partition of queue-panes is rolled up; written once a second while sources are alive."""

    kind: Literal["progress"] = "progress"
    pane_partition: int
    as_of: str | None
    complete_through: str | None
    stale_sources: list[str]
    sources: dict[str, str] = Field(description="source → RFC 3339 of its last sign of life (received_at)")
    quarantined_sources: dict[str, QuarantinedSource] = Field(
        default_factory=dict,
        description=f"source → why it is quarantined; absent without. {BUCKETS_HELP}",
    )
    beyond_limits: BeyondLimits
    journals: dict[str, str] = Field(default_factory=dict, description="journal → RFC 3339 of how far it is complete; absent without")
    revision: int = Field(ge=1)


#: `schemas.topics` has the keys of these records; a reader treats them as opaque.
MetricRecord = Annotated[WindowFigures | NowFigures | ProgressFigures | DefinitionFigures, Field(discriminator="kind")]
