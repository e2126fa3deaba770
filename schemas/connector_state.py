"""Records of connector-state: how far a connector that asks its platform has come, and what it last saw of each record."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ConnectorRecord", "CursorRecord", "SeenRecord"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)
    source: str = Field(description="as in its events")


class CursorRecord(_Model):
    """Where a connector goes on to ask; in one transaction with the events of what it had been answered."""

    kind: Literal["cursor"] = "cursor"
    cursor: dict[str, Any] = Field(description="the platform's own words for the place")
    complete_through_ms: int | None = Field(default=None, description="nothing that occurred before this is still to come")
    pages: int = Field(ge=0, description="answers taken so far")


class SeenRecord(_Model):
    """What a connector that compares keeps of a record of its platform; an empty value forgets it."""

    kind: Literal["seen"] = "seen"
    key: str = Field(description="the record's, within the source")
    seen: dict[str, Any] = Field(description="as the connector wrote it; holds nothing personal")
    touched_ms: int = Field(description="when the platform last told of it, to a day: what is not told of for long is forgotten")


ConnectorRecord = Annotated[CursorRecord | SeenRecord, Field(discriminator="kind")]
"""Any record of the topic."""
