"""Write actions on alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from streams.serving.alerting.actions import actions_topic, key_of
from streams.serving.topic_writer import TopicWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schemas.alert_actions import ActionRecord
    from streams.serving.alerting.actions import Actions

__all__ = ["ActionLog", "KafkaActionLog", "encoded"]


class ActionLog(Protocol):
    """Writes records of actions."""

    async def write(self, record: ActionRecord | None = None, *, without: Iterable[str] = ()) -> None:
        """Write a record and delete keys; return once the table has read it, and all before it; raise NotWrittenError."""


def encoded(record: ActionRecord) -> tuple[bytes, bytes]:
    """Return key and value of a record in Kafka."""
    return key_of(record).encode(), record.model_dump_json().encode()


class KafkaActionLog:
    """Writes them to the topic."""

    def __init__(self, actions: Actions, *, bootstrap: str, topic_prefix: str, client_options: Mapping[str, Any] | None = None) -> None:
        self._writer = TopicWriter(
            actions, actions_topic(topic_prefix), bootstrap=bootstrap, client_id="contact-streams-actions", client_options=client_options
        )

    async def write(self, record: ActionRecord | None = None, *, without: Iterable[str] = ()) -> None:
        """Write a record and delete keys; return once the table has read it, and all before it; raise NotWrittenError."""
        records: dict[str, bytes | None] = dict.fromkeys(without)
        if record is not None:
            records[key_of(record)] = encoded(record)[1]
        await self._writer.write(records)
