"""Keeps the newest figures of every queue in a dictionary: `python subscriber.py [BOOTSTRAP [TOPIC]]`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Table", "follow"]

Table = dict[str, dict[str, Any]]


async def follow(table: Table, bootstrap: str, topic: str, changed: Callable[[str], None] = print) -> None:
    """Read the topic from its beginning into ``table``, then go on; ``changed`` gets each key that changed."""
    options = {"auto_offset_reset": "earliest", "isolation_level": "read_committed", "group_id": None}
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, **options) as consumer:
        async for record in consumer:
            key = record.key.decode()
            row = json.loads(record.value) if record.value else None
            if row is None:
                table.pop(key, None)
            elif key not in table or row["revision"] > table[key]["revision"]:
                table[key] = row
            else:
                continue
            changed(key)


if __name__ == "__main__":
    where, what = (sys.argv[1:] + ["127.0.0.1:9092", "contactcenter.queue-metrics-latest.v1"][len(sys.argv) - 1 :])[:2]
    figures: Table = {}
    asyncio.run(follow(figures, where, what, lambda key: print(key, json.dumps(figures.get(key)))))
