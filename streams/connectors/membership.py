"""Queue membership and pauses of agents: the state behind a presence, which no single line holds."""

from __future__ import annotations

__all__ = ["Membership"]


class Membership:
    """The queues of agents, as far as a log has reported them.

    An agent is available while one of the known queues may ring them, paused when none may, and offline once
    removed from all of them, or logged off. Queues that were never named are not known: of a member from the configuration
    file the log reports only changes. Each call returns the agent's presence after it.
    """

    def __init__(self) -> None:
        # Agent → queue → why the agent is paused there, None if not.
        self._queues: dict[str, dict[str, str | None]] = {}
        # Agents who logged off: until they return, changes of their queues do not change their presence.
        self._logged_off: set[str] = set()

    def state(self) -> dict[str, dict[str, str | None]]:
        """Return the queues by agent, as JSON."""
        return {agent: dict(queues) for agent, queues in self._queues.items()}

    def away(self) -> list[str]:
        """Return the agents who are logged off, as JSON."""
        return sorted(self._logged_off)

    def restore(self, state: dict[str, dict[str, str | None]], away: list[str] | None = None) -> None:
        """Restore what ``state`` and ``away`` returned."""
        self._queues = {agent: dict(queues) for agent, queues in state.items()}
        self._logged_off = set(away or ())

    def logged_on(self, agent: str) -> str:
        """Record that an agent logged on."""
        self._logged_off.discard(agent)
        return "available"

    def logged_off(self, agent: str) -> str:
        """Record that an agent logged off, whatever queues the agent is in."""
        self._logged_off.add(agent)
        return "offline"

    def added(self, agent: str, queue: str, pause: str | None) -> str:
        """Add an agent to a queue, paused from the start or not."""
        self._logged_off.discard(agent)
        self._queues.setdefault(agent, {})[queue] = pause
        return self._presence(agent, pause)

    def removed(self, agent: str, queue: str) -> str:
        """Remove an agent from a queue."""
        queues = self._queues.get(agent, {})
        queues.pop(queue, None)
        if not queues:
            self._queues.pop(agent, None)
            return "offline"
        return self._presence(agent, None)

    def paused(self, agent: str, queue: str, pause: str) -> str:
        """Pause an agent in one queue."""
        self._queues.setdefault(agent, {})[queue] = pause
        return self._presence(agent, pause)

    def unpaused(self, agent: str, queue: str) -> str:
        """End an agent's pause in one queue."""
        self._queues.setdefault(agent, {})[queue] = None
        return self._presence(agent, None)

    def paused_everywhere(self, agent: str, pause: str) -> str:
        """Pause an agent in all queues."""
        for queue in self._queues.get(agent, {}):
            self._queues[agent][queue] = pause
        return "offline" if agent in self._logged_off else pause

    def unpaused_everywhere(self, agent: str) -> str:
        """End an agent's pause in all queues."""
        for queue in self._queues.get(agent, {}):
            self._queues[agent][queue] = None
        return "offline" if agent in self._logged_off else "available"

    def _presence(self, agent: str, latest: str | None) -> str:
        if agent in self._logged_off:
            return "offline"
        pauses = list(self._queues[agent].values())
        if None in pauses:
            return "available"
        return latest or next(pause for pause in reversed(pauses) if pause)
