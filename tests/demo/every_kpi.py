"""Which figures a running demo serves with a value."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.catalogue.test_every_kpi import WANTED

if TYPE_CHECKING:
    import aiohttp

__all__ = ["figures_without_value"]

#: Where figures are served.
ADDRESSES = ("api/v1/figures", "api/v1/agents", "api/v1/targets")
#: Figures whose field has another name.
FIELDS = {"longest_wait": "longest_wait_seconds", "backlog_oldest": "backlog_oldest_seconds", "target_attainment": "attainment"}
#: The bound for a figure that is there only at times, such as the longest wait.
WAIT_SECONDS = 60


def fields_with_value(document: Any) -> set[str]:
    """Return the names of all fields of an answer that hold a number, a figure with a value, or counts."""
    found: set[str] = set()
    if isinstance(document, list):
        return found.union(*map(fields_with_value, document))
    if isinstance(document, dict):
        for name, value in document.items():
            if name == "counts":  # sums that figures come from, some of them under the same names
                continue
            number = value.get("value", value) if isinstance(value, dict) else value
            if number is not None and number != {} and not isinstance(number, str | list):
                found.add(name)
            found |= fields_with_value(value)
    return found


async def served(client: aiohttp.ClientSession) -> set[str]:
    """Return the names of all fields with a value."""
    found: set[str] = set()
    for path in ADDRESSES:
        async with client.get(path) as answer:
            assert answer.status == 200, path
            found |= fields_with_value(await answer.json())
    return found


async def figures_without_value(client: aiohttp.ClientSession) -> list[str]:
    """Return those of the figures that were asked for which the API never served with a value, for a minute at most."""
    seen: set[str] = set()
    missing: list[str] = []
    for _ in range(WAIT_SECONDS):
        seen |= await served(client)
        missing = sorted(kpi for kpi in WANTED if FIELDS.get(kpi, kpi) not in seen)
        if not missing:
            break
        await asyncio.sleep(1)
    return missing
