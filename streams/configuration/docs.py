"""Write the tables of ``docs/configuration.md`` and the JSON Schemas of the files from the models, or check that they are current."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.generated import keep_current, options
from streams.configuration.access import (
    AccessFile,
    CertificateEntry,
    KioskEntry,
    Provider,
    RoleGrant,
    SessionLimits,
    TokenEntry,
    UserEntry,
    access_schema,
)
from streams.configuration.alert_conditions import AlertCondition
from streams.configuration.alert_messages import AlertMessage
from streams.configuration.alerting import (
    Alerting,
    Escalation,
    LineReceiver,
    MailReceiver,
    Route,
    SlackReceiver,
    TeamsReceiver,
    WebhookReceiver,
)
from streams.configuration.alerts import AlertRule
from streams.configuration.base import Model
from streams.configuration.boards import AlertsTile, Board, BoardPage, FigureTile, MapTile, OfQueues, QueuesTile, TextTile, Words
from streams.configuration.calendar_exceptions import CalendarException
from streams.configuration.connectors import ConnectorEntry, ConnectorsFile, SecretPlace, connectors_schema
from streams.configuration.costs import Costs, TeamCosts
from streams.configuration.dead_letters import DeadLetterLimits, SourceLimits
from streams.configuration.definitions import DefinitionVersion
from streams.configuration.faq import FaqChange
from streams.configuration.hours import Hours
from streams.configuration.loading import configuration_schema
from streams.configuration.models import Configuration, CountingSettings
from streams.configuration.places import Person, Queue, Site, Team
from streams.configuration.senders import Sender, SenderToken, senders_schema
from streams.configuration.service_level import ServiceLevelDefinition
from streams.configuration.sources import Source
from streams.configuration.targets import Target
from streams.configuration.wording import permitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ACCESS_SCHEMA", "CONNECTORS_SCHEMA", "MODELS", "PAGE", "SCHEMA", "SENDERS_SCHEMA", "main", "page", "schema"]

_COMMAND = "streams.configuration.docs"

_ROOT: Final = Path(__file__).parents[2]

#: The page in a checkout: only the parts between ``<!-- keys: MODEL -->`` and ``<!-- end -->`` are generated.
PAGE: Final = _ROOT / "docs" / "configuration.md"

#: The schema in a checkout, for editors.
SCHEMA: Final = _ROOT / "schemas" / "configuration.json"
SENDERS_SCHEMA: Final = _ROOT / "schemas" / "senders.json"
ACCESS_SCHEMA: Final = _ROOT / "schemas" / "access.json"
CONNECTORS_SCHEMA: Final = _ROOT / "schemas" / "connectors.json"

#: Each has one table on the page.
MODELS: Final[tuple[type[Model], ...]] = (
    Configuration,
    Site,
    Hours,
    Queue,
    ServiceLevelDefinition,
    DefinitionVersion,
    Team,
    Costs,
    TeamCosts,
    Person,
    Source,
    CalendarException,
    CountingSettings,
    AlertCondition,
    AlertRule,
    AlertMessage,
    Alerting,
    Route,
    Escalation,
    WebhookReceiver,
    SlackReceiver,
    TeamsReceiver,
    LineReceiver,
    MailReceiver,
    Target,
    Board,
    BoardPage,
    FigureTile,
    OfQueues,
    QueuesTile,
    MapTile,
    AlertsTile,
    TextTile,
    Words,
    FaqChange,
    DeadLetterLimits,
    SourceLimits,
    Sender,
    SenderToken,
    ConnectorsFile,
    ConnectorEntry,
    SecretPlace,
    AccessFile,
    RoleGrant,
    TokenEntry,
    UserEntry,
    KioskEntry,
    CertificateEntry,
    Provider,
    SessionLimits,
)

#: Models that inherit from these do not show the inherited keys again.
_BASES: Final[tuple[type[Model], ...]] = (AlertCondition, Hours, OfQueues, ServiceLevelDefinition)

_TABLE: Final = re.compile(r"(?<=<!-- keys: )(\w+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


@cache
def _describe() -> None:
    """Set the descriptions of all models' fields from the texts under them, which pydantic would do at each start of any command."""
    models = [*_all_below(Model)]
    for model in models:
        for name, text in _texts(model):
            field = model.__pydantic_fields__.get(name)
            if field is not None and field.description is None:
                field.description = text
        for built in ("__pydantic_core_schema__", "__pydantic_validator__", "__pydantic_serializer__"):
            if built in model.__dict__:
                delattr(model, built)
    for model in models:
        model.model_rebuild(force=True)


