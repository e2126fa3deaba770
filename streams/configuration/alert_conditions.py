"""The condition of an alert rule: one figure beyond a threshold, with enough contacts behind it (``docs/judging.md``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, model_validator

from streams.catalogue.kpis import KPI_BY_ID
from streams.configuration.base import Model, nearest

if TYPE_CHECKING:
    from streams.catalogue.kpis import Kpi

__all__ = ["DEFAULT_WINDOW", "AlertCondition", "check_condition"]

DEFAULT_WINDOW: Final = "trailing_15m"
_THRESHOLDS: Final = ("below", "above", "clear_at")
_OF_A_TARGET: Final = ("service_level", "service_level_live")
#: The least contacts behind a figure of contacts, unless the file sets another number.
_MINIMUM: Final = 10


class AlertCondition(Model):
    """A figure beyond a threshold, with enough contacts behind it."""

    kpi: str = "service_level_live"
    """The figure: an id of [metrics](metrics.md)."""
    window: str | None = None
    """The trailing window it is of, such as `trailing_5m` (default for figures of windows: `trailing_15m`); none for figures of now."""
    below: float | Literal["target"] | None = None
    """Fires below this; `target` is the queue's own. Either this or `above`."""
    above: float | None = None
    """Fires above this."""
    unit: Literal["ratio", "percent"] | None = None
    """The unit of `below`, `above` and `clear_at` of a ratio: 0.05 (default) or, with `percent`, 5."""
    clear_at: float | None = None
    """Continues to fire up to this; by default the threshold itself."""
    minimum_contacts: int = Field(default=0, ge=0)
    """With fewer contacts behind the figure nothing fires; 10 unless given, for figures that have contacts behind them."""

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        """Fill in the KPI's default window and least number of contacts."""
        if not isinstance(data, dict) or data.get("all") is not None or data.get("any") is not None:
            return data
        is_expected = data.get("expected_within_minutes") is not None
        if is_expected:
            data = {"kpi": "service_level", **data}
        kpi = KPI_BY_ID.get(str(data.get("kpi", "service_level_live")))
        if kpi is not None and kpi.unit == "ratio" and data.get("unit") == "percent":
            data = {**data, "unit": "ratio", **{name: data[name] / 100 for name in _THRESHOLDS if type(data.get(name)) in {int, float}}}
        if kpi is None or "now" in kpi.windows:
            return data
        filled = {**({} if is_expected else {"window": DEFAULT_WINDOW}), **data}
        if kpi.denominator_unit == "contacts":
            filled.setdefault("minimum_contacts", _MINIMUM)
        return filled

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> AlertCondition:
        check_condition(self)
        return self

    def threshold(self, target: float | None) -> float | None:
        """Return the threshold, given the target of the queue; None if it is the target and the queue has none."""
        if self.below == "target":
            return target
        return self.above if self.below is None else self.below


def check_condition(condition: AlertCondition, *, expected: bool = False) -> None:
    """Raise ValueError with what is permitted for a condition without meaning; ``expected`` has no window."""
    kpi = KPI_BY_ID.get(condition.kpi)
    if kpi is None:
        known = ", ".join(name for name, entry in KPI_BY_ID.items() if entry.split_by is None and entry.subject != "targets")
        msg = f"unknown kpi {condition.kpi!r}{nearest(condition.kpi, KPI_BY_ID)}; permitted: {known}"
        raise ValueError(msg)
    if kpi.subject == "targets":
        msg = f"{condition.kpi} is computed where figures are served; permitted: a rule about the figure itself"
        raise ValueError(msg)
    if kpi.split_by is not None:
        msg = f"{condition.kpi} is no single figure"
        raise ValueError(msg)
    if (condition.below is None) == (condition.above is None):
        msg = "permitted: either below or above"
        raise ValueError(msg)
    if "now" in kpi.windows and condition.window is not None:
        msg = f"{condition.kpi} is a figure of now and has no window"
        raise ValueError(msg)
    if "now" not in kpi.windows and condition.window is None and not expected:
        msg = f"{condition.kpi} needs a window, such as {DEFAULT_WINDOW}"
        raise ValueError(msg)
    if condition.minimum_contacts and kpi.denominator_unit != "contacts":
        msg = f"{condition.kpi} is not computed from contacts, which minimum_contacts would limit"
        raise ValueError(msg)
    if wrong := _out_of_range(condition, kpi):
        raise ValueError(wrong)
    if condition.below == "target" and condition.kpi not in _OF_A_TARGET:
        msg = f"the target of a queue is for {' or '.join(_OF_A_TARGET)}, not for {condition.kpi}"
        raise ValueError(msg)
    if condition.below == "target" and condition.clear_at is not None:
        msg = "clear_at cannot go with below: target, which differs from queue to queue"
        raise ValueError(msg)
    if isinstance(condition.below, float) and condition.clear_at is not None and condition.clear_at < condition.below:
        msg = f"clear_at {condition.clear_at} must not be below {condition.below}"
        raise ValueError(msg)
    if condition.above is not None and condition.clear_at is not None and condition.clear_at > condition.above:
        msg = f"clear_at {condition.clear_at} must not be above {condition.above}"
        raise ValueError(msg)


def _out_of_range(condition: AlertCondition, kpi: Kpi) -> str | None:
    """Return what is wrong with a threshold that the figure never passes."""
    if kpi.unit != "ratio" and condition.unit is not None:
        return f"{condition.kpi} is counted in {kpi.unit} and no ratio; permitted: no unit"
    ratio, written = kpi.unit == "ratio", {name: getattr(condition, name) for name in _THRESHOLDS}
    for name, value in written.items():
        if not isinstance(value, float) or kpi.unit == "score":
            continue
        least, most = (value > 0, value <= 1) if name == "below" else (value >= 0, value <= (name == "clear_at") or value < 1)
        if not least or (ratio and not most):
            span = "above 0, at most 1" if name == "below" else "0 or more, less than 1" if name == "above" else "0 to 1"
            permitted = f"{span}, or with unit: percent a hundred times that" if ratio else "above 0" if name == "below" else "0 or more"
            return f"{name} {value:g} of {condition.kpi} can never {'be passed' if name != 'clear_at' else 'clear'}; permitted: {permitted}"
    return None
