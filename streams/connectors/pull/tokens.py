"""Tokens that a platform replaces with its answers: in a file that this user alone may read, written before they are used."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

__all__ = ["TokenFile", "Tokens", "TokensError"]


class TokensError(Exception):
    """Tokens cannot be read or stored; the message names the file and never its content."""


class Tokens(NamedTuple):
    """The credentials of a request."""

    access: str
    refresh: str

    def __repr__(self) -> str:
        """Return none of them: they must not reach a log."""
        return "Tokens(...)"


class TokenFile:
    """A file with mode 0600.

    It is not in Kafka: any reader of a topic could read the tokens, and compaction retains old ones for hours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Tokens | None:
        """Return the tokens, None if there is no file; raise TokensError."""
        try:
            with self.path.open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise TokensError(f"{self.path}: others may read it: chmod 600 {self.path}")
                content = json.loads(file.read(64 * 1024))
            return Tokens(str(content["access_token"]), str(content["refresh_token"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TokensError(f"{self.path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError):
            raise TokensError(f"{self.path}: is no file of tokens of this program: remove it, and give new ones") from None

    def keep(self, tokens: Tokens) -> None:
        """Replace the file in one step, durable when this returns; raise TokensError."""
        try:
            # mkstemp gives a file that its owner alone may read.
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump({"access_token": tokens.access, "refresh_token": tokens.refresh}, file)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise TokensError(f"{self.path}: tokens cannot be stored: {error.strerror}") from error
