"""Compacted topics of the stages' output."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.engine.stage import Flush

__all__ = ["compact"]


def compact(topics: dict[str, dict[bytes, bytes]], name: str, flush: Flush) -> None:
    """Keep the newest of each key: the rows of a flush under ``name``, and its outputs to those of ``topics`` they go to."""
    rows = [(name, key, value) for key, value in flush.rows]
    rows += [(output.topic, output.key or b"", output.value) for output in flush.outputs if output.topic in topics]
    for topic, key, value in rows:
        if value is None:
            topics[topic].pop(key, None)
        else:
            topics[topic][key] = value
