"""The configuration file of a running process: the active configuration, and later changes of the file; callers pass the time."""

from __future__ import annotations

import logging
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from schemas.times import format_ms
from streams.configuration.loading import ConfigurationError, parse_configuration
from streams.configuration.models import Configuration
from streams.configuration.problems import Problem
from streams.configuration.watched import WatchedText
from streams.configuration.yaml_lines import line_of, parse

if TYPE_CHECKING:
    from pathlib import Path

    from streams.configuration.problems import FileError

__all__ = ["HANDED_OVER", "ChangedConfiguration", "ConfigurationFile", "changed_in_place", "configuration_hash", "hand_over"]

logger = logging.getLogger(__name__)

#: Names the open file through which a process that restarts in place gets the text that was valid.
HANDED_OVER: Final = "CONTACT_STREAMS_CONFIGURATION_FD"


class ChangedConfiguration(NamedTuple):
    """A changed file that is valid and differs from the active configuration."""

    configuration: Configuration
    text: str


def configuration_hash(configuration: Configuration, keys: set[str] | None = None) -> str:
    """Return a short hash of exactly this configuration, or of some of its keys."""
    return sha256(orjson.dumps(_ordered(configuration.model_dump(include=keys)), option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def _ordered(value: Any) -> Any:
    """Return a value with its sets sorted: their own order differs from process to process."""
    if isinstance(value, dict):
        return {str(key): _ordered(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(value, key=str)
    return [_ordered(item) for item in value] if isinstance(value, list | tuple) else value


class ConfigurationFile:
    """A file that may change under a running process, which continues with the last valid one.

    Call ``poll`` repeatedly; ``WatchedText`` states when a changed text is judged.
    A changed version of a definition is refused too: versions do not change in place.
    """

    def __init__(self, path: Path, now_ms: int) -> None:
        """Read the file, or the text that the process before this one handed over.

        Raises:
            ConfigurationError: it cannot be used.
        """
        self.path = path
        self._text = WatchedText(path, ConfigurationError, handed_over())
        self.running = parse_configuration(path, self._text.first)
        #: When the active configuration was applied.
        self.since_ms = now_ms
        #: When a change of the file was last applied or refused.
        self.changed_ms = now_ms
        self.refused: ConfigurationError | None = None

    @property
    def valid(self) -> bool:
        """Whether the present content of the file is valid."""
        return self.refused is None

    @property
    def status(self) -> str:
        """The status on health pages."""
        runs = f"running with {configuration_hash(self.running)} of {format_ms(self.since_ms)}"
        return runs if self.valid else f"refused, {runs}"

    def poll(self, now_ms: int, *, at_once: bool = False) -> ChangedConfiguration | None:
        """Check the file for a change; return a valid one to apply, and log a refused one once.

        ``at_once`` judges the present content without a second check: the operator stated that it is ready.
        """
        change = self._text.poll(at_once=at_once)
        return None if change is None else self._judge(change.text, change.failure, now_ms)

    def mark_running(self, configuration: Configuration, now_ms: int) -> None:
        """Record that the process runs with another configuration now."""
        self.running, self.since_ms = configuration, now_ms

    def _judge(self, text: str | None, failure: FileError | None, now_ms: int) -> ChangedConfiguration | None:
        self.changed_ms = now_ms
        try:
            if text is None:
                raise failure or ConfigurationError(self.path, [Problem(None, "", "cannot be read")])
            changed = parse_configuration(self.path, text)
            if problems := changed_in_place(self.running, changed, text):
                raise ConfigurationError(self.path, problems)  # noqa: TRY301 - likewise
        except ConfigurationError as error:
            self.refused = error
            logger.error(  # noqa: TRY400 - the message is for the operator, a traceback would not help
                "The changed configuration is refused; continuing with %s of %s.\n%s",
                configuration_hash(self.running),
                format_ms(self.since_ms),
                error,
            )
            return None
        was_refused, self.refused = not self.valid, None
        if configuration_hash(changed) == configuration_hash(self.running):
            logger.info("%s equals the active configuration%s.", self.path, " again" if was_refused else "")
            return None
        return ChangedConfiguration(changed, text)


def changed_in_place(running: Configuration, changed: Configuration, text: str) -> list[Problem]:
    """Return a problem for each version of a definition that differs from the same version in the active configuration."""
    before = {(name, entry.version): entry.model_dump() for name, versions in running.definitions.items() for entry in versions}
    root = parse(text, aliases=True).root
    problems = []
    for name, versions in changed.definitions.items():
        for index, version in enumerate(versions):
            was = before.get((name, version.version))
            differing = [] if was is None else [key for key, value in version.model_dump().items() if key != "preset" and was[key] != value]
            if differing:
                # A definition with one version may be without the list.
                at = min(((name, index), (name,)), key=lambda path: -line_of(root, ("definitions", *path, "version")))
                reason = (
                    f"version {version.version} is running with another {', '.join(differing)}, and a version does not change in place; "
                    f"permitted: leave it unchanged and add version {versions[-1].version + 1} with an effective_from"
                )
                problems.append(Problem(line_of(root, ("definitions", *at)), ".".join(map(str, ("definitions", *at))), reason))
    return problems


def hand_over(text: str) -> None:
    """Leave a text for the process that replaces this one, so that it runs even if the file is invalid by then."""
    make = getattr(os, "memfd_create", None)  # Linux; elsewhere it reads the file again
    if make is None:
        return
    number = make("contact-streams-configuration", 0)
    with os.fdopen(os.dup(number), "wb") as file:
        file.write(text.encode())
    os.set_inheritable(number, True)  # noqa: FBT003 - positional only
    os.environ[HANDED_OVER] = str(number)


def handed_over() -> str | None:
    """Return the text that was left, once."""
    number = os.environ.pop(HANDED_OVER, "")
    if not number.isdigit():
        return None
    try:
        with os.fdopen(int(number), "rb") as file:
            file.seek(0)
            return file.read().decode()
    except (OSError, UnicodeDecodeError):
        return None
