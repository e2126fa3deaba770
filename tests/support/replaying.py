"""Events handed to a replay as the command hands on lines: decoded once, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.agent import AgentModel
from schemas.contact import ContactModel
from schemas.decoding import decode_event
from schemas.other import CustomerModel, ForecastSet
from streams.replay import Piece

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.base import Event
    from streams.replay import Kind, Replay

__all__ = ["kinds_of", "replay_events", "replay_values"]


def replay_values(replay: Replay, values: Iterable[tuple[tuple[Kind, ...], bytes]], size: int) -> None:
    """Have a replay read records, each of its kinds, ``size`` at a time."""
    piece = Piece()
    for number, (kinds, value) in enumerate(values, 1):
        piece.add(kinds, decode_event(value), value, number)
        if number % size == 0:
            replay.add_piece(piece)
            piece.clear()
    replay.add_piece(piece)


def replay_events(replay: Replay, events: Iterable[Event], size: int) -> None:
    """Have a replay read events, ``size`` at a time."""
    replay_values(replay, ((kinds_of(each), each.model_dump_json(exclude_none=True).encode()) for each in events), size)


def kinds_of(event: Event) -> tuple[Kind, ...]:
    """Return the kinds of topics that have an event: types that contacts and agents share are in both."""
    if isinstance(event, CustomerModel | ForecastSet):
        return ("customer",)
    return (*(() if isinstance(event, AgentModel) else ("contact",)), *(() if isinstance(event, ContactModel) else ("agent",)))
