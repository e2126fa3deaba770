"""The configuration file of a running process: what it runs with, and what became of the file since; whoever looks says when."""

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

__all__ = ["HANDED_OVER", "ConfigurationFile", "Taken", "changed_in_place", "configuration_hash", "hand_over"]

logger = logging.getLogger(__name__)

#: Names the open file through which a process that starts again in place gets the text that was found valid.
HANDED_OVER: Final = "CONTACT_STREAMS_CONFIGURATION_FD"


class Taken(NamedTuple):
    """A changed file that is valid and says something else than before."""

    configuration: Configuration
    text: str


def configuration_hash(configuration: Configuration, keys: set[str] | None = None) -> str:
    """Return a short name for exactly this configuration, or for what it says under some of its keys."""
    return sha256(orjson.dumps(_ordered(configuration.model_dump(include=keys)), option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def _ordered(value: Any) -> Any:
    """Return a value with its sets in order: their own differs from process to process."""
    if isinstance(value, dict):
        return {str(key): _ordered(each) for key, each in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(value, key=str)
    return [_ordered(each) for each in value] if isinstance(value, list | tuple) else value


class ConfigurationFile:
    """A file that may change under a running process, which goes on with the last one that was valid.

    ``look`` is called again and again; a changed text is judged as ``WatchedText`` says.
    A version of a definition that says something else than the running one is refused too: versions do not change in place.
    """

    def __init__(self, path: Path, now_ms: int) -> None:
        """Read the file, or what the process before this one handed over.

        Raises:
            ConfigurationError: it cannot be used.
        """
        self.path = path
        self._text = WatchedText(path, ConfigurationError, handed_over())
        self.running = parse_configuration(path, self._text.first)
        #: when what runs was taken up
        self.since_ms = now_ms
        #: when the file was last found to be another: taken up or refused
        self.changed_ms = now_ms
        self.refused: ConfigurationError | None = None

    @property
    def valid(self) -> bool:
        """Whether the file as it is now could be run with."""
        return self.refused is None

    @property
    def standing(self) -> str:
        """What health pages say of it."""
        runs = f"running with {configuration_hash(self.running)} of {format_ms(self.since_ms)}"
        return runs if self.valid else f"refused, {runs}"

    def look(self, now_ms: int, *, at_once: bool = False) -> Taken | None:
        """Look whether the file has changed; return what is to be taken up, and log once what is refused.

        ``at_once`` judges what is there without a second look: somebody said that it is ready.
        """
        found = self._text.look(at_once=at_once)
        return None if found is None else self._judge(found.text, found.failure, now_ms)

    def taken_up(self, configuration: Configuration, now_ms: int) -> None:
        """Say that the process runs with another configuration now."""
        self.running, self.since_ms = configuration, now_ms

    def _judge(self, text: str | None, failure: FileError | None, now_ms: int) -> Taken | None:
        self.changed_ms = now_ms
        try:
            if text is None:
                raise failure or ConfigurationError(self.path, [Problem(None, "", "cannot be read")])
            found = parse_configuration(self.path, text)
            if problems := changed_in_place(self.running, found, text):
                raise ConfigurationError(self.path, problems)  # noqa: TRY301 - likewise
        except ConfigurationError as error:
            self.refused = error
            logger.error(  # noqa: TRY400 - what is wrong is said, where in our code it was found helps nobody
                "The changed configuration is refused; going on with %s of %s.\n%s",
                configuration_hash(self.running),
                format_ms(self.since_ms),
                error,
            )
            return None
        was_refused, self.refused = not self.valid, None
        if configuration_hash(found) == configuration_hash(self.running):
            logger.info("%s says what is running%s.", self.path, " again" if was_refused else "")
            return None
        return Taken(found, text)


def changed_in_place(running: Configuration, found: Configuration, text: str) -> list[Problem]:
    """Return a problem for each version of a definition that says something else than the same version that is running."""
    before = {(name, each.version): each.model_dump() for name, versions in running.definitions.items() for each in versions}
    root = parse(text, aliases=True).root
    problems = []
    for name, versions in found.definitions.items():
        for index, each in enumerate(versions):
            was = before.get((name, each.version))
            differing = [] if was is None else [key for key, value in each.model_dump().items() if key != "preset" and was[key] != value]
            if differing:
                # A definition with one version may stand without the list.
                at = min(((name, index), (name,)), key=lambda place: -line_of(root, ("definitions", *place, "version")))
                reason = (
                    f"version {each.version} is running with another {', '.join(differing)}, and a version does not change in place; "
                    f"permitted: leave it as it was and add version {versions[-1].version + 1} with an effective_from"
                )
                problems.append(Problem(line_of(root, ("definitions", *at)), ".".join(map(str, ("definitions", *at))), reason))
    return problems


def hand_over(text: str) -> None:
    """Leave a text for the process that takes this one's place, so that it runs even if the file is spoiled by then."""
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
