"""Which definition judges what: section 14 of ``docs/counting.md``, read without the pipeline."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from schemas.times import to_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.configuration.models import Configuration, ServiceLevelDefinition
    from tests.oracle.conversation import Contribution

__all__ = ["Chosen", "chosen_for", "is_met", "is_over", "is_short", "judge_of", "side_by_side"]

#: A name and the version of it that is in force.
Chosen = tuple[str, "ServiceLevelDefinition"]


def _names(configuration: Configuration, scope: str, channel: str | None) -> tuple[str, ...]:
    """Return the names of a scope's definitions; none where only ``service_level`` of the file is there."""
    kind, name = scope.split(":", 1)
    queue = configuration.queues.get(name) if kind == "queue" else None
    if queue is not None and queue.service_level is not None:
        return ()
    for choice in ((queue.definitions if queue is not None else None), configuration.default_definitions):
        found: tuple[str, ...] | None = None if choice is None else choice.get(channel or "*", choice.get("*"))
        if found is not None:
            return found
    return ()


def _in_force(configuration: Configuration, name: str, at_ms: int, known: Mapping[str, int]) -> Chosen:
    versions = configuration.definitions[name]
    held = versions[0]
    for version in versions[1:]:
        since = [to_ms(datetime.fromisoformat(version.effective_from or "")), known.get(f"{name}@{version.version}", -(10**18))]
        if max(since) <= at_ms:
            held = version
    return name, held


def chosen_for(configuration: Configuration, scope: str, channel: str | None, at_ms: int, known: Mapping[str, int]) -> Chosen:
    """Return the definition of a scope's window that begins at an instant."""
    names = _names(configuration, scope, channel)
    if names:
        return _in_force(configuration, names[0], at_ms, known)
    kind, name = scope.split(":", 1)
    own = configuration.queues[name].service_level if kind == "queue" and name in configuration.queues else None
    return "service_level", own or configuration.service_level


def side_by_side(configuration: Configuration, scope: str, channel: str | None, at_ms: int, known: Mapping[str, int]) -> list[Chosen]:
    """Return the definitions computed beside it."""
    return [
        _in_force(configuration, name, at_ms, known)
        for name in _names(configuration, scope, channel)[1:]
        if known.get(f"{name}@{configuration.definitions[name][0].version}", at_ms) <= at_ms
    ]


def judge_of(configuration: Configuration, scope: str, queue: str | None, channel: str, at_ms: int, known: Mapping[str, int]) -> Chosen:
    """Return the definition for one contact of a queue in a scope: in a larger scope, the one that the queue names."""
    place = None if queue is None or scope.startswith("queue:") else configuration.queues.get(queue)
    if place is not None and place.definitions is not None:
        names = place.definitions.get(channel, place.definitions.get("*"))
        if names is not None:
            return _in_force(configuration, names[0], at_ms, known)
    return chosen_for(configuration, scope, channel, at_ms, known)


@cache
def _ms(seconds: float) -> Fraction:
    return Fraction(str(seconds)) * 1000


def is_met(definition: ServiceLevelDefinition, waited_ms: int) -> bool:
    """Return whether a wait is within the threshold."""
    threshold = _ms(definition.threshold_s)
    return waited_ms <= threshold if definition.boundary == "le" else waited_ms < threshold


def is_over(definition: ServiceLevelDefinition, wait_ms: int) -> bool:
    """Return whether a wait that has not ended has missed the threshold."""
    return not is_met(definition, wait_ms)


def is_short(definition: ServiceLevelDefinition, abandon: Contribution) -> bool:
    """Return whether an abandon is too short to count."""
    clock = abandon.waited_ms if definition.short_abandon_clock == "queue_enter" else abandon.in_system_ms
    return definition.short_abandon_s is not None and clock is not None and clock < _ms(definition.short_abandon_s)
