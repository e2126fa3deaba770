"""What a person is taken to be doing: from states on three axes to one category."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from streams.configuration import Configuration

__all__ = ["PersonFact", "Standing", "StateMap"]

#: (occurred_ms, sequence, event_id, axis or "", category of the axis or "", team, site)
PersonFact = tuple[int, int, str, str, str, str | None, str | None]

_DEFAULT_STATES: dict[str, dict[str, str]] = {
    "presence": {
        **dict.fromkeys(("available", "online", "ready", "on_queue"), "ready"),
        **dict.fromkeys(("offline", "logged_out", "signed_out"), "offline"),
    },
    "routing": {
        **dict.fromkeys(("idle", "ready"), "idle"),
        **dict.fromkeys(("interacting", "communicating"), "handling"),
    },
    "activity": {
        **dict.fromkeys(("idle", "ready", "ringing"), "idle"),
        **dict.fromkeys(("wrap_up", "after_contact_work"), "wrap_up"),
    },
}
_OTHERWISE = {"presence": "unavailable", "routing": "unavailable", "activity": "handling"}


class StateMap:
    """From a platform's states to categories."""

    def __init__(self, configuration: Configuration) -> None:
        self._states: dict[str, dict[str, str]] = {axis: dict(states) for axis, states in _DEFAULT_STATES.items()}
        for axis, states in configuration.agent_state_map.items():
            self._states[axis].update({_normal(state): category for state, category in states.items()})

    def category(self, axis: str, state: str) -> str:
        """Return the category of a state on an axis."""
        return self._states[axis].get(_normal(state), _OTHERWISE[axis])


def _normal(state: str) -> str:
    return state.lower().replace(" ", "_").replace("-", "_")


class Standing(NamedTuple):
    """Where a person stands: the category of each axis, team and site as last named."""

    presence: str = ""
    routing: str = ""
    activity: str = ""
    team: str | None = None
    site: str | None = None

    def after(self, fact: PersonFact) -> Standing:
        """Return where the person stands once a fact is known."""
        presence, routing, activity, team, site = self
        axis, category = fact[3], fact[4]
        if axis == "activity":
            activity = category
        elif axis == "presence":
            presence = category
        elif axis == "routing":
            routing = category
        return Standing(presence, routing, activity, team if fact[5] is None else fact[5], site if fact[6] is None else fact[6])

    def category(self) -> str | None:
        """Return what the person is taken to be doing, None if nothing is known."""
        return _category(self.presence, self.routing, self.activity)


@lru_cache(maxsize=1024)
def _category(presence: str, routing: str, activity: str) -> str | None:
    for holds, category in (
        (presence == "offline", "offline"),
        (activity == "handling", "handling"),
        (activity == "wrap_up", "wrap_up"),
        (routing == "handling", "handling"),
        (presence == "unavailable", "unavailable"),
        (routing == "unavailable", "unavailable"),
        (activity == "idle" or routing == "idle", "idle"),
        (presence == "ready", "available"),
    ):
        if holds:
            return category
    return None
