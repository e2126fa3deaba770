"""Records of the topic in which workers report that they are alive."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["WorkerHeartbeat"]


class WorkerHeartbeat(BaseModel):
    """One worker at one moment, the broker's timestamp of the record."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    kind: Literal["worker"] = "worker"
    worker: str = Field(description="id of the process; another after each start")
    instance_id: str | None = Field(default=None, description="its name through restarts (static membership)")
    member_id: str | None = Field(description="its member of the consumer group; empty while it has none; null: it shuts down")
    going_on: dict[str, list[int]] = Field(
        description="source topic → the partitions that it counts now; none while it restores, rebalances or hangs"
    )
    restoring: bool = Field(default=False, description="it reads its state after a start or a rebalance, and counts afterwards")