def _all_below(model: type[Model]) -> Iterator[type[Model]]:
    for subclass in model.__subclasses__():
        yield subclass
        yield from _all_below(subclass)


def _texts(model: type[Model]) -> Iterator[tuple[str, str]]:
    """Yield each field of a model, also inherited, and the text under it."""
    for base in model.__mro__:
        if not issubclass(base, Model):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        for field, text in pairwise(getattr(definition, "body", ())):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                description = getattr(text.value, "value", None)
                if isinstance(description, str):
                    yield field.target.id, inspect.cleandoc(description)


def page(text: str) -> str:
    """Return the text of the page with its tables generated from the models."""
    _describe()
    tables = {model.__name__: _table(model) for model in MODELS}
    return _TABLE.sub(lambda match: match[1] + match[2] + tables[match[1]], text)


def schema(name: str = "configuration", of: Callable[[], dict[str, Any]] = configuration_schema) -> str:
    """Return the text of a file's JSON Schema; by default that of the configuration."""
    _describe()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:contact-streams:{name}"}
    return json.dumps({**head, **of()}, indent=2, ensure_ascii=False) + "\n"


def _table(model: type[Model]) -> str:
    of_model = configuration_schema() if model is Configuration else model.model_json_schema()
    inherited = next((base.model_fields for base in _BASES if issubclass(model, base) and model is not base), {})
    rows = [_row(name, entry, of_model) for name, entry in of_model["properties"].items() if name not in inherited]
    return "| key | permitted | default | meaning |\n| --- | --- | --- | --- |\n" + "".join(rows)


def _row(name: str, entry: dict[str, Any], of_model: dict[str, Any]) -> str:
    meaning = " ".join(entry.get("description", "").split())
    cells = (f"`{name}`", _permitted(entry, of_model), _default(name, entry, of_model), meaning)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _permitted(entry: dict[str, Any], of_model: dict[str, Any]) -> str:
    """Return what is permitted; keys with a table of their own are not listed again."""
    reference = next((model for model in MODELS if f"#/$defs/{model.__name__}'" in str(entry)), None)
    if reference is None:
        return permitted(entry, of_model)
    of_names = "additionalProperties" in entry or "patternProperties" in entry
    return "names, each with the keys below" if of_names else "the keys below"


def _default(name: str, entry: dict[str, Any], of_model: dict[str, Any]) -> str:
    if name in of_model.get("required", ()):
        return "required"
    value = entry.get("default")
    if isinstance(value, list):
        return ", ".join(map(str, sorted(value, key=str) if entry.get("uniqueItems") else value)) or "–"
    return "–" if value is None or isinstance(value, dict) else str(value)


def main(arguments: list[str] | None = None) -> int:
    """Write what is out of date, or with ``--check`` return 1 when something is."""
    parser = options(_COMMAND, __doc__)
    parser.add_argument("--page", type=Path, default=PAGE, help="the page, if it is not docs/configuration.md of this checkout")
    parser.add_argument("--schema", type=Path, default=SCHEMA, help="the schema, if it is not schemas/configuration.json of this checkout")
    given = parser.parse_args(arguments)
    files = [
        (given.page, page(given.page.read_text(encoding="utf-8"))),
        (given.schema, schema()),
        (SENDERS_SCHEMA, schema("senders", senders_schema)),
        (CONNECTORS_SCHEMA, schema("connectors", connectors_schema)),
        (ACCESS_SCHEMA, schema("access", access_schema)),
    ]
    return keep_current(_COMMAND, files, check=given.check)


if __name__ == "__main__":
    sys.exit(main())
