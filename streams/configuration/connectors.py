"""The connectors file: which platforms are followed, by source, with what settings; no secret stands in it, and none is read here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from streams.configuration.base import PERMITTED, Model, Name, Zone, refuse
from streams.configuration.problems import FileError
from streams.configuration.reading import problems_of, read_model
from streams.configuration.wording import permitted, schema_at, worded

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

__all__ = [
    "ConnectorEntry",
    "ConnectorsError",
    "ConnectorsFile",
    "SecretPlace",
    "connectors_schema",
    "parse_connectors",
]

_SOURCE: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$"
_CONNECTOR: Final = r"^[a-z0-9][a-z0-9-]{0,39}$"
_SETTING: Final = r"^[a-z][a-z0-9_]{0,39}$"
_VARIABLE: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"
_PUBLIC_URL: Final = r"^https?://[!-~]{1,190}$"
PERMITTED[_SOURCE] = "a name of 1 to 80 letters, digits and _ . -"
PERMITTED[_CONNECTOR] = "a name that `contact-streams connectors list` shows"
PERMITTED[_SETTING] = "a name that `contact-streams connectors show` shows"
PERMITTED[_VARIABLE] = "the name of a variable of the environment"
PERMITTED[_PUBLIC_URL] = "an address such as https://hooks.example.com"

_MAX_CONNECTORS, _MAX_SECRETS, _MAX_SETTINGS = 200, 10, 100


class ConnectorsError(FileError):
    """The connectors file cannot be used."""


def _is_place(given: object) -> object:
    # What stands in the place of a place may be the secret: no message shows it.
    if not isinstance(given, (dict, SecretPlace)):
        message = "no secret stands in this file; permitted: {env: NAME} or {file: PATH}"
        raise refuse(message)
    return given


class SecretPlace(Model):
    """Where a secret is: the file says that alone."""

    env: Annotated[str, Field(pattern=_VARIABLE)] | None = None
    """The variable of the environment that holds it."""
    file: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """The file that holds it alone, such as a mounted secret; white space at its ends does not count."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            message = "names no place, or two; permitted: {env: NAME} or {file: PATH}"
            raise refuse(message)
        return self

    @property
    def said(self) -> str:
        """The place in words."""
        return f"the variable {self.env}" if self.env is not None else f"the file {self.file}"


_Place = Annotated[SecretPlace, BeforeValidator(_is_place)]


class ConnectorEntry(Model):
    """One platform that is followed."""

    connector: Annotated[str, Field(pattern=_CONNECTOR)]
    """Which connector understands it."""
    site: Name | None = None
    """The site its events belong to, where they name none."""
    zone: Zone = "UTC"
    """The time zone of times that it writes without an offset."""
    secrets: Annotated[tuple[_Place, ...], Field(strict=False, max_length=_MAX_SECRETS)] = ()
    """Where the secrets are that its webhooks are verified with: several at a time, while one replaces another."""
    verify_by: Literal["signature", "token"] = "signature"
    """By `token` the secret itself is expected, as `Authorization: Bearer` or as `token` in the address, in place of the platform's own
    scheme: for versions and plans of it that sign nothing."""
    verify_token: _Place | None = None
    """Where the text is that a platform has to repeat when the address of its webhooks is entered there (Facebook)."""
    credentials: dict[Annotated[str, Field(pattern=_SETTING)], _Place] = Field(default_factory=dict, max_length=_MAX_SECRETS)
    """Where the credentials are that a platform is asked with, by the names that the connector gives them."""
    settings: dict[Annotated[str, Field(pattern=_SETTING)], Any] = Field(default_factory=dict, max_length=_MAX_SETTINGS)
    """The connector's own settings by name."""


class ConnectorsFile(Model):
    """Everything in the file."""

    public_url: Annotated[str, Field(pattern=_PUBLIC_URL)] | None = None
    """What the address of the gateway begins with where platforms reach it; needed by those that sign it (Twilio)."""
    connectors: dict[Annotated[str, Field(pattern=_SOURCE)], ConnectorEntry] = Field(max_length=_MAX_CONNECTORS)
    """Platforms by the `source` of their events, which also names their webhooks: `/v1/hooks/NAME`."""


def parse_connectors(path: Path, text: str) -> ConnectorsFile:
    """Return the connectors in the text of ``path``.

    Raises:
        ConnectorsError: it is no YAML, or says something that is not permitted; it names all of that, and no secret.
    """
    return read_model(path, text, ConnectorsFile, lambda wrong, document: problems_of(wrong, document, _worded), ConnectorsError)


#: What stands near these may be a secret.
_NEAR_SECRETS: Final = frozenset({"secrets", "verify_token", "credentials"})


def _worded(error: Any) -> tuple[tuple[int | str, ...], str]:
    """Return place and reason; what was found near a secret is not shown."""
    schema = connectors_schema()
    if not _NEAR_SECRETS & set(error["loc"]) or error["type"] in {"refused", "missing"}:
        return worded(error, schema)
    at, here = schema_at(schema, error["loc"])
    return at, f"not permitted; permitted: {permitted(here, schema)}"


def connectors_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    return ConnectorsFile.model_json_schema()
