"""The senders file of a running gateway: what it goes by, and what became of the file since; whoever looks says when."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from schemas.times import format_ms
from streams.configuration.problems import Problem
from streams.configuration.senders import SendersError, SendersFile, parse_senders
from streams.configuration.watched import WatchedText

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["WatchedSenders"]

logger = logging.getLogger(__name__)


class WatchedSenders:
    """A senders file that may change under a running gateway, which goes on with the last one that was valid."""

    def __init__(self, path: Path, now_ms: int) -> None:
        """Read the file.

        Raises:
            SendersError: it cannot be used.
        """
        self.path = path
        self._text = WatchedText(path, SendersError)
        self.running: SendersFile = parse_senders(path, self._text.first)
        #: when what is in force was taken up
        self.since_ms = now_ms
        #: when the file was last found to be another: taken up or refused
        self.changed_ms = now_ms
        self.valid = True

    @property
    def standing(self) -> str:
        """What the health page says of it."""
        runs = f"going by {len(self.running.senders)} senders of {format_ms(self.since_ms)}"
        return runs if self.valid else f"refused, {runs}"

    def look(self, now_ms: int, *, at_once: bool = False) -> SendersFile | None:
        """Look whether the file has changed; return what is in force from now on, and log once what is refused."""
        found = self._text.look(at_once=at_once)
        if found is None:
            return None
        self.changed_ms = now_ms
        try:
            if found.text is None:
                raise found.failure or SendersError(self.path, [Problem(None, "", "cannot be read")])
            senders = parse_senders(self.path, found.text)
        except SendersError as error:
            self.valid = False
            said = f"The changed senders file is refused; going by that of {format_ms(self.since_ms)}."
            logger.error("%s\n%s", said, error)  # noqa: TRY400 - what is wrong is said, where in our code it was found helps nobody
            return None
        self.valid = True
        self.running, self.since_ms = senders, now_ms
        logger.info("The changed senders file is in force. senders=%s", ", ".join(sorted(senders.senders)))
        return senders
