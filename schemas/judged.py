"""Fields of progress records about the judging of sources, of one partition and of all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = ["BUCKETS_HELP", "BeyondLimits"]

#: Names among the quarantined sources that are no sources.
BUCKETS_HELP = "`(unreadable)` counts records that name no source, `(other)` sources beyond the number that are judged one by one"

BeyondLimits = Annotated[
    dict[str, dict[str, int]],
    Field(
        default_factory=dict,
        description="source → queue, category, team, site → events whose name counts as `(other)`; channel → events "
        "that count so for a channel that the queue is not for; conversation, person → events that became dead letters because the source "
        "has too many of these in state; snapshot → snapshots ignored: beyond six within a minute, or with too many ids; absent without",
    ),
]
"""Events of each source beyond its limits."""
