"""The connectors of a connectors file, ready to run: known platforms, valid settings, secrets read from where the file names them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from streams.configuration.base import nearest
from streams.configuration.connectors import ConnectorsError, ConnectorsFile, parse_connectors
from streams.configuration.problems import Problem
from streams.configuration.yaml_lines import line_of, parse
from streams.connectors import platforms
from streams.connectors.kit.model import PULL_SETTINGS, Connector, Context
from streams.connectors.kit.verification import Verification
from streams.connectors.kit.verifying import SecretError, Verifier
from streams.connectors.survey_links import LinkKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streams.configuration.connectors import ConnectorEntry, SecretPlace
    from streams.connectors.kit.model import Setting

__all__ = ["BY_TOKEN", "HOOKS_PATH", "Configured", "hook_problem", "read_connectors", "settings_of"]

#: Prefix of the path of a platform's webhooks; the source's name follows.
HOOKS_PATH: Final = "/v1/hooks/"

#: The verification of a sender that signs nothing, or is configured to be verified by a token.
BY_TOKEN: Final = Verification(kind="token", header="Authorization", prefix="Bearer ", query_parameter="token")

_MAX_SECRET_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """A configured connector."""

    source: str
    connector: Connector
    context: Context
    site: str | None
    #: The secrets that webhooks are verified with.
    secrets: tuple[str, ...] = field(repr=False)
    credentials: Mapping[str, str] = field(repr=False)
    verify_token: str | None = field(repr=False)
    #: Address of its webhooks as configured at the platform, without a query; empty where the file does not have it.
    hook_url: str
    verification: Verification


def hook_problem(entry: Configured) -> str:
    """Return why the gateway takes no webhooks of an entry, empty if it does."""
    connector = entry.connector
    if "webhook" not in connector.ways:
        return f"{connector.name} is not called by webhook"
    if connector.translate is None:
        return f"{connector.name} compares records with what it saw before, and is run by `contact-streams connector run`"
    return "" if entry.secrets else f"it names no secrets; write `secrets: [{{env: NAME}}]` under connectors.{entry.source}"


def read_connectors(
    path: Path,
    text: str,
    *,
    customer_key: Callable[[str], str] | None = None,
    environment: Mapping[str, str] | None = None,
    secrets: bool = True,
    credentials: bool = True,
    only: str | None = None,
) -> dict[str, Configured]:
    """Return the connectors in the text of ``path`` by source.

    Args:
        path: of the file; secrets in files are relative to its folder.
        text: of the file.
        customer_key: returns the keyed hash of what identifies a customer.
        environment: holds secrets by ``env``; by default the process's.
        secrets: whether to read them; a file can be checked where they are not available.
        credentials: whether to read the credentials for requests to platforms.
        only: the source to read; of the others no secret is read.

    Raises:
        ConnectorsError: an entry is not permitted, or a secret is missing; it names all of them with their lines, and no secret.
    """
    file = parse_connectors(path, text)
    if only is not None:
        file = file.model_copy(update={"connectors": {name: entry for name, entry in file.connectors.items() if name == only}})
    there = os.environ if environment is None else environment
    return _configured(path, text, file, customer_key, there, secrets=secrets, credentials=secrets and credentials)


def _configured(
    path: Path,
    text: str,
    file: ConnectorsFile,
    customer_key: Callable[[str], str] | None,
    environment: Mapping[str, str],
    *,
    secrets: bool,
    credentials: bool,
) -> dict[str, Configured]:
    """Return the connectors of a file, as ``read_connectors``."""
    configured: dict[str, Configured] = {}
    wrong: list[tuple[tuple[int | str, ...], str]] = []
    for source, entry in file.connectors.items():
        at = ("connectors", source)
        try:
            connector = platforms.connector(entry.connector)
        except KeyError:
            known = ", ".join(platforms.names())
            close = nearest(entry.connector, platforms.names())
            wrong.append(((*at, "connector"), f'"{entry.connector}" is none{close}; permitted: {known}'))
            continue
        wrong += [((*at, *where), why) for where, why in _settings_wrong(connector, entry)]
        reading = _Secrets(path.parent, environment, wrong)
        verification = BY_TOKEN if entry.verify_by == "token" or connector.verification is None else connector.verification
        texts = [reading.read((*at, "secrets", number), place) for number, place in enumerate(entry.secrets)] if secrets else []
        if secrets and entry.secrets and all(texts):
            wrong += [((*at, "secrets"), why) for why in _unfit(verification, [text or "" for text in texts])]
        if secrets and all(texts):
            wrong += [((*at, "secrets"), why) for why in _too_short_for_links(connector, [text or "" for text in texts])]
        if "url" in verification.signed and verification.kind == "hmac" and entry.secrets and file.public_url is None:
            wrong.append(((*at, "secrets"), f"{connector.title} signs the address it calls: write `public_url` at the top of the file"))
        verify_token = None if entry.verify_token is None or not secrets else reading.read((*at, "verify_token"), entry.verify_token)
        entries = entry.credentials.items() if credentials else ()
        given = {name: reading.read((*at, "credentials", name), place) for name, place in entries}
        configured[source] = Configured(
            source=source,
            connector=connector,
            context=Context(
                source=source,
                zone=ZoneInfo(entry.zone),
                customer_key=customer_key,
                settings={**{setting.name: setting.default for setting in settings_of(connector)}, **entry.settings},
            ),
            site=entry.site,
            secrets=tuple(text or "" for text in texts),
            credentials={name: text or "" for name, text in given.items()},
            verify_token=verify_token,
            hook_url="" if file.public_url is None else file.public_url.rstrip("/") + HOOKS_PATH + source,
            verification=verification,
        )
    if wrong:
        root = parse(text).root
        raise ConnectorsError(path, [Problem(line_of(root, at), ".".join(map(str, at)), why) for at, why in wrong])
    return configured


def settings_of(connector: Connector) -> tuple[Setting, ...]:
    """Return the settings of a connector, with those of every polling connector where it polls."""
    return connector.settings + (PULL_SETTINGS if "pull" in connector.ways else ())


def _settings_wrong(connector: Connector, entry: ConnectorEntry) -> Iterator[tuple[tuple[str, ...], str]]:
    settings = {setting.name: setting for setting in settings_of(connector)}
    credentials = [credential.name for credential in connector.credentials]
    for name in entry.credentials:
        if credentials and name not in credentials:
            yield (
                ("credentials", name),
                f"{connector.name} has no such one{nearest(name, credentials)}; permitted: {', '.join(credentials)}",
            )
    for name, value in entry.settings.items():
        setting = settings.get(name)
        if setting is None:
            known = ", ".join(settings) or "none"
            yield ("settings", name), f"{connector.name} has no such setting{nearest(name, settings)}; permitted: {known}"
        elif (kind := _kind_wanted(setting.default)) and not _is_a(value, setting.default):
            yield ("settings", name), f"permitted: {kind}"
    for name, setting in settings.items():
        if setting.required and entry.settings.get(name) in (None, ""):
            yield ("settings", name), f"required; {setting.meaning}"


_KINDS: Final[dict[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    tuple: "a list",
    dict: "keys and values",
}


def _kind_wanted(default: Any) -> str:
    return _KINDS.get(type(default), "")


def _is_a(value: Any, default: Any) -> bool:
    """Return whether a value has the type of a setting's default."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float))
    if isinstance(default, (list, tuple)):
        return isinstance(value, list)
    return isinstance(value, type(default))


