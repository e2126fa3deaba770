"""When alerts fire and clear, from all evaluations at once: ``docs/judging.md``, slow and without state."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.configuration.alerts import AlertRule

__all__ = ["Breach", "Seen", "breaches"]


class Seen(NamedTuple):
    """The values of one scope and channel in one evaluation."""

    at_ms: int
    value: float | None
    denominator: float | None
    stale: bool
    """Whether any source of the stream was stale."""
    before_ms: int | None = None
    """The evaluation before, if the same worker did it."""
    others: tuple[tuple[float | None, float | None], ...] = ()
    """Value and denominator of the second condition on, of a rule that has several."""

    def figure(self, number: int) -> tuple[float | None, float | None]:
        """Return value and denominator of a condition."""
        return self.others[number - 1] if number else (self.value, self.denominator)


class Breach(NamedTuple):
    """One alert that fired, and how it ended if it has."""

    since_ms: int
    fired: Seen
    cleared: Seen | None
    because: str | None
    #: The condition whose value the records show.
    shown: int = 0


def breaches(
    seen: Sequence[Seen], rule: AlertRule, *, target: float | None = None, is_open: Callable[[int], bool] = lambda _: True
) -> list[Breach]:
    """Return the alerts of one rule, scope and channel in the order in which they fire.

    `target` is the queue's; `is_open` returns whether the rule is in force at an instant.
    """
    conditions = rule.conditions

    def has_enough(index: int, number: int) -> bool:
        value, denominator = seen[index].figure(number)
        return value is not None and (denominator is None or denominator >= conditions[number].minimum_contacts)

    def is_beyond(index: int, number: int, *, still: bool) -> bool:
        condition, (value, _) = conditions[number], seen[index].figure(number)
        if value is None or not has_enough(index, number):
            return False
        threshold = target if condition.below == "target" else condition.below
        limit = condition.clear_at if still else None
        if threshold is not None:
            return value < (threshold if limit is None else limit)
        assert condition.above is not None
        return value > (condition.above if limit is None else limit)

    def beyond(index: int, *, still: bool) -> bool:
        found = [is_beyond(index, number, still=still) for number in range(len(conditions))]
        return is_open(seen[index].at_ms) and (any(found) if rule.any else all(found))

    def recovered(index: int) -> bool:
        """Return whether known values recovered: of all, one good value; of any, all values known."""
        enough = [has_enough(index, number) for number in range(len(conditions))]
        if rule.any:
            return all(enough)
        return any(each and not is_beyond(index, number, still=True) for number, each in enumerate(enough))

    def shown(index: int) -> int:
        return next(number for number in range(len(conditions)) if is_beyond(index, number, still=False)) if rule.any else 0

    bad = [beyond(index, still=False) for index in range(len(seen))]
    good = [not beyond(index, still=True) and not each.stale for index, each in enumerate(seen)]
    found: list[Breach] = []
    at = [each.at_ms for each in seen]
    #: a breach begins at the evaluation before, at most a second ago
    since = [each.at_ms if each.before_ms is None else max(each.before_ms, each.at_ms - 1000) for each in seen]
    free_from = 0  # evaluations before this belong to alerts already found
    while True:
        fired = _first_after(since, at, bad, free_from, rule.for_seconds)
        if fired is None:
            return found
        began, fires = fired
        cleared = _first_after(at, at, good, fires + 1, rule.clear_for_seconds)
        closed = next((index for index in range(fires + 1, len(seen)) if not is_open(at[index])), None)
        if closed is not None and (cleared is None or closed <= cleared[1]):
            found.append(Breach(since[began], seen[fires], seen[closed], "closed", shown(fires)))
            free_from = closed + 1
            continue
        if cleared is None:
            return [*found, Breach(since[began], seen[fires], None, None, shown(fires))]
        end = cleared[1]
        because = "recovered" if recovered(end) else "too_few_contacts"
        found.append(Breach(since[began], seen[fires], seen[end], because, shown(fires)))
        free_from = end + 1


def _first_after(since: Sequence[int], at: Sequence[int], holds: Sequence[bool], first: int, seconds: int) -> tuple[int, int] | None:
    """Return the first evaluation of the first stretch, and the first in it at which the hold time has passed without a break."""
    for end in range(first, len(at)):
        begin = end
        while begin > first and holds[begin - 1]:
            begin -= 1
        if holds[end] and at[end] - since[begin] >= 1000 * seconds:
            return begin, end
    return None
