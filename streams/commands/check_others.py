"""Files other than a configuration for ``contact-streams check``; this module imports the models of all events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.commands.check_names import Named, in_access, in_connectors, in_senders
from streams.configuration.access import AccessFile, load_access
from streams.configuration.connectors import ConnectorsError, ConnectorsFile, parse_connectors
from streams.configuration.problems import read_text
from streams.configuration.senders import SendersFile, load_senders
from streams.connectors.configured import read_connectors
from streams.connectors.mapping import load_mapping
from streams.connectors.mapping.format import MappingFile
from streams.connectors.permissions import Names, Permissions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.configuration.senders import Sender

__all__ = ["KEYS", "SUMMARIES"]

#: The keys that a file of each kind may have.
KEYS: Final = {
    "access": frozenset(AccessFile.model_fields),
    "senders": frozenset(SendersFile.model_fields),
    "connectors": frozenset(ConnectorsFile.model_fields),
    "mapping": frozenset(MappingFile.keys()),
}


#: The summary of a file, and the names that it uses.
_Content = tuple[dict[str, Any], list[Named]]


def _of_mapping(path: Path) -> _Content:
    mapping = load_mapping(path)
    file, columns = mapping.plan.file, {name for _, name in mapping.plan.paths}
    return {"name": file.name, "source": file.source, "events": len(file.events), "columns": len(columns)}, []


def _of_senders(path: Path) -> _Content:
    """Return the permissions of each sender."""
    file = load_senders(path)
    return {name: _of_sender(name, sender) for name, sender in file.senders.items()}, [*in_senders(file)]


def _of_sender(name: str, sender: Sender) -> dict[str, Any]:
    may = Permissions.of(name, sender)
    tokens = {token.name: {"not_before": token.not_before, "not_after": token.not_after} for token in sender.tokens}
    permitted = {"sources": may.sources, "types": None if sender.types is None else Names(sender.types), "queues": may.queues}
    permitted |= {"sites": may.sites, "teams": may.teams}
    return {"tokens": tokens, **{what: ["*"] if names is None else [*names.patterns] for what, names in permitted.items()}}


def _of_connectors(path: Path) -> _Content:
    """Return the platform of each connector; secrets are not read, as they may be on another machine."""
    text = read_text(path, ConnectorsError)
    entries, file = read_connectors(path, text, secrets=False), parse_connectors(path, text)
    summary = {
        source: {
            "connector": entry.connector.name,
            "site": entry.site,
            "ways": [*entry.connector.ways],
            "names_secrets": bool(file.connectors[source].secrets),
        }
        for source, entry in entries.items()
    }
    return summary, [*in_connectors(file)]


def _of_access(path: Path) -> _Content:
    """Return the number of entries by kind; ``contact-streams access check`` lists what they permit."""
    file = load_access(path)
    return {kind: len(getattr(file, kind)) for kind in ("tokens", "users", "groups", "kiosks", "certificates")}, [*in_access(file)]


#: Kind of a file → function that returns its content; raises FileError.
SUMMARIES: Final[dict[str, Callable[[Path], _Content]]] = {
    "mapping": _of_mapping,
    "senders": _of_senders,
    "connectors": _of_connectors,
    "access": _of_access,
}
