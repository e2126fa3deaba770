"""What is asked for twice, because a platform cannot say exactly what is new, and told once."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.connectors.kit.reading import tamed
from streams.connectors.pull.failures import AskError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["MAX_TOLD", "fresh", "listed", "together", "version"]

#: What is remembered of one list, in the cursor; beyond it repeats are told again, and count once all the same.
MAX_TOLD: Final = 5_000

Item = dict[str, Any]


def version(item: Item) -> str:
    """Name an item as it is now: by all of it, for platforms write times in whole seconds, and it may change twice within one."""
    return blake2b(orjson.dumps(tamed(item), option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()


def fresh(
    items: Iterable[Item], told: Iterable[str], name: Callable[[Item], str] = version, again: Callable[[Item], bool] = lambda _: True
) -> tuple[list[Item], list[str]]:
    """Return the items that were not told yet, and the names to remember for the next question.

    Args:
        items: as they were answered.
        told: the names that were remembered.
        name: names an item with its version.
        again: whether the next question may be answered with it too.
    """
    known = set(told)
    new: list[Item] = []
    remembered: list[str] = []
    for item in items:
        each = name(item)
        if each not in known:
            known.add(each)
            new.append(item)
        if again(item):
            remembered.append(each)
    return new, remembered[-MAX_TOLD:]


def together(told: Iterable[str], remembered: Iterable[str]) -> list[str]:
    """Return the names of both, where the next question goes back behind the last one."""
    return list(dict.fromkeys([*told, *remembered]))[-MAX_TOLD:]


def listed(content: Mapping[str, Any], name: str) -> list[Item]:
    """Return the list of objects of an answer; raise AskError where there is none."""
    items = content.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise AskError("malformed", f"answered without a list of objects under {name}")
    return items
