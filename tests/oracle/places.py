"""The scopes in which agents count: sections 2 and 13 of ``docs/counting.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.configuration.models import Configuration

__all__ = ["has_own_figures", "never_reported", "scopes_of_agent", "scopes_of_place", "team_and_site"]


def team_and_site(person: str, team: str | None, site: str | None, configuration: Configuration) -> tuple[str | None, str | None]:
    """Return team and site from events, else from the person's entry; the site last from the team's entry."""
    known = configuration.people.get(person)
    team = team or (known.team if known else None)
    of_team = configuration.teams.get(team) if team is not None else None
    return team, site or (known.site if known else None) or (of_team.site if of_team else None)


def scopes_of_place(team: str | None, site: str | None, configuration: Configuration) -> tuple[str, ...]:
    """Return the scopes of a team at a site."""
    of_team = configuration.teams.get(team) if team is not None else None
    business = of_team.business if of_team else None
    named = (("team", team), ("site", site), ("business", business))
    return (*(f"{kind}:{name}" for kind, name in named if name is not None), "total:all")


def has_own_figures(person: str, configuration: Configuration) -> bool:
    """Return whether the person is configured at a site that permits figures of single people."""
    if person not in configuration.people:
        return False
    site = team_and_site(person, None, None, configuration)[1]
    return site in configuration.sites and configuration.sites[site].individual_figures


def scopes_of_agent(agent: str | None, configuration: Configuration) -> tuple[str, ...]:
    """Return the scopes in which the contacts of an agent count."""
    if agent is None or agent not in configuration.people:
        return ("total:all",)
    scopes = scopes_of_place(*team_and_site(agent, None, None, configuration), configuration)
    return (f"agent:{agent}", *scopes) if has_own_figures(agent, configuration) else scopes


def never_reported(scope: str, channel: str | None, configuration: Configuration) -> set[str]:
    """Return the figures that no source of a scope reports: ``not_reported`` of ``sources``."""
    lists = [queue.sources for queue in configuration.queues.values()] + [team.sources for team in configuration.teams.values()]
    all_sources = set(configuration.sources).union(*lists)
    kind, name = scope.split(":", 1)
    source_lists: list[tuple[str, ...]] = []
    for queue_name, queue in configuration.queues.items():
        at = {"queue": queue_name, "department": queue.department, "business": queue.business, "site": queue.site}
        in_channel = kind == "queue" or queue.channel is None or queue.channel == channel
        if at.get(kind) == name and in_channel and (channel is not None or kind == "queue"):
            source_lists.append(queue.sources)
    for team_name, team in configuration.teams.items():
        person = configuration.people.get(name) if kind == "agent" else None
        at = {"team": team_name, "agent": name if person and person.team == team_name else None}
        at |= {"site": team.site, "business": team.business} if channel is None else {}
        if at.get(kind) == name:
            source_lists.append(team.sources)
    sources = {each for sources in source_lists for each in sources} if source_lists and () not in source_lists else all_sources
    silent = [set(configuration.sources[each].not_reported) if each in configuration.sources else set() for each in sources]
    return set.intersection(*silent) if silent else set()
