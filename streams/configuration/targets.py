"""Targets of the configuration file: the value that a figure is to reach, and by when; ``docs/judging.md`` explains them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from schemas.base import Channel
from streams.catalogue.kpis import KPI_BY_ID, Kpi, Unit
from streams.configuration.base import PERMITTED, Model, refuse
from streams.configuration.consistency import nearest
from streams.configuration.hours import Date

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Target", "units_of", "wrong_targets"]

_SCOPE: Final = r"^(queue|department|business|site|team|total):[^*]+$"
PERMITTED[_SCOPE] = "queue:NAME, department:NAME, business:NAME, site:NAME, team:NAME or total:all"

TargetUnit = Literal[Unit, "percent"]
_Number = Annotated[float, Field(allow_inf_nan=False)]

_DEFAULT_WINDOW: Final = "day"
_VALUES: Final = ("target", "stretch", "low", "high", "start_value")
_MOST: Final = {"ratio": 1, "percent": 100}
#: Dimensions that are no scope.
_NO_SCOPE: Final = {"channel", "agent", "customer"}
#: Figures that are no single number, about targets themselves, or of single agents or customers alone.
_NOT_AIMED_AT: Final = tuple(
    kpi.id
    for kpi in KPI_BY_ID.values()
    if kpi.split_by is not None or kpi.subject == "targets" or (kpi.dimensions and _NO_SCOPE.issuperset(kpi.dimensions))
)

_Found = tuple[tuple[str, ...], str]


def units_of(kpi: Kpi) -> tuple[str, ...]:
    """Return the units in which a target for a KPI may be written."""
    return ("ratio", "percent") if kpi.unit == "ratio" else (kpi.unit,)


class Target(Model):
    """The value that a figure is to reach."""

    kpi: str
    """The figure: an id of [metrics](metrics.md)."""
    scope: Annotated[str, Field(pattern=_SCOPE)]
    """The scope of the figure."""
    channel: Channel | None = None
    """Only of this channel; by default of all channels together."""
    window: str | None = None
    """The window: `day` (default), an interval such as `interval_30m` or a trailing window such as `trailing_15m`;
    none for figures of now."""
    unit: TargetUnit
    """The figure's unit, in which the numbers here are written; `percent` is accepted for ratios."""
    target: _Number | None = None
    """The value to reach: at least this where higher is better, at most this where lower is."""
    stretch: _Number | None = None
    """An even better value: beyond `target`."""
    low: _Number | None = None
    """For figures without a good direction, such as occupancy, in place of `target`: at least this."""
    high: _Number | None = None
    """Likewise: at most this."""
    due: Date | None = None
    """The last day on which it may be reached."""
    start_value: _Number | None = None
    """The value on `start_date`; with these two and `due`, the straight line between decides whether it is on track."""
    start_date: Date | None = None
    """The day on which progress to the target begins."""

    @model_validator(mode="before")
    @classmethod
    def _unit_and_window(cls, data: Any) -> Any:
        """State which unit is permitted if none is written, and fill in the KPI's default window."""
        kpi = KPI_BY_ID.get(str(data.get("kpi"))) if isinstance(data, dict) else None
        if kpi is None:
            return data
        if data.get("unit") is None:
            raise _refused(cls, [(("unit",), f"a target needs its unit; permitted for {kpi.id}: {' or '.join(units_of(kpi))}")])
        of_customers = [window for window in kpi.windows if window.startswith("customers_")]
        return data if "now" in kpi.windows else {"window": next(iter(of_customers), _DEFAULT_WINDOW), **data}

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Target:
        kpi = KPI_BY_ID.get(self.kpi)
        if kpi is None or self.kpi in _NOT_AIMED_AT:
            known = [name for name in KPI_BY_ID if name not in _NOT_AIMED_AT]
            what = "unknown kpi" if kpi is None else "there can be no target for"
            wrong: list[_Found] = [(("kpi",), f"{what} {self.kpi!r}{nearest(self.kpi, known)}; permitted: {', '.join(known)}")]
        else:
            wrong = [*self._wrong_scope(kpi), *self._wrong_numbers(kpi), *self._wrong_way(kpi)]
        if wrong:
            raise _refused(type(self), wrong)
        return self

    def _wrong_scope(self, kpi: Kpi) -> Iterator[_Found]:
        permitted = units_of(kpi)
        if self.unit not in permitted:
            yield ("unit",), f"{self.unit} is not the unit of {kpi.id}; permitted: {' or '.join(permitted)}"
        kind = self.scope.partition(":")[0]
        kinds = [*(kind_ for kind_ in kpi.dimensions if kind_ not in _NO_SCOPE), "total"]
        if kind not in kinds:
            yield ("scope",), f"{kpi.id} is not served for {kind}s; permitted: {', '.join(kinds)}"
        if "channel" not in kpi.dimensions and self.channel is not None:
            yield ("channel",), f"{kpi.id} has no channels; permitted: none"
        if kpi.per_channel and self.channel is None:
            yield ("channel",), f"{kpi.id} is never added across channels; permitted: one of {', '.join(get_args(Channel))}"
        if "now" in kpi.windows and self.window is not None:
            yield ("window",), f"{kpi.id} is a figure of now and has no window; permitted: none"

    def _wrong_numbers(self, kpi: Kpi) -> Iterator[_Found]:
        most = _MOST.get(self.unit)
        for name in _VALUES:
            value = getattr(self, name)
            if value is not None and self.unit != "score" and (value < 0 or (most is not None and value > most)):
                yield (name,), f"found {value:g} {self.unit}; permitted: {'0 or more' if most is None else f'0 to {most}'}"
        if kpi.direction == "none":
            reason = f"{kpi.id} has no good direction; permitted: a band of low, high or both"
            if given := [name for name in ("target", "stretch", "start_value", "start_date", "due") if getattr(self, name) is not None]:
                yield (given[0],), reason
            elif self.low is None and self.high is None:
                yield (), reason
            elif self.low is not None and self.high is not None and self.low >= self.high:
                yield ("high",), f"high {self.high:g} is not above low {self.low:g}; permitted: above {self.low:g}"
            return
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                side = "higher" if kpi.direction == "up" else "lower"
                yield (name,), f"a band is for figures without a good direction, and of {kpi.id} {side} is better; permitted: target"
        if self.target is None:
            yield (), "a target needs its value; permitted: target"
        elif self.stretch is not None and not _beyond(kpi, self.stretch, self.target):
            yield ("stretch",), f"stretch {self.stretch:g} is not beyond target {self.target:g}; permitted: {_side(kpi)} {self.target:g}"

    def _wrong_way(self, kpi: Kpi) -> Iterator[_Found]:
        if kpi.direction == "none":
            return
        for name, other in (("start_value", "start_date"), ("start_date", "start_value")):
            if getattr(self, name) is not None and getattr(self, other) is None:
                yield (name,), f"{name} goes with {other}; permitted: both or neither"
            elif getattr(self, name) is not None and self.due is None:
                yield (name,), f"{name} goes with a date at which the target is due; permitted: with due"
        if self.due is not None and self.start_date is not None and self.due < self.start_date:
            yield ("due",), f"due {self.due} is before start_date {self.start_date}; permitted: {self.start_date} or later"
        if self.start_value is not None and self.target is not None and not _beyond(kpi, self.target, self.start_value):
            where = f"is already at target {self.target:g}; permitted: {'below' if kpi.direction == 'up' else 'above'} {self.target:g}"
            yield ("start_value",), f"start_value {self.start_value:g} {where}"


