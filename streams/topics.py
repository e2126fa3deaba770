"""Creation of the product's topics in Kafka, by the first process that starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.topics import APPEND_TIME, DEFAULT_PREFIX, SOURCES, TOPICS
from streams.engine.topics import TopicSpec, ensure_topics

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["create_topics", "topic_specs"]

_REPLICAS_FOR_MIN_INSYNC = 3


def topic_specs(prefix: str, replication: int) -> list[TopicSpec]:
    """Return the specification of every topic of the product."""
    return [
        TopicSpec(
            entry.full_name(prefix),
            entry.partitions,
            replication,
            entry.config() | ({"min.insync.replicas": "2"} if replication >= _REPLICAS_FOR_MIN_INSYNC else {}),
            # The broker's clock, not a sender's, limits progress.
            APPEND_TIME if entry.name in SOURCES else {},
        )
        for entry in TOPICS
    ]


async def create_topics(
    bootstrap: str, prefix: str = DEFAULT_PREFIX, replication: int = 1, *, only: Collection[str] | None = None, **client_options: Any
) -> None:
    """Create the missing topics, of those with full names in ``only`` if given.

    Raises:
        PartitionMismatchError: some have another number of partitions; the message states what to do.
        TopicCreationError: some are missing, and Kafka does not permit this process to create them.
    """
    specs = [spec for spec in topic_specs(prefix, replication) if only is None or spec.name in only]
    await ensure_topics(bootstrap, specs, **client_options)
