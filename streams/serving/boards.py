"""Boards, reduced to the tiles that a view shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.catalogue import KPI_BY_ID
from streams.configuration.boards import USUAL_BOARDS, Board, FigureTile, OfQueues

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.access.views import View
    from streams.configuration.boards import BoardPage, Tile

__all__ = ["boards_of"]


def boards_of(boards: Mapping[str, Board], view: View) -> dict[str, Any]:
    """Return the configured and built-in boards by name, reduced to what a view shows; empty boards are left out."""
    usual = {name: Board.model_validate(board) for name, board in USUAL_BOARDS.items() if name not in boards}
    shown = {name: _board(board, view) for name, board in {**boards, **usual}.items()}
    return {"boards": {name: board for name, board in shown.items() if board["pages"]}}


def _board(board: Board, view: View) -> dict[str, Any]:
    pages = [_page(page, view) for page in board.pages]
    return {**board.model_dump(), "pages": [page for page in pages if page["tiles"]]}


def _page(page: BoardPage, view: View) -> dict[str, Any]:
    tiles = [content for tile in page.tiles if (content := _tile(tile, view)) is not None]
    return {**page.model_dump(), "tiles": tiles}


def _tile(tile: Tile, view: View) -> dict[str, Any] | None:
    if isinstance(tile, FigureTile):
        kind, _, name = tile.scope.partition(":")
        sees = view.sees_people if KPI_BY_ID[tile.kpi].subject == "people" else view.sees
        return tile.model_dump() if sees(kind, name) else None
    if isinstance(tile, OfQueues):
        scopes = (("site", tile.site), ("department", tile.department))
        if any(name is not None and not view.sees(kind, name) for kind, name in scopes):
            return None
        queues = tuple(name for name in tile.queues if view.sees("queue", name))
        return None if tile.queues and not queues else {**tile.model_dump(), "queues": queues}
    return tile.model_dump()
