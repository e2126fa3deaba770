"""Records of queue-panes: the absolute state of a pane, of a cell, of now, or of the progress of one source partition."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.judged import BUCKETS_HELP, BeyondLimits

__all__ = [
    "CustomerProgressRecord",
    "CustomerSliceRecord",
    "NowRecord",
    "PaneRecord",
    "ProgressRecord",
    "QuarantinedOnPartition",
    "SliceRecord",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)
    source_topic: str
    source_partition: int = Field(ge=0)


class SliceRecord(_Model):
    """What one source partition counts of one scope and channel in a pane or cell, or in several panes; replaces the earlier record."""

    kind: Literal["pane", "cell", "cohort"] = Field(
        description="pane: 10 s by outcome; cell: 15 or 5 min by outcome (agents; contacts if configured); cohort: likewise by offer"
    )
    scope: str = Field(description="queue:NAME, department:NAME, business:NAME, site:NAME, team:NAME or total:all")
    channel: str | None
    start_ms: int = Field(description="of the cell, or of the first pane")
    panes: list[int] | None = Field(
        default=None,
        description="of several panes of 5 min in one record: how many panes each begins after the first; absent for one pane and cells",
    )
    counts: dict[str, int | list[int]] = Field(
        description="sums; times in milliseconds; WHAT=LABEL for a sum by reason or category; of several panes a sum for each"
    )
    answered_waits: dict[str, int] = Field(
        default_factory=dict, description="upper edge in ms (le) or inf → answered contacts; not cumulative"
    )
    abandoned_waits: dict[str, int] = Field(default_factory=dict)


class NowRecord(_Model):
    """The present state of one scope and channel, as one source partition sees it."""

    kind: Literal["now"] = "now"
    scope: str
    channel: str | None
    waiting_since_ms: list[int] = Field(default_factory=list, description="entry of every waiting contact, ascending")
    in_progress: int = 0
    callbacks_waiting: int = Field(default=0, description="callbacks pending")
    callback_due_ms: list[int] = Field(default_factory=list, description="due times of the pending callbacks that have one, ascending")
    backlog: dict[str, int] = Field(
        default_factory=dict, description="untouched, in_progress, waiting_on_customer, on_hold → conversations; reply channels only"
    )
    backlog_oldest_ms: int | None = Field(default=None, description="the earliest start of a conversation in the backlog")
    backlog_hours: list[tuple[int, int]] = Field(
        default_factory=list, description="start in full hours since the epoch, ascending, with how many of the backlog"
    )
    replies_overdue: int = Field(default=0, description="customers waiting for a reply that was due when this was written")
    reply_due_ms: list[int] = Field(default_factory=list, description="due times of all other replies, ascending")
    agents_by_state: dict[str, int] = Field(default_factory=dict)
    expires: bool = Field(
        default=False, description="a tombstone follows when the scope has had no event for long; absent in older records"
    )


class CustomerSliceRecord(_Model):
    """What one partition of customer-facts counts of a day's contacts, or at the end of a date or month."""

    kind: Literal["customer_cohort", "customer_day", "customer_month"]
    scope: str
    channel: str | None
    start_ms: int
    counts: dict[str, int]


class CustomerProgressRecord(_Model):
    """How far one partition of customer-facts is complete."""

    kind: Literal["customer_progress"] = "customer_progress"
    as_of_ms: int
    through_ms: int


class QuarantinedOnPartition(BaseModel):
    """Why the records of a source become dead letters on one partition."""

    model_config = ConfigDict(frozen=True, defer_build=True)
    reason: str = Field(description="bad_records, late_records, operator")
    since_ms: int = Field(description="Kafka's timestamp of the first quarantined record")
    records: int = Field(ge=0, description="dead letters since")


class ProgressRecord(_Model):
    """How far one source partition is complete."""

    kind: Literal["progress"] = "progress"
    progress_ms: int | None
    received_through_ms: int | None
    sources: dict[str, int] = Field(description="source → its last received_at, ms")
    stale_sources: list[str]
    quarantined_sources: dict[str, QuarantinedOnPartition] = Field(
        default_factory=dict,
        description=f"source → why it is quarantined here; {BUCKETS_HELP}",
    )
    beyond_limits: BeyondLimits
    journals: dict[str, int] = Field(default_factory=dict, description="journal → how far it is complete, ms")
    catching_up: bool = Field(default=False, description="a worker still reads records of before it took the partition: alert rules wait")
    expires: bool = Field(
        default=False, description="records of now of this source partition without `expires` are of an older version, and no longer valid"
    )
    configuration_hash: str
    fine_from_ms: int | None = Field(default=None, description="before this, cells may be of 15 min as well as 5 min")
    outcome_from_ms: int | None = Field(default=None, description="before this, cells of contacts by outcome are not complete")


#: Keys: ``kind|channel or -|source topic|source partition|start_ms or -|scope or -``.
PaneRecord = Annotated[SliceRecord | NowRecord | ProgressRecord | CustomerSliceRecord | CustomerProgressRecord, Field(discriminator="kind")]