def _too_short_for_links(connector: Connector, secrets: list[str]) -> Iterator[str]:
    if connector.name == "survey-link":
        try:
            LinkKeys(secrets)
        except ValueError as error:
            yield str(error)


def _unfit(verification: Verification, secrets: list[str]) -> Iterator[str]:
    for secret in secrets:
        try:
            Verifier(verification, [secret])
        except SecretError as error:
            yield f"a secret does not fit: {error}"


class _Secrets:
    """Reads secrets from the environment and from files, and collects the errors."""

    def __init__(self, folder: Path, environment: Mapping[str, str], wrong: list[tuple[tuple[int | str, ...], str]]) -> None:
        self._folder = folder
        self._environment = environment
        self._wrong = wrong

    def read(self, at: tuple[int | str, ...], place: SecretPlace) -> str | None:
        text, why = self._text(place)
        text = text.strip()
        if not why and not text:
            why = f"{place.text} is empty"
        if why:
            self._wrong.append((at, why))
            return None
        return text

    def _text(self, place: SecretPlace) -> tuple[str, str]:
        if place.env is not None:
            text = self._environment.get(place.env)
            return (text, "") if text is not None else ("", f"{place.text} is not set")
        try:
            with (self._folder / (place.file or "")).open("rb") as file:
                return file.read(_MAX_SECRET_BYTES).decode(), ""
        except OSError as error:
            return "", f"{place.text} cannot be read: {error.strerror}"
        except UnicodeDecodeError:
            return "", f"{place.text} is not UTF-8 text"
