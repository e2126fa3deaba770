"""Alert rules of the configuration file; what they mean is in ``docs/judging.md``."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from schemas.base import Channel
from streams.catalogue.kpis import KPI_BY_ID
from streams.configuration.base import PERMITTED, Model
from streams.configuration.consistency import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from streams.catalogue.kpis import Kpi
    from streams.configuration.places import Queue, Team

__all__ = ["AlertRule", "ScopePattern", "configured_scopes", "wrong_rules"]

_SCOPE: Final = r"^(queue|department|business|site|team|total):.+$"
PERMITTED[_SCOPE] = "queue:NAME, department:NAME, business:NAME, site:NAME, team:NAME or total:all, where * stands for anything"

ScopePattern = Annotated[str, Field(pattern=_SCOPE)]

_DEFAULT_WINDOW = "trailing_15m"
_THRESHOLDS: Final = ("below", "above", "clear_at")
_OF_A_TARGET = ("service_level", "service_level_live")
_SCOPES_OF_CONTACTS = ("queue", "department", "business", "site", "total")
_SCOPES_OF_PEOPLE = ("team", "site", "business", "total")


class AlertRule(Model):
    """A figure beyond a threshold for long enough, with enough contacts behind it."""

    kpi: str = "service_level_live"
    """The figure: an id of [metrics](metrics.md)."""
    window: str | None = None
    """The trailing window it is of, such as `trailing_5m` (default for figures of windows: `trailing_15m`); none for figures of now."""
    below: float | Literal["target"] | None = None
    """Fires below this; `target` is the queue's own. Either this or `above`."""
    above: float | None = None
    """Fires above this."""
    unit: Literal["ratio", "percent"] | None = None
    """In which `below`, `above` and `clear_at` of a ratio are written: 0.05 (default) or, with `percent`, 5."""
    clear_at: float | None = None
    """Goes on firing up to this; by default the threshold itself."""
    for_seconds: int = Field(default=60, ge=0, le=86_400)
    """How long it has to be beyond the threshold before it fires."""
    clear_for_seconds: int = Field(default=60, ge=0, le=86_400)
    """How long it has to be good again before it clears."""
    minimum_contacts: int = Field(default=0, ge=0)
    """With fewer contacts behind the figure nothing fires; 10 unless given, for figures that have contacts behind them."""
    severity: Literal["warning", "critical"] = "warning"
    """What it is to whoever is told."""
    scopes: Annotated[tuple[ScopePattern, ...], Field(min_length=1, strict=False)] = ("queue:*",)
    """What it watches; `team:*` unless given, for figures about people."""
    channels: Annotated[tuple[Channel, ...], Field(min_length=1, strict=False)] | None = None
    """Only these channels; by default all."""
    during: Literal["always", "business_hours"] = "always"
    """With `business_hours` nothing fires while what it watches is closed, and what fires clears when it closes."""

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        """Fill in the window, the scopes and the least number of contacts that suit the KPI."""
        if not isinstance(data, dict):
            return data
        kpi = KPI_BY_ID.get(str(data.get("kpi", "service_level_live")))
        if kpi is not None and kpi.unit == "ratio" and data.get("unit") == "percent":
            data = {**data, "unit": "ratio", **{name: data[name] / 100 for name in _THRESHOLDS if type(data.get(name)) in {int, float}}}
        if kpi is None or "now" in kpi.windows:
            return data
        filled = {"window": _DEFAULT_WINDOW, **data}
        if kpi.denominator_unit == "contacts":
            filled.setdefault("minimum_contacts", 10)
        if kpi.subject == "people":
            filled.setdefault("scopes", ("team:*",))
        return filled

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> AlertRule:
        kpi = KPI_BY_ID.get(self.kpi)
        if kpi is None:
            known = ", ".join(name for name, each in KPI_BY_ID.items() if each.split_by is None and each.subject != "targets")
            msg = f"unknown kpi {self.kpi!r}{nearest(self.kpi, KPI_BY_ID)}; permitted: {known}"
            raise ValueError(msg)
        if kpi.subject == "targets":
            msg = f"{self.kpi} is made where figures are served; permitted: a rule about the figure itself"
            raise ValueError(msg)
        if kpi.split_by is not None:
            msg = f"{self.kpi} is no single figure"
            raise ValueError(msg)
        if (self.below is None) == (self.above is None):
            msg = "permitted: either below or above"
            raise ValueError(msg)
        if "now" in kpi.windows and self.window is not None:
            msg = f"{self.kpi} is a figure of now and has no window"
            raise ValueError(msg)
        if "now" not in kpi.windows and self.window is None:
            msg = f"{self.kpi} needs a window, such as {_DEFAULT_WINDOW}"
            raise ValueError(msg)
        if self.minimum_contacts and kpi.denominator_unit != "contacts":
            msg = f"{self.kpi} has no number of contacts behind it that minimum_contacts could go by"
            raise ValueError(msg)
        if kpi.subject == "people" and self.channels is not None:
            msg = f"{self.kpi} is about people and has no channels"
            raise ValueError(msg)
        if wrong := self._out_of_range(kpi):
            raise ValueError(wrong)
        if self.below == "target" and self.kpi not in _OF_A_TARGET:
            msg = f"the target of a queue is for {' or '.join(_OF_A_TARGET)}, not for {self.kpi}"
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

    def _out_of_range(self, kpi: Kpi) -> str | None:
        """Return what is wrong with a threshold that the figure never passes."""
        if kpi.unit != "ratio" and self.unit is not None:
            return f"{self.kpi} is counted in {kpi.unit} and no ratio; permitted: no unit"
        ratio, written = kpi.unit == "ratio", {name: getattr(self, name) for name in _THRESHOLDS}
        for name, value in written.items():
            if not isinstance(value, float) or kpi.unit == "score":
                continue
            least, most = (value > 0, value <= 1) if name == "below" else (value >= 0, value <= (name == "clear_at") or value < 1)
            if not least or (ratio and not most):
                span = "above 0, at most 1" if name == "below" else "0 or more, less than 1" if name == "above" else "0 to 1"
                permitted = (
                    f"{span}, or with unit: percent a hundred times that" if ratio else "above 0" if name == "below" else "0 or more"
                )
                return f"{name} {value:g} of {self.kpi} can never {'be passed' if name != 'clear_at' else 'clear'}; permitted: {permitted}"
        return None

    def covers(self, scope: str, channel: str | None) -> bool:
        """Say whether the rule is about a scope and channel; figures about people have no channel."""
        if (KPI_BY_ID[self.kpi].subject == "people") != (channel is None):
            return False
        return (self.channels is None or channel in self.channels) and self.names(scope)

    def names(self, scope: str) -> bool:
        """Say whether one of the patterns fits a scope."""
        return any(pattern.fullmatch(scope) for pattern in self._patterns)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL) for pattern in self.scopes)


