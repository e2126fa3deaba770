"""Sites, queues, teams and agents of the configuration file."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from schemas.base import Channel
from streams.configuration.base import PERMITTED, Model, Name, Zone, number_as_text
from streams.configuration.costs import TeamCosts
from streams.configuration.definitions import Choice
from streams.configuration.hours import Hours
from streams.configuration.service_level import ServiceLevelDefinition

__all__ = ["Identity", "Person", "Queue", "Site", "Team"]

_BEGIN: Final = r"^([01]\d|2[0-3]):[0-5][05]$"
PERMITTED[_BEGIN] = 'a local time, HH:MM, on the quarter hour, such as "05:00"; with intervals of 5 minutes, on any 5 minutes'

_ID: Final = r"^[^\x00-\x1f\x7f]{1,200}$"
PERMITTED[_ID] = "an id of 1 to 200 characters, none of them a control character"


Sources = Annotated[tuple[Name, ...], Field(strict=False)]


class Site(Hours):
    """A site with its own clock."""

    zone: Zone
    """The time zone of its wall clock."""
    day_start: Annotated[str, Field(pattern=_BEGIN)] = "00:00"
    """When its day begins, local time."""
    individual_figures: bool = False
    """Whether figures of single agents are stored, for the `people` of this site: into the topics of agents alone."""


class Queue(Hours):
    """Where a queue belongs, and its differences from the defaults."""

    channel: Channel | None = None
    """The channel of its contacts, where the events do not name one."""
    department: Name | None = None
    """The department whose figures it counts in."""
    business: Name | None = None
    """The business whose figures it counts in."""
    site: Name | None = None
    """One of `sites`: its clock and hours apply, and its figures count the queue."""
    service_level: ServiceLevelDefinition | None = None
    """Its own definition, in place of the one above; nothing is inherited from that."""
    clock: Literal["calendar", "business"] = "calendar"
    """The clock of first response, average response and resolution times and of the age of its backlog: all time,
    or only while the queue is open."""
    definitions: Choice | None = None
    """Names among `definitions`: figures are judged by the first, the others are beside them. By channel, if it has several."""
    target: float | None = Field(default=None, ge=0, le=1)
    """The service level that it is to reach, shown beside the figure; 0.8 is 80 %."""
    reply_target_seconds: int | None = Field(default=None, ge=1, le=31_536_000)
    """How long a customer may wait for a reply before it is overdue; by default the service level's threshold, only in reply channels."""
    sources: Sources = ()
    """The `source` names in its events. While one is silent the page marks its figures; without a list, while any is."""


class Team(Model):
    """Where a team belongs."""

    site: Name | None = None
    """One of `sites`."""
    business: Name | None = None
    """The business whose figures count its agents."""
    costs: TeamCosts | None = None
    """Differences from `costs` for this team."""
    sources: Sources = ()
    """The `source` names in its agents' events. While one is silent the page marks its figures; without a list, while any is."""


Identity = Annotated[str, BeforeValidator(number_as_text), Field(pattern=_ID)]


class Person(Model):
    """Where an agent belongs unless the events name another team or site, and the agent's ids on platforms."""

    team: Name | None = None
    """One of `teams`."""
    site: Name | None = None
    """One of `sites`; without it the team's."""
    identities: dict[Name, Annotated[tuple[Identity, ...], Field(strict=False)]] = Field(default_factory=dict)
    """By source, the ids that this agent has there. Connectors and the gateway publish the agent's name in their place,
    so that an agent on two platforms counts as one."""
