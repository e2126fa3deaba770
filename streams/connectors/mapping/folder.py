"""Follow a folder of exports: publish each file by a mapping once it is complete, in the order of file names."""

from __future__ import annotations

import asyncio
import fnmatch
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.connectors.feed import Summary
from streams.connectors.folders import File, FolderError, Lock, complete, listed
from streams.connectors.follow import StateFileError, replace_file
from streams.connectors.mapping.feed import publish_file
from streams.connectors.mapping.loading import Mapping, MappingError
from streams.connectors.mapping.mapper import Mapper
from streams.connectors.publishing import NotPublishedError, Publisher

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["FolderSettings", "follow_folder"]

logger = logging.getLogger(__name__)

_STATE_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings:
    """Which files of a folder are published, and when."""

    pattern: str = "*"
    lock: Lock = "none"
    #: Between two polls. Without locks a file is complete once two polls see the same version.
    poll_seconds: float = 5.0
    #: The longest pause while Kafka is unavailable.
    retry_seconds: float = 60.0


async def follow_folder(
    folder: Path,
    state: Path,
    mapping: Mapping,
    mapper: Callable[[], Mapper],
    publisher: Publisher,
    *,
    now: Callable[[], datetime],
    stop: asyncio.Event,
    settings: FolderSettings | None = None,
) -> Summary:
    """Publish each file as history, as ``publish_file`` does, until ``stop`` is set; return the totals.

    The state file lists the published files by name, size and time of change; it is written once Kafka has a file. A file may be published
    twice, with the same event ids, and none is left out. ``mapper`` creates a mapper for each file.

    Raises:
        FolderError: the folder cannot be read at the start.
        StateFileError: the state file cannot be used.
        OSError: the state file cannot be written.
    """
    following = _Following(folder, state, mapping, mapper, publisher, stop, settings or FolderSettings())
    return await following.run(now)


@dataclass(slots=True)
class _Following:
    folder: Path
    state: Path
    mapping: Mapping
    mapper: Callable[[], Mapper]
    publisher: Publisher
    stop: asyncio.Event
    settings: FolderSettings
    #: Versions of files: those in Kafka, those that the previous poll saw, and those that are unreadable until they change.
    read: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    unusable: set[str] = field(default_factory=set)
    summary: Summary = field(default_factory=Summary)

    async def run(self, now: Callable[[], datetime]) -> Summary:
        self.read = _load(self.state)
        files: list[File] = await asyncio.to_thread(listed, self.folder)
        last_error = ""
        pause = self.settings.poll_seconds
        while not self.stop.is_set():
            try:
                for file in self._due(files, now()):
                    await self._publish(file)
                pause = self.settings.poll_seconds
            except NotPublishedError as error:
                logger.warning("%s. The files wait in %s.", error, self.folder)
                pause = min(2 * pause, self.settings.retry_seconds)
            await self._pause(pause)
            try:
                files = await asyncio.to_thread(listed, self.folder)
                last_error = ""
            except FolderError as error:
                # A share may be unavailable for a while: logged once.
                if str(error) != last_error:
                    logger.error("The folder %s. It is tried again.", error)  # noqa: TRY400 - its trace adds nothing
                files, last_error = [], str(error)
        return self.summary

    def _due(self, files: list[File], now: datetime) -> list[File]:
        """Return the files that are complete and new, in the order of their names."""
        if files:
            # Files that are gone are forgotten.
            present = {file.version for file in files}
            self.read &= present
            self.unusable &= present
        joined = {table.spec.file for table in self.mapping.plan.tables.values()}
        new = [
            file
            for file in sorted(complete(files, self.settings.lock, now))
            if fnmatch.fnmatch(file.name, self.settings.pattern)
            and not file.name.startswith(".")
            and file.name not in joined
            and file.version not in self.read
            and file.version not in self.unusable
        ]
        seen, self.seen = self.seen, {file.version for file in new}
        return [file for file in new if self.settings.lock != "none" or file.version in seen]

    async def _publish(self, file: File) -> None:
        if self.stop.is_set():
            return
        mapper = self.mapper()
        try:
            summary = await publish_file(self.folder / file.name, self.mapping, mapper, self.publisher, stop=self.stop)
        except (MappingError, OSError) as error:
            logger.error("%s cannot be read; it is tried again once it changes: %s", file.name, error)  # noqa: TRY400 - as above
            self.unusable.add(file.version)
            return
        if self.stop.is_set():
            # The file may be published in part.
            return
        self.read.add(file.version)
        replace_file(self.state, json.dumps({"version": _STATE_VERSION, "files": sorted(self.read)}))
        self.summary.lines += summary.lines
        self.summary.events += summary.events
        self.summary.rejected += summary.rejected
        logger.info("%s: %d records, %d events, %d dead letters", file.name, summary.lines, summary.events, summary.rejected)
        for note in mapper.notes():
            logger.warning("%s: %s", file.name, note)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return


def _load(path: Path) -> set[str]:
    """Return the versions of the published files; raise StateFileError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != _STATE_VERSION:
            message = f"{path}: has version {data['version']}, this program knows {_STATE_VERSION}"
            raise StateFileError(message)
        return {str(version) for version in data["files"]}
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        message = (
            f"{path}: is no state file of this program ({type(error).__name__}). Remove it to read all files again; nothing counts twice."
        )
        raise StateFileError(message) from error