def wrong_rules(
    rules: Mapping[str, AlertRule], scopes: Mapping[str, Sequence[str]], queues: Mapping[str, Queue], trailing_minutes: Iterable[int]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is wrong with the rules in the light of everything else that is configured: its place in the file and the reason.

    ``scopes`` are those configured, by kind.
    """
    windows = [f"trailing_{minutes}m" for minutes in trailing_minutes]
    for name, rule in rules.items():
        for place, reason in _wrong(rule, scopes, queues, windows):
            yield ("alerts", name, *place), reason


def _wrong(
    rule: AlertRule, known: Mapping[str, Sequence[str]], queues: Mapping[str, Queue], windows: Sequence[str]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if rule.window is not None and rule.window not in windows:
        yield (
            ("window",),
            f"{rule.window!r} is not among the trailing windows{nearest(rule.window, windows)}; permitted: {', '.join(windows)}",
        )
    people = KPI_BY_ID[rule.kpi].subject == "people"
    for number, pattern in enumerate(rule.scopes):
        kind = pattern.partition(":")[0]
        served = ", ".join(_SCOPES_OF_PEOPLE if people else _SCOPES_OF_CONTACTS)
        if (people and kind not in _SCOPES_OF_PEOPLE) or (not people and kind == "team"):
            yield ("scopes", number), f"{rule.kpi} is not served for {kind}s; permitted: {served}"
        elif "*" not in pattern and pattern not in known[kind]:
            yield (
                ("scopes", number),
                f"{pattern!r} is not configured{nearest(pattern, known[kind])}; permitted: {', '.join(known[kind]) or 'none is'}",
            )
    if rule.below == "target" and not any(queue.target is not None and rule.names(f"queue:{name}") for name, queue in queues.items()):
        yield ("below",), "no queue that this rule is about has a target"


def configured_scopes(queues: Mapping[str, Queue], teams: Mapping[str, Team], sites: Iterable[str]) -> dict[str, list[str]]:
    """Return the configured scopes by kind."""
    names = {
        "queue": queues,
        "department": [queue.department for queue in queues.values()],
        "business": (*(queue.business for queue in queues.values()), *(team.business for team in teams.values())),
        "site": sites,
        "team": teams,
        "total": ("all",),
    }
    return {kind: list(dict.fromkeys(f"{kind}:{name}" for name in each if name is not None)) for kind, each in names.items()}
