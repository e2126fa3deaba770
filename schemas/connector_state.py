"""Records of connector-state: how far a connector has polled its platform, and the last content of each record it saw."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ConnectorRecord", "CursorRecord", "SeenRecord"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)
    source: str = Field(description="as in its events")


class CursorRecord(_Model):
    """Where a connector continues to poll; in one transaction with the events of the answers before."""

    kind: Literal["cursor"] = "cursor"
    cursor: dict[str, Any] = Field(description="the position, in the platform's own terms")
    complete_through_ms: int | None = Field(default=None, description="nothing that occurred before this is still to come")
    pages: int = Field(ge=0, description="answers read so far")


class SeenRecord(_Model):
    """A record of the platform as a connector that compares last saw it; an empty value deletes it."""

    kind: Literal["seen"] = "seen"
    key: str = Field(description="the record's, within the source")
    seen: dict[str, Any] = Field(description="as the connector wrote it; holds nothing personal")
    touched_ms: int = Field(description="when the platform last reported it, to a day: records not reported for long are deleted")


ConnectorRecord = Annotated[CursorRecord | SeenRecord, Field(discriminator="kind")]
"""Any record of the topic."""
