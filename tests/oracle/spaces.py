"""The space of an id: section 3 of ``docs/counting.md``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.agent import AgentModel
    from schemas.other import CustomerModel
    from streams.configuration.models import Configuration

__all__ = ["as_known_in", "person_of", "space_of", "with_ids_of_its_own"]

#: The space of agents whom the configuration joins over several sources.
OF_THE_CONFIGURATION = ""


def space_of(source: str, configuration: Configuration) -> str:
    """Return the name of the space of a source: of the sources that share its ids."""
    for patterns in configuration.joined_sources:
        for pattern in patterns:
            if re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), source):
                return patterns[0]
    return source


def with_ids_of_its_own(event: CustomerModel, configuration: Configuration) -> CustomerModel:
    """Return an event of a customer with ids that no other space has."""
    ids = {name: value for name in ("event_id", "order_id") if (value := getattr(event, name, None)) is not None}
    space = space_of(event.source, configuration)
    return event.model_copy(update={name: f"{value} of {space}" for name, value in ids.items()})


def _spaces_of_person(name: str, configuration: Configuration) -> set[str]:
    person = configuration.people.get(name)
    return set() if person is None else {space_of(source, configuration) for source in person.identities}


def person_of(event: AgentModel, configuration: Configuration) -> tuple[str, str]:
    """Return the space and the id of an event's person."""
    space = space_of(event.source, configuration)
    return (OF_THE_CONFIGURATION if space in _spaces_of_person(event.person_id, configuration) else space), event.person_id


def as_known_in(space: str, configuration: Configuration) -> Configuration:
    """Return the configuration without the agents whose ids name other agents in a space."""
    strangers = {
        name
        for name, person in configuration.people.items()
        if person.identities and space not in {OF_THE_CONFIGURATION, *_spaces_of_person(name, configuration)}
    }
    if not strangers:
        return configuration
    return configuration.model_copy(update={"people": {name: each for name, each in configuration.people.items() if name not in strangers}})
