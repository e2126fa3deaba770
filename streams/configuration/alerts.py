"""Alert rules of the configuration file; what they mean is in ``docs/counting.md`` section 10."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.base import Channel
from streams.catalogue.kpis import KPI_BY_ID

__all__ = ["AlertRule", "ScopePattern"]

ScopePattern = Annotated[str, Field(pattern=r"^(queue|department|business|site|team|total):.+$")]

_DEFAULT_WINDOW = "trailing_15m"


class AlertRule(BaseModel):
    """A figure beyond a threshold for long enough, with enough contacts behind it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kpi: str = "service_level_live"
    #: Trailing for KPIs of windows, null for a figure of now.
    window: str | None = None
    below: float | Literal["target"] | None = None
    above: float | None = None
    clear_at: float | None = None
    for_seconds: int = Field(default=60, ge=0, le=86_400)
    clear_for_seconds: int = Field(default=60, ge=0, le=86_400)
    minimum_contacts: int = Field(default=0, ge=0)
    severity: Literal["warning", "critical"] = "warning"
    scopes: Annotated[tuple[ScopePattern, ...], Field(min_length=1)] = ("queue:*",)
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        """Fill in the window and the least number of contacts that suit the KPI."""
        if not isinstance(data, dict):
            return data
        kpi = KPI_BY_ID.get(data.get("kpi", "service_level_live"))
        if kpi is None or "now" in kpi.windows:
            return data
        filled = {"window": _DEFAULT_WINDOW, **data}
        if kpi.has_parts:
            filled.setdefault("minimum_contacts", 10)
        return filled

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> AlertRule:
        kpi = KPI_BY_ID.get(self.kpi)
        if kpi is None:
            msg = f"unknown kpi {self.kpi!r}: one of {', '.join(KPI_BY_ID)}"
            raise ValueError(msg)
        if (self.below is None) == (self.above is None):
            msg = "say either below or above"
            raise ValueError(msg)
        if "now" in kpi.windows and self.window is not None:
            msg = f"{self.kpi} is a figure of now and has no window"
            raise ValueError(msg)
        if self.minimum_contacts and not kpi.has_parts:
            msg = f"{self.kpi} is a count: minimum_contacts has nothing to go by"
            raise ValueError(msg)
        if self.below == "target" and self.clear_at is not None:
            msg = "clear_at cannot go with below: target, which differs from queue to queue"
            raise ValueError(msg)
        if isinstance(self.below, float) and self.clear_at is not None and self.clear_at < self.below:
            msg = f"clear_at {self.clear_at} must not be below {self.below}"
            raise ValueError(msg)
        if self.above is not None and self.clear_at is not None and self.clear_at > self.above:
            msg = f"clear_at {self.clear_at} must not be above {self.above}"
            raise ValueError(msg)
        return self
