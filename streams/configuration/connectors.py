"""The connectors file: the followed platforms by source, with their settings. It holds no secret, and none is read here."""

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
PERMITTED[_VARIABLE] = "the name of an environment variable"
PERMITTED[_PUBLIC_URL] = "an address such as https://hooks.example.com"

_MAX_CONNECTORS, _MAX_SECRETS, _MAX_SETTINGS = 200, 10, 100


class ConnectorsError(FileError):
    """The connectors file cannot be used."""


def _is_location(given: object) -> object:
    # A wrong value here may be the secret itself: no message shows it.
    if not isinstance(given, (dict, SecretPlace)):
        message = "this file holds no secrets; permitted: {env: NAME} or {file: PATH}"
        raise refuse(message)
    return given


class SecretPlace(Model):
    """The location of a secret, never its value."""

    env: Annotated[str, Field(pattern=_VARIABLE)] | None = None
    """The environment variable that holds it."""
    file: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """The file that holds only the secret, such as a mounted one; white space at its ends does not count."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            message = "names no location, or two; permitted: {env: NAME} or {file: PATH}"
            raise refuse(message)
        return self

    @property
    def text(self) -> str:
        """The location as text."""
        return f"the variable {self.env}" if self.env is not None else f"the file {self.file}"


_Location = Annotated[SecretPlace, BeforeValidator(_is_location)]


class ConnectorEntry(Model):
    """One followed platform."""

    connector: Annotated[str, Field(pattern=_CONNECTOR)]
    """The connector that reads it."""
    site: Name | None = None
    """The site of its events, where they name none."""
    zone: Zone = "UTC"
    """The time zone of its times without an offset."""
    secrets: Annotated[tuple[_Location, ...], Field(strict=False, max_length=_MAX_SECRETS)] = ()
    """The locations of the secrets that verify its webhooks: several at a time, while one replaces another."""
    verify_by: Literal["signature", "token"] = "signature"
    """With `token` its webhooks carry the secret itself, as `Authorization: Bearer` or as `token` in the address, in place of a
    signature: for versions and plans of the platform that sign nothing."""
    verify_token: _Location | None = None
    """The location of the text that a platform repeats when the address of its webhooks is registered there (Facebook)."""
    credentials: dict[Annotated[str, Field(pattern=_SETTING)], _Location] = Field(default_factory=dict, max_length=_MAX_SECRETS)
    """The locations of the credentials for requests to the platform, by the connector's names for them."""
    settings: dict[Annotated[str, Field(pattern=_SETTING)], Any] = Field(default_factory=dict, max_length=_MAX_SETTINGS)
    """The connector's own settings by name."""


class ConnectorsFile(Model):
    """The entire file."""

    public_url: Annotated[str, Field(pattern=_PUBLIC_URL)] | None = None
    """The beginning of the gateway's address as platforms reach it; needed by those that sign it (Twilio)."""
    connectors: dict[Annotated[str, Field(pattern=_SOURCE)], ConnectorEntry] = Field(max_length=_MAX_CONNECTORS)
    """Platforms by the `source` of their events, which also names their webhooks: `/v1/hooks/NAME`."""


def parse_connectors(path: Path, text: str) -> ConnectorsFile:
    """Return the connectors in the text of ``path``.

    Raises:
        ConnectorsError: it is no YAML, or has something that is not permitted; the error names all of that, and no secret.
    """
    return read_model(path, text, ConnectorsFile, lambda wrong, document: problems_of(wrong, document, _worded), ConnectorsError)


#: Values near these may be secrets.
_NEAR_SECRETS: Final = frozenset({"secrets", "verify_token", "credentials"})


def _worded(error: Any) -> tuple[tuple[int | str, ...], str]:
    """Return location and reason; values near a secret are not shown."""
    schema = connectors_schema()
    if not _NEAR_SECRETS & set(error["loc"]) or error["type"] in {"refused", "missing"}:
        return worded(error, schema)
    at, here = schema_at(schema, error["loc"])
    return at, f"not permitted; permitted: {permitted(here, schema)}"


def connectors_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    return ConnectorsFile.model_json_schema()
