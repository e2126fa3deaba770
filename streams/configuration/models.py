"""The configuration file as a typed model; its parts have modules of their own."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.base import Channel
from streams.configuration.alerting import Alerting, wrong_routes
from streams.configuration.alerts import AlertRule, configured_scopes, wrong_rules
from streams.configuration.base import Model, Name, Zone, refuse
from streams.configuration.boards import Board
from streams.configuration.calendar_exceptions import CalendarException
from streams.configuration.consistency import inconsistencies
from streams.configuration.costs import Costs
from streams.configuration.customers import CustomerSettings
from streams.configuration.dead_letters import DeadLetterLimits, SourceLimits
from streams.configuration.definitions import Choice, DefinitionName, Versions
from streams.configuration.faq import FaqChange
from streams.configuration.floor import Links, TooLong
from streams.configuration.joined_sources import JoinedSources
from streams.configuration.on_call import OnCall
from streams.configuration.places import Person, Queue, Site, Team
from streams.configuration.service_level import ServiceLevelDefinition
from streams.configuration.sources import Source
from streams.configuration.targets import Target, wrong_targets

__all__ = [
    "INCONSISTENT",
    "LOST_AFTER_SECONDS",
    "Category",
    "Configuration",
    "CountingSettings",
    "Person",
    "Queue",
    "ServiceLevelDefinition",
    "Site",
    "Team",
]

#: The states of an agent, for occupancy and the count of agents by state.
Category = Literal["ready", "idle", "handling", "wrap_up", "unavailable", "offline"]

#: Type of the errors that ``consistency`` finds.
INCONSISTENT: Final = "inconsistent"


_HOUR, _DAY = 3_600, 86_400

#: After how long without an event a contact is lost: longer than any call, any pause in a chat, any answer to a letter.
#: The entry of ``callback`` also holds for callbacks still to be made, on any channel: a week, so that a weekend ends none.
LOST_AFTER_SECONDS: dict[Channel, int] = {
    **dict.fromkeys(("voice", "video", "faq", "bot"), 4 * _HOUR),
    **dict.fromkeys(("chat", "sms", "social"), _DAY),
    "callback": 7 * _DAY,
    **dict.fromkeys(("mail", "web_form", "ticket", "survey"), 30 * _DAY),
}


class CountingSettings(Model):
    """The settings of ``docs/counting.md`` section 1."""

    grace_seconds: int = Field(default=120, ge=0, le=86_400)
    """How long after its 10 seconds are over an event may arrive and still count."""
    rejoin_seconds: int = Field(default=60, ge=0, le=3_600)
    """A contact that is queued again within this in the same department, business or site continues its wait there."""
    source_timeout_seconds: int = Field(default=40, ge=1, le=86_400)
    """A source without any event or heartbeat, even of a gateway, for longer is stale: marked, and delays no figures."""
    silence_seconds: int = Field(default=900, ge=1, le=2_592_000)
    """A source behind a gateway that sends nothing for longer is stale, even while the gateway reports; at least
    `source_timeout_seconds`. `sources` sets another limit for one."""
    lag_limit_seconds: int = Field(default=600, ge=1, le=2_592_000)
    """A source whose reported completeness is farther behind than this, while another is complete beyond it, is stale: it delays
    the completeness of the others no longer."""
    disorder_seconds: int = Field(default=5, ge=0, le=3_600)
    """A source without heartbeats is taken as complete up to its last event minus this."""
    trailing_minutes: Annotated[tuple[Annotated[int, Field(ge=1, le=1_440)], ...], Field(strict=False)] = (5, 15, 30, 60)
    """Lengths of the trailing windows."""
    interval_minutes: Annotated[tuple[Literal[5, 15, 30, 60], ...], Field(strict=False)] = (15, 30)
    """Lengths of the intervals; the page draws those of 15. With 5, days may begin at any 5 minutes, and three times as much is stored."""
    attribution: Annotated[tuple[Literal["offer", "outcome"], ...], Field(strict=False)] = ("offer",)
    """The attribution of intervals and days of contacts: by offer always; with `outcome` also by outcome."""
    closed_retention_seconds: int = Field(default=86_400, ge=0, le=2_592_000)
    """How long a conversation that is over is stored, for a survey that arrives later."""
    lost_after_seconds: dict[Channel, Annotated[int, Field(ge=1, le=31_536_000)]] = LOST_AFTER_SECONDS
    """By channel, how long without an event until an open contact is lost; `callback`: until a due callback is. By default 4 hours for
    voice, video, faq and bot, a day for chat, sms and social, a week for callback, 30 days for others; omitted ones keep the default."""
    person_timeout_seconds: int = Field(default=43_200, ge=1, le=2_592_000)
    """An agent without an event for longer is stale: no further time is counted."""
    source_forget_seconds: int = Field(default=86_400, ge=1, le=31_536_000)
    """A source silent for longer delays no figures and is no longer shown; at least `source_timeout_seconds`."""

    @field_validator("lost_after_seconds", mode="after")
    @classmethod
    def _others_as_by_default(cls, given: dict[Channel, int]) -> dict[Channel, int]:
        return {**LOST_AFTER_SECONDS, **given}


class Configuration(Model):
    """All settings that decide how contacts are counted."""

    default_zone: Zone = "UTC"
    """The time zone outside sites, and of all times that the page, alerts and sentences show."""
    service_level: ServiceLevelDefinition = ServiceLevelDefinition()
    """How a service level is computed where a queue has no definition of its own."""
    definitions: dict[DefinitionName, Versions] = Field(default_factory=dict)
    """Definitions by name, each one or a list of versions."""
    default_definitions: Choice | None = None
    """Names among them for queues without and for larger scopes, in place of `service_level`: the first judges, others are beside it."""
    sites: dict[Name, Site] = Field(default_factory=dict)
    """Sites by name."""
    queues: dict[Name, Queue] = Field(default_factory=dict)
    """Queues by the name they have in events; others are counted too, but belong to nothing."""
    teams: dict[Name, Team] = Field(default_factory=dict)
    """Teams by name."""
    people: dict[Name, Person] = Field(default_factory=dict)
    """Agents by name."""
    joined_sources: JoinedSources = ()
    """Lists of sources that share their ids, as when the telephone system and a survey tool report one conversation; `*` in a name matches
    anything. The ids of a source in no list are its own: the same id of another source is another conversation or person."""
    sources: dict[Name, Source] = Field(default_factory=dict)
    """Expectations of sources, by the `source` of their events."""
    agent_state_map: dict[Literal["presence", "routing", "activity"], dict[str, Category]] = Field(default_factory=dict)
    """By axis, the meaning of a platform's own states; over the defaults of [counting](counting.md) section 6."""
    calendar_exceptions: Annotated[tuple[CalendarException, ...], Field(strict=False)] = ()
    """Exceptions of the calendar, such as a typhoon or an outage, from an instant on: figures are marked, and served without it too."""
    planned_activities: dict[str, Literal["work", "not_work"]] = Field(default_factory=dict)
    """The kinds of planned activities; by default `work`, `available` and `on_queue` are work, and all others are not."""
    costs: Costs | None = None
    """The costs of agents' time, for the cost per contact; without it there is none."""
    counting: CountingSettings = CountingSettings()
    """Time limits of counting, and the windows."""
    customers: CustomerSettings = CustomerSettings()
    """How far ahead and back further actions of a customer count."""
    alerts: dict[Name, AlertRule] = Field(default_factory=dict)
    """Rules by name: when an alert fires and clears."""
    alerting: Alerting = Alerting()
    """Receivers of alerts; without it only the webhook of the environment."""
    targets: Annotated[tuple[Target, ...], Field(strict=False)] = ()
    """Values that figures are to reach, where, and by when; a queue's `target` is one for its service level."""
    on_call: OnCall | None = None
    """Contacts that page, API and `contact-streams status` name for calls when something is broken."""
    too_long_seconds: TooLong = Field(default_factory=dict)
    """After how many seconds in a state the people view marks an agent, by the platform's reason, its term for the state, or `handling`,
    `wrap_up`, `idle`, `available`, `unavailable`; the first with an entry decides, 0 is never. By default break 900, lunch and meal 3600,
    wrap_up 300, unavailable 1800, and never for meeting, training and coaching."""
    boards: dict[Name, Board] = Field(default_factory=dict)
    """Boards of wall screens, by name, beside the boards that every center has: `calls`, `written` and `floor`."""
    links: Links = Links()
    """Addresses of contacts at their platforms, for accounts that may see contacts."""
    faq_changes: Annotated[tuple[FaqChange, ...], Field(strict=False)] = ()
    """Changes in the FAQ or the bot, with time and category: `contact-streams faq-changes` compares before and after."""
    dead_letters: DeadLetterLimits = DeadLetterLimits()
    """Limits of bad records of a source before it is quarantined."""
    source_limits: SourceLimits = SourceLimits()
    """Further limits of a source: late events before it is quarantined, new names before they count together."""

    @model_validator(mode="after")
    def _fits_together(self) -> Configuration:
        wrong = [
            InitErrorDetails(type=PydanticCustomError(INCONSISTENT, "{reason}", {"reason": problem.reason}), loc=problem.at, input=None)
            for problem in inconsistencies(self.model_dump(by_alias=True))
        ]
        scopes, counting = configured_scopes(self.queues, self.teams, self.sites), self.counting
        refused = [
            *wrong_rules(self.alerts, scopes, self.queues, counting.trailing_minutes),
            *wrong_routes(self.alerting, self.alerts),
            *wrong_targets(self.targets, scopes, counting.interval_minutes, counting.trailing_minutes),
        ]
        wrong += [InitErrorDetails(type=refuse(reason), loc=at, input=None) for at, reason in refused]
        if wrong:
            raise ValidationError.from_exception_data(type(self).__name__, wrong)
        return self

    def zone_of_site(self, site: str | None) -> ZoneInfo:
        """Return the zone of a site, or the default zone."""
        entry = self.sites.get(site) if site is not None else None
        return ZoneInfo(entry.zone if entry else self.default_zone)

    def scopes_of_queue(self, name: str) -> list[str]:
        """Return the scopes that a queue's contacts count in: itself, then the larger ones."""
        queue = self.queues.get(name)
        larger = () if queue is None else (("department", queue.department), ("business", queue.business), ("site", queue.site))
        return [f"queue:{name}", *(f"{kind}:{scope}" for kind, scope in larger if scope is not None), "total:all"]

    def place_of_person(self, name: str) -> tuple[str | None, str | None]:
        """Return the team and the site of an agent in `people`; the site is the team's where the agent has none."""
        person = self.people.get(name)
        if person is None:
            return None, None
        team = self.teams.get(person.team) if person.team is not None else None
        return person.team, person.site or (team.site if team else None)

    def is_individual(self, name: str) -> bool:
        """Return whether figures of this single agent are stored."""
        site = self.place_of_person(name)[1]
        return site is not None and site in self.sites and self.sites[site].individual_figures
