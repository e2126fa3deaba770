"""Events of agents: one model a kind, published keyed by `person_id`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import MAX_LIST, Channel, Count, Event, Id, Label, Name, Time, hold
from schemas.limits import far_fetched_plan
from schemas.times import to_ms

__all__ = ["AgentHeartbeat", "AgentModel", "AgentSkillsChanged", "AgentStateChanged", "SchedulePlanned"]


class AgentModel(Event):
    """What every agent event carries beside the common fields."""

    person_id: Id
    """One human: the configured join of that person's identities in several platforms."""


class AgentStateChanged(AgentModel):
    """An agent entered another state on one axis."""

    type: Literal["agent.state_changed"] = "agent.state_changed"
    axis: Literal["presence", "routing", "activity"]
    """What the state is about: presence, readiness for work, work."""
    state: Label
    """The state the agent is in now."""
    reason: Label | None = None
    """Why, in the platform's own term."""
    channel: Channel | None = None
    """The channel the state holds for; absent means all."""
    capacity: Count | None = None
    """How many contacts of the channel the agent can take at a time."""
    in_use: Count | None = None
    """How many the agent has."""
    team: Name | None = None
    """The team the agent belongs to."""


class AgentSkillsChanged(AgentModel):
    """The queues or skills of an agent changed; each list is complete and replaces the last."""

    type: Literal["agent.skills_changed"] = "agent.skills_changed"
    queues: Annotated[tuple[Name, ...], Field(max_length=MAX_LIST)] | None = None
    """The queues the agent serves."""
    skills: Annotated[tuple[Label, ...], Field(max_length=MAX_LIST)] | None = None
    """The skills the agent has."""
    team: Name | None = None
    """The team the agent belongs to."""


class AgentHeartbeat(AgentModel):
    """The platform still reports this agent; nothing changed."""

    type: Literal["agent.heartbeat"] = "agent.heartbeat"


class SchedulePlanned(AgentModel):
    """An agent is planned to do something from `start` to `end`."""

    type: Literal["schedule.planned"] = "schedule.planned"
    activity: Label
    """What is planned: work, break, training, leave."""
    start: Time
    """When it begins."""
    end: Time
    """When it ends: at most 31 days after `start`, and 400 days after `occurred_at`."""

    @model_validator(mode="after")
    def _is_near(self) -> Self:
        hold(far_fetched_plan(to_ms(self.occurred_at), to_ms(self.start), to_ms(self.end)))
        return self