def _beyond(kpi: Kpi, value: float, than: float) -> bool:
    return value > than if kpi.direction == "up" else value < than


def _side(kpi: Kpi) -> str:
    return "above" if kpi.direction == "up" else "below"


def _refused(model: type[Target], wrong: list[_Found]) -> ValidationError:
    details = [InitErrorDetails(type=refuse(reason), loc=at, input=None) for at, reason in wrong]
    return ValidationError.from_exception_data(model.__name__, details)


def wrong_targets(
    targets: Iterable[Target], known: Mapping[str, Sequence[str]], interval_minutes: Iterable[int], trailing_minutes: Iterable[int]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield contradictions between the targets and the remaining configuration: location in the file and reason.

    ``known`` are the scopes configured, by kind.
    """
    windows = {
        "day": ["day"],
        "customers_day": ["customers_day"],
        "customers_month": ["customers_month"],
        "interval": [f"interval_{minutes}m" for minutes in interval_minutes],
        "trailing": [f"trailing_{minutes}m" for minutes in trailing_minutes],
    }
    seen: set[tuple[str | None, ...]] = set()
    for number, target in enumerate(targets):
        kpi = KPI_BY_ID[target.kpi]
        kind = target.scope.partition(":")[0]
        if target.scope not in known[kind]:
            permitted = ", ".join(known[kind]) or "none is"
            reason = f"{target.scope!r} is not configured{nearest(target.scope, known[kind])}; permitted: {permitted}"
            yield ("targets", number, "scope"), reason
        served = [name for kinds in kpi.windows for name in windows.get(kinds, ())]
        if target.window is not None and target.window not in served:
            reason = f"{kpi.id} is not served for {target.window!r}{nearest(target.window, served)}; permitted: {', '.join(served)}"
            yield ("targets", number, "window"), reason
        key = (target.kpi, target.scope, target.channel, target.window)
        if key in seen:
            yield ("targets", number), f"a target for {target.kpi} of {target.scope} is here twice; permitted: one a channel and window"
        seen.add(key)
