"""Postings that configured definitions require beyond the standard ones (``docs/counting.md`` section 14)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from streams.catalogue.fields import CSAT_TOPS, FLOW_OUT, LEFT_WAITS, SHORT_ABANDONED_WAITS, WAYS_OUT, parse
from streams.catalogue.quantities import judged_by
from streams.configuration.judges import every_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.configuration import Configuration
    from streams.tracking.postings import Waits

__all__ = ["Amounts", "ExtraPostings", "extra_postings_of", "judged", "thresholds_ms"]

Amounts = tuple[tuple[str, int], ...]

_FLOW_OUT = {reason: FLOW_OUT.name(reason=reason) for reason in WAYS_OUT}


@lru_cache(maxsize=4096)
def _left(reason: str, edge: str) -> str:
    return LEFT_WAITS.name(reason=reason, edge=edge)


@lru_cache(maxsize=4096)
def _short(limit_ms: int, edge: str) -> str:
    return SHORT_ABANDONED_WAITS.name(limit=limit_ms, edge=edge)


def thresholds_ms(configuration: Configuration) -> set[int]:
    """Return the waits, in ms, that definitions require as edges of the histograms."""
    edges: set[int] = set()
    for definition in every_version(configuration):
        edges.add(definition.threshold_ms)
        if definition.short_ms is not None and definition.short_abandon_clock == "queue_enter":
            edges.add(definition.short_ms - 1)
    return edges


class ExtraPostings(NamedTuple):
    """Sums that a definition requires; nothing by default."""

    positive: frozenset[str] = frozenset()
    """reasons of leaving a queue that a definition counts as positive"""
    short_ms: tuple[int, ...] = ()
    """limits of short abandons by the system's clock"""
    left_wait: bool = False
    """waits of contacts that flowed out"""
    handle_hold: bool = False
    """hold within handle times"""
    csat_tops: tuple[int, ...] = ()
    """lowest top scores besides 4"""

    def abandoned(self, wait_ms: int, system_ms: int, waits: Waits) -> Amounts:
        """Return the amounts of an abandon."""
        amounts: Amounts = (("abandoned", 1), ("abandoned_wait_ms", wait_ms), (waits.abandoned(wait_ms), 1))
        if not self.short_ms:
            return amounts
        return (*amounts, *((_short(limit, waits.edge(wait_ms)), 1) for limit in self.short_ms if system_ms < limit))

    def left(self, reason: str, wait_ms: int, waits: Waits) -> Amounts:
        """Return the amounts of a flow-out."""
        amounts: Amounts = ((_FLOW_OUT[reason], 1),)
        if reason in self.positive:
            amounts = (*amounts, (_left(reason, waits.edge(wait_ms)), 1))
        if self.left_wait and reason != "lost":
            amounts = (*amounts, ("left_wait_ms", wait_ms))
        return amounts

    def tops(self, score: float) -> Iterator[tuple[str, int]]:
        """Yield the extra amounts of a score from 1 to 5."""
        for top in self.csat_tops:
            yield CSAT_TOPS.name(top=top), int(score >= top)


def extra_postings_of(configuration: Configuration) -> ExtraPostings:
    """Return the extra postings that the definitions of a configuration require."""
    versions = list(every_version(configuration))
    positive = {reason for version in versions for reason, effect in version.flow_out.items() if effect == "positive"}
    short = {version.short_ms for version in versions if version.short_ms is not None and version.short_abandon_clock == "system_enter"}
    return ExtraPostings(
        frozenset(positive),
        tuple(sorted(short)),
        any(version.asa_denominator == "decided" for version in versions),
        any(version.aht_parts == {"talk", "wrap_up"} for version in versions),
        tuple(sorted({version.csat_top for version in versions} - {4})),
    )


def judged(name: str, amounts: Amounts) -> Amounts:
    """Return amounts under the name of the definition that judges them in larger scopes; without waits in ms."""
    named = [(_judged_name(name, field), amount) for field, amount in amounts]
    return tuple((field, amount) for field, amount in named if field is not None)


@lru_cache(maxsize=8192)
def _judged_name(definition: str, name: str) -> str | None:
    parsed = parse(name)
    return None if parsed is None or parsed.field.unit == "seconds" else judged_by(definition, name)
