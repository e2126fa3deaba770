"""What records of progress say of how sources are judged, on one partition and of all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = ["BUCKETS_HELP", "BeyondLimits"]

#: Names among the quarantined that are no sources.
BUCKETS_HELP = "`(unreadable)` stands for records that name no source, `(other)` for sources that are too many to be judged each by itself"

BeyondLimits = Annotated[
    dict[str, dict[str, int]],
    Field(
        default_factory=dict,
        description="source → queue, category, team, site → how many events named one that counts as `(other)`; channel → how many "
        "count so for a channel that the queue is not for; conversation, person → how many became dead letters because too much of these "
        "is kept of it; snapshot → how many were passed over: of more than six within a minute, or with too many ids; absent without",
    ),
]
"""How much of a source was beyond its limits."""
