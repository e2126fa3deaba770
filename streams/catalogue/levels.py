"""The service level of sums by a definition: what each sum adds to the contacts met and to those counted."""

from __future__ import annotations

from functools import lru_cache
from itertools import filterfalse, repeat
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from streams.catalogue.fields import ABANDONED, ANSWERED, FLOW_OUT, WAYS_OUT, parse
from streams.catalogue.formulas import Ways
from streams.catalogue.quantities import is_labelled

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

__all__ = ["Definition", "Level", "decided_in", "judged_by"]

_UNKNOWN: Final = (0, 0)
_TO_MET: Final = (1, 0)
_TO_COUNTED: Final = (0, 1)
#: The most sets of names that each level remembers.
_MOST_KNOWN_NAMES: Final = 2048
_ZEROS: Final = repeat(0)
_DECIDED: Final = (ANSWERED.key, ABANDONED.key, *(name for name, _ in FLOW_OUT.terms))


class Definition(Protocol):
    """How the configuration judges contacts (`streams.configuration.service_level`)."""

    @property
    def threshold_ms(self) -> int:
        """The longest wait that is within the threshold."""

    @property
    def short_ms(self) -> int | None:
        """An abandonment before this is short."""

    @property
    def short_abandon_clock(self) -> str:
        """The start of the wait of a short abandon."""

    @property
    def abandon(self) -> str:
        """How abandoned contacts count."""

    @property
    def asa_denominator(self) -> str:
        """The contacts whose waits asa averages."""

    @property
    def hold_denominator(self) -> str:
        """The denominator of average_hold."""

    @property
    def aht_parts(self) -> frozenset[str]:
        """The times that aht adds up."""

    @property
    def csat_top(self) -> int:
        """The lowest top score."""

    @property
    def first_contact_resolution(self) -> str:
        """The condition of a resolution at first contact."""

    def treatment(self, reason: str) -> str:
        """Return how a way out of the queue counts."""


def _ways_of(definition: Definition) -> Ways:
    """Return the keys of a definition that decide the meaning of figures other than the service level."""
    return Ways(
        definition.asa_denominator,
        definition.hold_denominator,
        definition.aht_parts,
        definition.csat_top,
        definition.first_contact_resolution,
    )


def decided_in(sums: Mapping[str, int]) -> int:
    """Return the contacts that left the queue in any way."""
    decided = 0
    for name in _DECIDED:
        decided += sums.get(name, 0)
    return decided


class Level:
    """A service level: the factors with which each sum adds to met and counted, computed once a name."""

    __slots__ = (
        "_abandon", "_counted", "_factors", "_known", "_limit_ms", "_met", "_others", "_system_clock", "_threshold_ms", "_treatments",
    )  # fmt: skip

    def __init__(self, threshold_ms: int, limit_ms: int | None, abandon: str, treatments: tuple[str, ...], *, system_clock: bool) -> None:
        self._threshold_ms = threshold_ms
        self._limit_ms = limit_ms
        self._system_clock = system_clock
        self._abandon = abandon
        self._treatments = dict(zip(WAYS_OUT, treatments, strict=True))
        #: Factors of every name seen so far; and the names that add one to met, one to counted, or otherwise.
        self._factors: dict[str, tuple[int, int] | None] = {}
        self._met: list[str] = []
        self._counted: list[str] = []
        self._others: list[tuple[str, int, int]] = []
        #: Keys of sets of names that have all been seen.
        self._known: set[Hashable] = set()

    def parts(self, sums: Mapping[str, int], known: Hashable | None = None) -> tuple[int, int]:
        """Return contacts that met the service level and contacts that count; ``known``: a key, equal for equal names of sums."""
        key = tuple(sums) if known is None else known
        if key not in self._known:
            self._learn(key, sums)
        get = sums.get
        met, counted = sum(map(get, self._met, _ZEROS)), sum(map(get, self._counted, _ZEROS))
        for name, to_met, to_counted in self._others:
            number = get(name)
            if number:
                met += to_met * number
                counted += to_counted * number
        return met, counted

    def _learn(self, key: Hashable, names: Iterable[str]) -> None:
        """Record the names that add to it."""
        if len(self._known) >= _MOST_KNOWN_NAMES:
            self._known.clear()
        self._known.add(key)
        for name in filterfalse(self._factors.__contains__, names):
            # The number of labels is unbounded: they are not remembered.
            if is_labelled(name):
                continue
            factor = self._factors[name] = self._factor(name)
            if factor == _TO_MET:
                self._met.append(name)
            elif factor == _TO_COUNTED:
                self._counted.append(name)
            elif factor is not None and any(factor):
                self._others.append((name, *factor))

    def _factor(self, name: str) -> tuple[int, int] | None:
        parsed = parse(name)
        if parsed is None or parsed.definition is not None:
            return None
        key, values = parsed.field.key, parsed.values
        edge = values.get("edge")
        within = edge is not None and (inf if edge == "inf" else int(edge)) <= self._threshold_ms
        factor = (0, 0)
        if key == "answered":
            factor = (0, 1)
        elif key == "answered_wait":
            factor = (int(within), 0)
        elif key == "abandoned":
            factor = (0, int(self._abandon != "handled_only"))
        elif key == "abandoned_wait":
            factor = self._abandoned(within=within, short=self._is_short(edge))
        elif key == "short_abandoned_wait":
            if self._system_clock and values["limit"] == str(self._limit_ms):
                factor = _less(self._abandoned(within=within, short=True), self._abandoned(within=within, short=False))
        elif key == "flow_out":
            factor = (0, int(self._treatments.get(values["reason"], "exclude") != "exclude"))
        elif key == "left_wait":
            factor = (int(within and self._treatments.get(values["reason"]) == "positive"), 0)
        return None if factor == _UNKNOWN else factor

    def _is_short(self, edge: str | None) -> bool:
        limit = None if self._system_clock else self._limit_ms
        return limit is not None and edge not in (None, "inf") and int(edge or 0) <= limit - 1

    def _abandoned(self, *, within: bool, short: bool) -> tuple[int, int]:
        """Return what an abandon adds beside its one in ``abandoned``."""
        if self._abandon == "handled_only":
            return 0, 0
        if short:
            return 0, -1
        if self._abandon == "ignore_in_threshold":
            return 0, -int(within)
        return int(within and self._abandon == "positive"), 0


def _less(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] - other[0], one[1] - other[1]


_level = lru_cache(maxsize=1024)(Level)
#: id → definition, kept here so that the id stays its own, and what it decides.
_known: dict[int, tuple[Definition, Ways, Level]] = {}
_MOST_KNOWN: Final = 4096


def judged_by(definition: Definition) -> tuple[Definition, Ways, Level]:
    """Return a definition with its keys that decide other figures, and its service level."""
    judgment = _known.get(id(definition))
    if judgment is None:
        treatments = tuple(definition.treatment(reason) for reason in WAYS_OUT)
        system_clock = definition.short_abandon_clock == "system_enter"
        level = _level(definition.threshold_ms, definition.short_ms, definition.abandon, treatments, system_clock=system_clock)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        judgment = _known[id(definition)] = (definition, _ways_of(definition), level)
    return judgment
