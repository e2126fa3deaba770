"""The files of the page and their media types."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

__all__ = ["PAGE_FILES"]

_MEDIA: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def _found(folder: Traversable, under: str = "") -> Iterator[tuple[str, str]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _found(each, f"{under}{each.name}/")
        elif media := _MEDIA.get(each.name.rpartition(".")[2]):
            yield under + each.name, media


#: Path below the folder of the page → media type.
PAGE_FILES: Final = dict(sorted(_found(files("streams.serving").joinpath("page"))))
