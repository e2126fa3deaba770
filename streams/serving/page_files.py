"""The files of the page and their media types."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

__all__ = ["PAGE_FILES"]

_MEDIA: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def _media_by_path(folder: Traversable, under: str = "") -> Iterator[tuple[str, str]]:
    for file in folder.iterdir():
        if file.is_dir():
            yield from _media_by_path(file, f"{under}{file.name}/")
        elif media := _MEDIA.get(file.name.rpartition(".")[2]):
            yield under + file.name, media


#: Path below the folder of the page → media type.
PAGE_FILES: Final = dict(sorted(_media_by_path(files("streams.serving").joinpath("page"))))
