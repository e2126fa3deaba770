"""Writes `docs/topics.md`: every topic with its key, value, settings, and who writes and reads it."""

from __future__ import annotations

from typing import Final

from schemas.dead_letters import CONTENT_ENCODING, HEADER_NAMES, REPLAYED, REPLAYED_FROM
from schemas.generators.parties import PARTIES, compatibility, is_internal
from schemas.topics import DEFAULT_PREFIX, TOPICS, Topic

__all__ = ["topic_page"]

_UNITS: Final = ((24 * 60 * 60 * 1000, "day"), (60 * 60 * 1000, "hour"), (60 * 1000, "minute"), (1000, "second"))

_INTRODUCTION = f"""<!-- Written by `python -m schemas.generate` from `schemas/topics.py`: change that. -->

# Topics

Everything goes over Kafka, and other programs may take part: they publish events, and they subscribe to the metric topics as
`contact-streams serve` does. `schemas/asyncapi.yaml` states the same for tools.

## Rules

- **Names** begin with a prefix, `{DEFAULT_PREFIX}` unless `--prefix` sets another: `{TOPICS[0].full_name()}`.
- **Numbers of partitions are permanent.** State is bound to them; at start a worker refuses a topic with another number.
- **Read committed.** Workers write in transactions: without `isolation.level=read_committed` a reader sees records that were aborted.
- **Values are JSON** in UTF-8, one object a record, with the JSON Schemas in `schemas/json/topics/`.
- **Only additions within a version.** A new field is optional; ignore unknown ones. Any other change makes a new topic `….v2`.
- **Record timestamps are the brokers'** (`LogAppendTime`). The value states when something happened.
- **The worker creates missing topics** when it starts, with the settings below; `--replication` sets the number of replicas.

## At a glance
"""

_READING = """
## Following the figures

`queue-metrics-latest.v1` is a table: its newest record of each key is a row. A subscriber reads it from the beginning,
keeps the last value of each key, and continues to read. `examples/latest_table/` does it in ten lines. The rules:

- **A record replaces** the one before it under the same key; it is never a difference.
- **`revision` grows** with every record of a key. A lower one, or the same, is a repeat: ignore it.
- **An empty value deletes** the key: an interval or a day that is over and expired, or a scope that has expired.
  A key that returns restarts with revision 1.
- **`final`** means that only late events could still change a window, and they do not: `late_events` counts them.
- Unknown figures are null. A ratio or mean travels with numerator and denominator; see [metrics](metrics.md).
- Each partition has its `progress` record: `as_of` and `complete_through` of the entire stream are the newest and the earliest of them.

| record | key |
| --- | --- |
| trailing window | `window\\|trailing_15m\\|voice\\|queue:sales` |
| interval, day | `window\\|interval_15m\\|voice\\|queue:sales\\|1775034000000`, the last part being its start in milliseconds |
| figures about agents | the same with `-` in place of the channel: `window\\|day\\|-\\|team:north\\|1775001600000` |
| single agents, in `agent-metrics-latest.v1` | `window\\|day\\|-\\|agent:anna\\|1775001600000` |
| now | `now\\|voice\\|queue:sales` |
| progress | `progress\\|0`, with the partition of queue-panes |

`queue-metrics.v1` has the same records with every revision, for those who store history.

Figures of single agents are in `agent-metrics.v1` and `agent-metrics-latest.v1` alone, and only of agents whose site permits them
([counting](counting.md), section 13). The default is none.
"""


def _duration(ms: int) -> str:
    for size, unit in _UNITS:
        if ms % size == 0:
            number = ms // size
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"{ms} ms"


def _retention(topic: Topic) -> str:
    if topic.retention_ms is not None:
        return _duration(topic.retention_ms)
    return "the newest record of each key"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _value(topic: Topic) -> str:
    if topic.model is not None:
        return f"[JSON Schema](../schemas/json/topics/{topic.name}.json)"
    return "the engine's own" if is_internal(topic) else "as received"


def _overview() -> str:
    rows = [
        f"| [`{topic.name}`](#{topic.name.replace('.', '')}) | {topic.partitions} | {topic.cleanup_policy} | {_retention(topic)} "
        f"| {', '.join(PARTIES[topic.name].writers)} | {', '.join(PARTIES[topic.name].readers)} |"
        for topic in TOPICS
    ]
    head = ("| topic | partitions | cleanup | retention | written by | read by |", "| --- | --- | --- | --- | --- | --- |")
    return "\n".join([*head, *rows]) + "\n"


def _section(topic: Topic) -> str:
    parties = PARTIES[topic.name]
    facts = {
        "key": _escaped(topic.key),
        "value": _value(topic),
        "partitions": f"{topic.partitions}" + (f", as many as `{topic.partitions_of}`" if topic.partitions_of else ""),
        "cleanup": f"{topic.cleanup_policy}; retention: {_retention(topic)}",
        "written by": ", ".join(parties.writers),
        "read by": ", ".join(parties.readers),
        "compatibility": compatibility(topic),
        "cannot be processed": f"goes to `{topic.dead_letters}`" if topic.dead_letters else "",
        "settings": ", ".join(f"`{name}={value}`" for name, value in sorted(topic.config().items())),
    }
    rows = [f"| {name} | {text} |" for name, text in facts.items() if text]
    return "\n".join([f"### {topic.name}", "", topic.summary, "", "| | |", "| --- | --- |", *rows]) + "\n"


def _dead_letters() -> str:
    names = "\n".join(f"- `{name}`" for name in HEADER_NAMES)
    return (
        "## Dead letters\n\nKey, value and headers are as received; these headers are added, as text. "
        f"What is not known is left out. A connector adds `dead-letter-origin` and its like if the input was no record.\n\n{names}\n\n"
        f"A value of more than 6 MiB is packed: `{CONTENT_ENCODING}` is `gzip`. Where it is `cut` the dead letter is incomplete: "
        "of a value only the first MiB is kept where packing does not help, and of more than 1 MiB of key and headers none. "
        "The dead letter of a batch that cannot be read has no content.\n\n"
        f"A record that `contact-streams dead-letters replay` published to its topic again has `{REPLAYED_FROM}`, the dead letter's "
        f"topic/partition/offset. Among the dead letters the command leaves notes without key and value, whose `{REPLAYED}` names the "
        "replayed offsets (`17-20,25`): readers skip them.\n"
    )


def topic_page() -> str:
    """Return the text of `docs/topics.md`."""
    sections = "\n".join(_section(topic) for topic in TOPICS)
    return "\n".join([_INTRODUCTION, f"{_overview()}{_READING}", "## The topics", "", sections, _dead_letters()])
