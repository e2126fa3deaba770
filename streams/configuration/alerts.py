"""Alert rules of the configuration file; what they mean is in ``docs/judging.md``."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from schemas.base import Channel
from streams.catalogue.kpis import KPI_BY_ID
from streams.configuration.alert_conditions import AlertCondition, check_condition
from streams.configuration.alert_messages import AlertMessage
from streams.configuration.base import PERMITTED
from streams.configuration.consistency import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from streams.configuration.places import Queue, Team

__all__ = ["CALLS", "AlertRule", "ScopePattern", "configured_scopes", "wrong_rules"]

_SCOPE: Final = r"^(queue|department|business|site|team|total):.+$"
PERMITTED[_SCOPE] = "queue:NAME, department:NAME, business:NAME, site:NAME, team:NAME or total:all, where * matches anything"

ScopePattern = Annotated[str, Field(pattern=_SCOPE)]
#: Figures of these can be expected: Erlang's formulas are about agents who have one contact at a time.
CALLS: Final = frozenset({"voice", "video"})

_Conditions = Annotated[tuple[AlertCondition, ...], Field(min_length=2, max_length=10, strict=False)]
_SCOPES_OF_CONTACTS = ("queue", "department", "business", "site", "total")
_SCOPES_OF_PEOPLE = ("team", "site", "business", "total")


class AlertRule(AlertCondition):
    """A figure beyond a threshold for long enough, with enough contacts behind it; or several figures, of which all or any are."""

    all: _Conditions | None = None
    """In place of a single figure: fires while all of these are beyond their thresholds."""
    any: _Conditions | None = None
    """In place of a single figure: fires while at least one of these is."""
    expected_within_minutes: int | None = Field(default=None, ge=1, le=120)
    """Fires when the service level of calls is [expected](staffing.md) below the threshold in an interval that begins within this."""
    for_seconds: int = Field(default=60, ge=0, le=86_400)
    """How long it has to be beyond the threshold before it fires."""
    clear_for_seconds: int = Field(default=60, ge=0, le=86_400)
    """How long it has to be good again before it clears."""
    severity: Literal["warning", "critical"] = "warning"
    """How severe it is for its receivers."""
    scopes: Annotated[tuple[ScopePattern, ...], Field(min_length=1, strict=False)] = ("queue:*",)
    """What it watches; `team:*` unless given, for figures about agents."""
    channels: Annotated[tuple[Channel, ...], Field(min_length=1, strict=False)] | None = None
    """Only these channels; by default all."""
    during: Literal["always", "business_hours"] = "always"
    """With `business_hours` it does not fire while its scope is closed, and clears when the scope closes."""
    message: AlertMessage | None = None
    """The text of notifications when it fires."""

    @model_validator(mode="before")
    @classmethod
    def _default_scopes(cls, data: Any) -> Any:
        """Fill in the default scopes of figures about agents."""
        if not isinstance(data, dict) or "scopes" in data:
            return data
        several = data.get("all") or data.get("any")
        first = several[0] if isinstance(several, list | tuple) and several else data
        kpi = KPI_BY_ID.get(str(first.get("kpi"))) if isinstance(first, dict) else None
        return {**data, "scopes": ("team:*",)} if kpi is not None and kpi.subject == "people" else data

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> AlertRule:
        if self.all is None and self.any is None:
            check_condition(self, expected=self.is_expected)
        else:
            self._check_several()
        if self.is_expected:
            self._check_expected()
        if self.about_people and self.channels is not None:
            msg = f"{self.conditions[0].kpi} is about agents and has no channels"
            raise ValueError(msg)
        return self

    def _check_several(self) -> None:
        if self.all is not None and self.any is not None:
            msg = "permitted: either all or any"
            raise ValueError(msg)
        own = [name for name, field in AlertCondition.model_fields.items() if getattr(self, name) != field.default]
        if own:
            msg = f"{own[0]} is beside {'all' if self.any is None else 'any'}; permitted: in each of its conditions"
            raise ValueError(msg)
        if len({KPI_BY_ID[condition.kpi].subject == "people" for condition in self.conditions}) > 1:
            msg = "some conditions are about agents and some about contacts; permitted: all about the same"
            raise ValueError(msg)

    def _check_expected(self) -> None:
        if self.all is not None or self.any is not None or self.kpi != "service_level" or self.below is None:
            msg = "only service levels are expected; permitted with expected_within_minutes: kpi: service_level, and below"
            raise ValueError(msg)
        given = [name for name in ("window", "clear_at", "during") if getattr(self, name) != AlertRule.model_fields[name].default]
        if given:
            msg = f"{given[0]} has no meaning for expected figures; permitted with expected_within_minutes: no {given[0]}"
            raise ValueError(msg)
        if self.channels is not None and not set(self.channels) <= CALLS:
            msg = f"only calls are expected; permitted with expected_within_minutes: {', '.join(sorted(CALLS))}"
            raise ValueError(msg)

    @property
    def conditions(self) -> tuple[AlertCondition, ...]:
        """Its conditions: itself, or those of all or any."""
        return self.all or self.any or (self,)

    @property
    def is_expected(self) -> bool:
        """Whether it is about expected figures; the stream does not evaluate those (``docs/design.md``)."""
        return self.expected_within_minutes is not None

    @property
    def about_people(self) -> bool:
        """Whether its figures are about agents, and not about contacts."""
        return KPI_BY_ID[self.conditions[0].kpi].subject == "people"

    @property
    def of_a_target(self) -> bool:
        """Whether it needs the target of the queue."""
        return any(condition.below == "target" for condition in self.conditions)

    def covers(self, scope: str, channel: str | None) -> bool:
        """Return whether the rule is about a scope and channel; figures about agents have no channel."""
        if self.about_people != (channel is None):
            return False
        return (self.channels is None or channel in self.channels) and self.names(scope)

    def names(self, scope: str) -> bool:
        """Return whether one of the patterns fits a scope."""
        return any(pattern.fullmatch(scope) for pattern in self._patterns)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL) for pattern in self.scopes)


def wrong_rules(
    rules: Mapping[str, AlertRule], scopes: Mapping[str, Sequence[str]], queues: Mapping[str, Queue], trailing_minutes: Iterable[int]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield contradictions between the rules and the remaining configuration: location in the file and reason.

    ``scopes`` are those configured, by kind.
    """
    windows = [f"trailing_{minutes}m" for minutes in trailing_minutes]
    for name, rule in rules.items():
        for location, reason in _wrong(rule, scopes, queues, windows):
            yield ("alerts", name, *location), reason


