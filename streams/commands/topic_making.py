"""Creation of topics by the first publisher: a broker's auto-creation would choose another number of partitions."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from streams.connectors.publishing import EventTopics, NotPublishedError
from streams.engine.topics import PartitionMismatchError, TopicCreationError
from streams.topics import create_topics

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Collection, Mapping

__all__ = ["topic_maker"]


def topic_maker(
    args: argparse.Namespace, client_options: Mapping[str, Any], topics: Collection[str] | None = None
) -> Callable[[], Awaitable[None]]:
    """Return a function that creates ``topics``, by default those of events; it raises NotPublishedError where they do not match."""

    async def make() -> None:
        names = set(astuple(EventTopics.with_prefix(args.prefix)) if topics is None else topics)
        try:
            await create_topics(args.bootstrap, args.prefix, args.replication, only=names, **client_options)
        except (PartitionMismatchError, TopicCreationError) as error:
            raise NotPublishedError(str(error)) from error

    return make
