"""Filter what is requested twice, because a platform cannot report exactly what is new, so that it is reported once."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.connectors.kit.reading import tamed
from streams.connectors.pull.failures import PollError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["MAX_SEEN", "fresh", "listed", "merged", "version"]

#: Names stored of one list, in the cursor; beyond them repeats are reported again, and count once all the same.
MAX_SEEN: Final = 5_000

Item = dict[str, Any]


def version(item: Item) -> str:
    """Return a name of an item's content: a time would not do, because an item may change twice within its second."""
    return blake2b(orjson.dumps(tamed(item), option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()


def fresh(
    items: Iterable[Item], seen: Iterable[str], name: Callable[[Item], str] = version, again: Callable[[Item], bool] = lambda _: True
) -> tuple[list[Item], list[str]]:
    """Return the items that are new, and the names to store for the next request.

    Args:
        items: of the answer.
        seen: the stored names.
        name: returns an item's name with its version.
        again: whether the next answer may hold the item too.
    """
    known = set(seen)
    new: list[Item] = []
    remembered: list[str] = []
    for item in items:
        item_name = name(item)
        if item_name not in known:
            known.add(item_name)
            new.append(item)
        if again(item):
            remembered.append(item_name)
    return new, remembered[-MAX_SEEN:]


def merged(seen: Iterable[str], remembered: Iterable[str]) -> list[str]:
    """Return the names of both, where the next request overlaps the last one."""
    return list(dict.fromkeys([*seen, *remembered]))[-MAX_SEEN:]


def listed(content: Mapping[str, Any], name: str) -> list[Item]:
    """Return the list of objects of an answer; raise PollError where there is none."""
    items = content.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise PollError("malformed", f"answered without a list of objects under {name}")
    return items
