"""The scopes in which people count: sections 2 and 13 of ``docs/counting.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.configuration.models import Configuration

__all__ = ["has_own_figures", "scopes_of_agent", "scopes_of_place", "team_and_site"]


def team_and_site(person: str, team: str | None, site: str | None, configuration: Configuration) -> tuple[str | None, str | None]:
    """Return team and site: as events named them, else as configured for the person; the site at last as configured for the team."""
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
    """Say whether the configuration puts the person at a site that permits figures of single people."""
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
