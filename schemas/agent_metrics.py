"""Records of the topics of agents: the figures of one agent in one interval or day, where the agent's site permits them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.metrics import FigureValue, OtherFigures

__all__ = ["AgentFigures"]


class AgentFigures(BaseModel):
    """The KPIs of one agent in one interval or day."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    kind: Literal["window"] = "window"
    scope_kind: Literal["agent"] = "agent"
    scope: str = Field(description="name of the agent in the configuration")
    channel: None = None
    as_of: str = Field(description="RFC 3339: the newest instant that the figures include")
    complete_through: str | None = Field(
        description="RFC 3339: nothing earlier is still to come; null while part of the stream has reported nothing"
    )
    revision: int = Field(ge=1, description="grows with every record of the same key; ignore lower ones")
    window: str = Field(description="interval_15m, interval_30m, day, and further intervals as configured")
    window_start: str
    window_end: str
    final: bool = Field(description="only late events could change it, and they do not")
    late_events: int = Field(ge=0)
    definitions: dict[str, str]
    kpis: dict[str, FigureValue]
    counts: dict[str, int] = Field(description="the sums behind the KPIs; times in milliseconds; they add up over windows of one agent")
    exceptions: list[str] | None = Field(default=None, description="names of the calendar exceptions that touch it; absent without")
    without_exceptions: OtherFigures | None = Field(
        default=None, description="days with exceptions: from their cells that no exception touches"
    )
