"""Who is a member of which queue, and paused there: the little a presence needs that no single line says."""

from __future__ import annotations

__all__ = ["Membership"]


class Membership:
    """People's queues, as a log has told them so far.

    A person is available while one of the known queues may ring them, paused when none may, and offline once
    removed from all of them, or logged off. Queues that were never named are not known: of a member from the configuration
    file the log tells only what changes. Each call returns the person's presence after it.
    """

    def __init__(self) -> None:
        # Person → queue → why they are paused there, None if they are not.
        self._queues: dict[str, dict[str, str | None]] = {}
        # Who logged off: what is said of their queues until they are back is bookkeeping.
        self._away: set[str] = set()

    def state(self) -> dict[str, dict[str, str | None]]:
        """Return the queues of everybody, as JSON."""
        return {person: dict(queues) for person, queues in self._queues.items()}

    def away(self) -> list[str]:
        """Return who is logged off, as JSON."""
        return sorted(self._away)

    def restore(self, state: dict[str, dict[str, str | None]], away: list[str] | None = None) -> None:
        """Take over what ``state`` and ``away`` returned."""
        self._queues = {person: dict(queues) for person, queues in state.items()}
        self._away = set(away or ())

    def logged_on(self, person: str) -> str:
        """Have a person come."""
        self._away.discard(person)
        return "available"

    def logged_off(self, person: str) -> str:
        """Have a person go, whatever queues they are in."""
        self._away.add(person)
        return "offline"

    def added(self, person: str, queue: str, pause: str | None) -> str:
        """Take a person into a queue, paused from the start or not."""
        self._away.discard(person)
        self._queues.setdefault(person, {})[queue] = pause
        return self._presence(person, pause)

    def removed(self, person: str, queue: str) -> str:
        """Take a person out of a queue."""
        queues = self._queues.get(person, {})
        queues.pop(queue, None)
        if not queues:
            self._queues.pop(person, None)
            return "offline"
        return self._presence(person, None)

    def paused(self, person: str, queue: str, pause: str) -> str:
        """Pause a person in one queue."""
        self._queues.setdefault(person, {})[queue] = pause
        return self._presence(person, pause)

    def unpaused(self, person: str, queue: str) -> str:
        """End a person's pause in one queue."""
        self._queues.setdefault(person, {})[queue] = None
        return self._presence(person, None)

    def paused_everywhere(self, person: str, pause: str) -> str:
        """Pause a person in all queues."""
        for queue in self._queues.get(person, {}):
            self._queues[person][queue] = pause
        return "offline" if person in self._away else pause

    def unpaused_everywhere(self, person: str) -> str:
        """End a person's pause in all queues."""
        for queue in self._queues.get(person, {}):
            self._queues[person][queue] = None
        return "offline" if person in self._away else "available"

    def _presence(self, person: str, latest: str | None) -> str:
        if person in self._away:
            return "offline"
        pauses = list(self._queues[person].values())
        if None in pauses:
            return "available"
        return latest or next(pause for pause in reversed(pauses) if pause)
