"""The newest figures of individual agents; serve reads and serves them only with --agents. No clock, no network."""

from __future__ import annotations

import orjson
from pydantic import ValidationError

from schemas.agent_metrics import AgentFigures
from schemas.times import parse_time_ms
from schemas.topics import topic
from streams.access.views import EVERYTHING, View
from streams.serving.latest import Entry, Latest, ScopeKey

__all__ = ["Agents", "agents_topic"]


def agents_topic(topic_prefix: str) -> str:
    """Return the name of the compacted topic with the newest figures of each agent."""
    return topic("agent-metrics-latest.v1").full_name(topic_prefix)


class Agents(Latest[Entry[AgentFigures]]):
    """The newest record of each key of agent-metrics-latest."""

    def read(self, key: str, value: bytes, version: int, partition: int | None) -> Entry[AgentFigures]:  # noqa: ARG002 - passed to all tables
        """Return the entry of a record; raise ValueError if the record is invalid."""
        try:
            record = AgentFigures.model_validate(orjson.loads(value))
        except ValidationError as error:
            raise ValueError("not a record of an agent's figures") from error
        for text in (record.as_of, record.window_start, record.window_end):
            parse_time_ms(text)
        return Entry(key, record, value, version)

    def scope_key(self, entry: Entry[AgentFigures]) -> ScopeKey:
        """Return the scope key of an entry."""
        return entry.record.scope_kind, entry.record.scope, entry.record.channel

    def chosen(
        self, windows: frozenset[str] | None = None, people: frozenset[str] | None = None, view: View = EVERYTHING
    ) -> list[Entry[AgentFigures]]:
        """Return the records that a view shows, by key, filtered by window and agent; None does not filter. Hidden records are not read."""
        return [
            entry
            for entry in self.seen(self.entries(), view)
            if (windows is None or entry.record.window in windows) and (people is None or entry.record.scope in people)
        ]
