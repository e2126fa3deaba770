"""Progress records between the stages about customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.json import encode

from streams.engine.stage import Output

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.tracking.parts import Part

__all__ = ["progress_outputs"]


def progress_outputs(
    origin: Part, targets: Iterable[Part], progress_ms: int | None, received_through_ms: int | None = None
) -> Iterator[Output]:
    """Yield for each partition of ``targets`` that the facts from ``origin`` are complete before ``progress_ms``."""
    source, number = origin
    value = encode(
        {
            "kind": "progress",
            "source_topic": source,
            "source_partition": number,
            "progress_ms": progress_ms,
            "received_through_ms": received_through_ms,
        }
    )
    for topic, partition in targets:
        yield Output(topic, partition, f"progress|{source}|{number}".encode(), value)
