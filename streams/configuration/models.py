"""The configuration file as typed models: sites, queues, teams, people, definitions and counting settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.base import Channel
from streams.configuration.alerts import AlertRule
from streams.configuration.dead_letters import DeadLetterLimits

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Category",
    "Configuration",
    "CountingSettings",
    "Person",
    "Queue",
    "ServiceLevelDefinition",
    "Site",
    "Team",
]

#: What a person is taken to be doing, for occupancy and the count of agents by state.
Category = Literal["ready", "idle", "handling", "wrap_up", "unavailable", "offline"]

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        msg = f"unknown time zone {name!r}: use an IANA name such as Europe/Berlin or Asia/Tokyo"
        raise ValueError(msg)
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceLevelDefinition(_Model):
    """How a service level is computed; times in seconds, the formula is in ``docs/counting.md`` section 8."""

    threshold_s: float = Field(default=20, gt=0, le=60 * 60 * 24 * 30)
    abandon: Literal["handled_only", "ignore_in_threshold", "negative", "positive"] = "negative"
    short_abandon_s: float | None = Field(default=None, gt=0)
    flow_out_negative: frozenset[str] = frozenset({"timeout", "empty"})
    boundary: Literal["le", "lt"] = "le"
    version: int = Field(default=1, ge=1)


class Site(_Model):
    """A place with its own clock; ``day_start`` is local wall time."""

    zone: Zone
    day_start: str = Field(default="00:00", pattern=r"^([01]\d|2[0-3]):(00|15|30|45)$")


class Queue(_Model):
    """Where a queue belongs, and its own service level where it differs from the default."""

    channel: Channel | None = None
    department: Name | None = None
    business: Name | None = None
    site: Name | None = None
    service_level: ServiceLevelDefinition | None = None
    target: float | None = Field(default=None, ge=0, le=1)


class Team(_Model):
    """Where a team belongs."""

    site: Name | None = None
    business: Name | None = None


class Person(_Model):
    """Where a person belongs unless the events say otherwise."""

    team: Name | None = None
    site: Name | None = None


class CountingSettings(_Model):
    """The settings of ``docs/counting.md`` section 1."""

    grace_seconds: int = Field(default=120, ge=0, le=86_400)
    rejoin_seconds: int = Field(default=60, ge=0, le=3_600)
    source_timeout_seconds: int = Field(default=60, ge=1, le=86_400)
    disorder_seconds: int = Field(default=5, ge=0, le=3_600)
    trailing_minutes: tuple[int, ...] = (5, 15, 30, 60)
    interval_minutes: tuple[Literal[15, 30, 60], ...] = (15, 30)
    closed_retention_seconds: int = Field(default=86_400, ge=0, le=2_592_000)


def _missing(location: tuple[str, ...], named: str, kind: str, known: Iterable[str]) -> InitErrorDetails:
    """Return the error of a reference to an entry that is not there; it carries its place in the file."""
    error = PydanticCustomError(
        "missing_reference",
        "{named} is not among {kind} ({known})",
        {
            "named": repr(named),
            "kind": kind,
            "known": ", ".join(known) or "none",
        },
    )
    return InitErrorDetails(type=error, loc=location, input=named)


class Configuration(_Model):
    """Everything that decides how contacts are counted."""

    default_zone: Zone = "UTC"
    service_level: ServiceLevelDefinition = ServiceLevelDefinition()
    sites: dict[Name, Site] = Field(default_factory=dict)
    queues: dict[Name, Queue] = Field(default_factory=dict)
    teams: dict[Name, Team] = Field(default_factory=dict)
    people: dict[Name, Person] = Field(default_factory=dict)
    agent_state_map: dict[Literal["presence", "routing", "activity"], dict[str, Category]] = Field(default_factory=dict)
    counting: CountingSettings = CountingSettings()
    alerts: dict[Name, AlertRule] = Field(default_factory=dict)
    dead_letters: DeadLetterLimits = DeadLetterLimits()

    @model_validator(mode="after")
    def _references_exist(self) -> Configuration:
        wrong: list[InitErrorDetails] = []
        for kind, entries in (("queues", self.queues), ("teams", self.teams), ("people", self.people)):
            for name, entry in entries.items():
                if entry.site is not None and entry.site not in self.sites:
                    wrong.append(_missing((kind, name, "site"), entry.site, "sites", self.sites))
        for name, person in self.people.items():
            if person.team is not None and person.team not in self.teams:
                wrong.append(_missing(("people", name, "team"), person.team, "teams", self.teams))
        if wrong:
            raise ValidationError.from_exception_data(type(self).__name__, wrong)
        return self

    def zone_of_site(self, site: str | None) -> ZoneInfo:
        """Return the zone of a site, or the default zone."""
        found = self.sites.get(site) if site is not None else None
        return ZoneInfo(found.zone if found else self.default_zone)

    def definition_of_queue(self, queue: str) -> ServiceLevelDefinition:
        """Return the service level definition in force for a queue."""
        found = self.queues.get(queue)
        return (found.service_level if found else None) or self.service_level
