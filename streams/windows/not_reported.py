"""Figures of a scope that are null because no source that feeds it reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from streams.configuration import Configuration
    from streams.configuration.places import Queue, Team

__all__ = ["not_reported"]


def not_reported(configuration: Configuration, scope: str, channel: str | None) -> frozenset[str]:
    """Return the figures that are null in a scope; ``channel`` is None for figures about agents."""
    silent = {name: frozenset(source.not_reported) for name, source in configuration.sources.items()}
    if not any(silent.values()):
        return frozenset()
    kind, _, name = scope.partition(":")
    feeding = _feeding(configuration, kind, name, channel)
    sources = _all(configuration) if feeding is None else feeding
    return frozenset.intersection(*(silent.get(source, frozenset()) for source in sources))


def _feeding(configuration: Configuration, kind: str, name: str, channel: str | None) -> Collection[str] | None:
    """Return the sources that feed a scope; None: all sources."""
    if kind == "queue":
        return _listed([configuration.queues.get(name)])
    if kind in {"team", "agent"}:
        team = name if kind == "team" else configuration.place_of_person(name)[0]
        return _listed([configuration.teams.get(team or "")])
    if kind == "total":
        return None
    queues = [queue for queue in configuration.queues.values() if queue.channel is None or channel is None or queue.channel == channel]
    groups: Iterable[Queue | Team] = configuration.teams.values() if channel is None else queues
    return _listed([group for group in groups if getattr(group, kind, None) == name])


def _listed(groups: Collection[Queue | Team | None]) -> Collection[str] | None:
    """Return the sources of queues or teams; None if any of them accepts all sources, or there is none."""
    lists = [() if group is None else group.sources for group in groups]
    return {source for sources in lists for source in sources} if lists and all(lists) else None


def _all(configuration: Configuration) -> Collection[str]:
    groups: Iterable[Queue | Team] = (*configuration.queues.values(), *configuration.teams.values())
    return {*configuration.sources, *(source for group in groups for source in group.sources)}
