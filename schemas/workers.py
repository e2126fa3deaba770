"""Records of the topic in which workers say that they are alive."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["WorkerHeartbeat"]


class WorkerHeartbeat(BaseModel):
    """One worker at one moment; the broker's time of the record says when."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    kind: Literal["worker"] = "worker"
    worker: str = Field(description="names the process; another after each start")
    instance_id: str | None = Field(default=None, description="its name through restarts (static membership)")
    member_id: str | None = Field(description="its member of the consumer group; empty while it has none; null: it ends in order")
    going_on: dict[str, list[int]] = Field(
        description="source topic → the partitions that it counts now; none while it restores, stands in a rebalance, or hangs"
    )
    restoring: bool = Field(default=False, description="it reads its state, after a start or a rebalance, and counts once it has")