def _wrong(
    rule: AlertRule, known: Mapping[str, Sequence[str]], queues: Mapping[str, Queue], windows: Sequence[str]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    joint = "any" if rule.all is None else "all"
    for number, condition in enumerate(rule.conditions):
        if condition.window is not None and condition.window not in windows:
            location: tuple[str | int, ...] = ("window",) if condition is rule else (joint, number, "window")
            near = nearest(condition.window, windows)
            yield location, f"{condition.window!r} is not among the trailing windows{near}; permitted: {', '.join(windows)}"
    served = ("queue",) if rule.is_expected else _SCOPES_OF_PEOPLE if rule.about_people else _SCOPES_OF_CONTACTS
    subject = "what is expected" if rule.is_expected else rule.conditions[0].kpi
    for number, pattern in enumerate(rule.scopes):
        kind = pattern.partition(":")[0]
        if (kind not in served) if rule.about_people or rule.is_expected else kind == "team":
            yield ("scopes", number), f"{subject} is not served for {kind}s; permitted: {', '.join(served)}"
        elif "*" not in pattern and pattern not in known[kind]:
            yield (
                ("scopes", number),
                f"{pattern!r} is not configured{nearest(pattern, known[kind])}; permitted: {', '.join(known[kind]) or 'none is'}",
            )
    if rule.of_a_target and not any(queue.target is not None and rule.names(f"queue:{name}") for name, queue in queues.items()):
        at = next(number for number, condition in enumerate(rule.conditions) if condition.below == "target")
        yield (("below",) if rule.conditions[at] is rule else (joint, at, "below")), "no queue that this rule is about has a target"


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
    return {kind: list(dict.fromkeys(f"{kind}:{name}" for name in listed if name is not None)) for kind, listed in names.items()}
