"""Explain a figure: its parts, the contacts in each, their records, and whether they add up to the served figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.times import format_ms
from streams.catalogue import KPI_BY_ID
from streams.catalogue.formulas import Figure
from streams.catalogue.formulas_ja import formula_ja
from streams.catalogue.quantities import is_labelled
from streams.explaining.parts import parts_of
from streams.explaining.question import Question, QuestionError
from streams.tracking.spaces import id_of, space_of
from streams.windows.definitions import DefinitionChangedError
from streams.windows.judging import figures_of
from streams.windows.rollup import RollUp
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from streams.configuration import Configuration
    from streams.explaining.log import PartitionLog, Share

__all__ = ["Answer", "Behind", "explain"]

#: Counts of late events, which no contact contributes.
_NOT_OF_CONTACTS = frozenset({"late_events"})


class Behind(NamedTuple):
    """A part of a figure: its amount, and its conversations as they are shown, the largest amounts first."""

    part: str
    amount: float
    conversations: tuple[str, ...]
    #: The same as the tracker names them.
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a question."""

    question: Question
    definition: str | None
    #: Computed from the contacts that were found.
    figure: Figure
    counts: Counts
    parts: tuple[Behind, ...]
    #: Contacts that wait beyond the threshold at as-of, where that is part of the figure.
    waiting: tuple[str, ...]
    #: The same as the tracker names them.
    waiting_names: tuple[str, ...]
    #: partition → first offset, last offset and number of records of the window's conversations
    offsets: Mapping[int, tuple[int, int, int]]
    #: count → (of the contacts, as served), where they differ; None where nothing is served
    differences: Mapping[str, tuple[int, int]] | None
    #: Whether this configuration computes the served figure from the served counts.
    same_definition: bool
    #: Counts by conversation, and by waiting conversation its start in ms; keys are the tracker's names.
    shares: Mapping[str, Counts] = field(default_factory=dict)
    waiting_since_ms: Mapping[str, int] = field(default_factory=dict)

    @property
    def agrees(self) -> bool | None:
        """Whether the contacts add up to the served figure; None where none is served."""
        return None if self.differences is None else not self.differences and self.same_definition

    def document(self, *, lang: str = "en", limit: int = 20) -> dict[str, Any]:
        """Return the answer for JSON, with at most ``limit`` conversations a part."""
        question, kpi = self.question, KPI_BY_ID[self.question.kpi]
        served = question.served
        return {
            "kpi": kpi.id,
            "label": kpi.name("ja" if lang == "ja" else "en", question.channel),
            "meaning": kpi.meaning_ja if lang == "ja" else kpi.meaning_en,
            "formula": formula_ja(kpi) if lang == "ja" else kpi.text,
            "definition": self.definition,
            "scope": question.scope,
            "channel": question.channel,
            "window": question.window,
            "window_start": format_ms(question.span.start_ms),
            "window_end": format_ms(question.span.end_ms),
            "as_of": None if question.until_ms is None else format_ms(question.until_ms),
            **self.figure,
            "served": None if served is None else served["kpis"].get(kpi.id),
            "agrees": self.agrees,
            "differences": {name: {"contacts": mine, "served": theirs} for name, (mine, theirs) in (self.differences or {}).items()},
            "late_events": None if served is None else served["late_events"],
            "counts": dict(sorted(self.counts.items())),
            "parts": [_listed(each, limit) for each in self.parts],
            "waiting_past_threshold": _listed(Behind("waiting", len(self.waiting), self.waiting), limit) if self.waiting else None,
            "records": [
                {"partition": number, "first_offset": first, "last_offset": last, "records": records}
                for number, (first, last, records) in sorted(self.offsets.items())
            ],
        }


def explain(question: Question, configuration: Configuration, logs: Mapping[int, PartitionLog]) -> Answer:
    """Count each conversation of all partitions alone, and compare their sum with the served figure."""
    builder = _FigureBuilder(question, configuration)
    sums: Counts = {}
    shares: dict[str, Counts] = {}
    amounts: dict[str, dict[str, float]] = defaultdict(dict)
    offsets: dict[int, tuple[int, int, int]] = {}
    waiting: dict[str, int] = {}
    for partition, log in logs.items():
        for share in log.shares(question.scope, question.channel, question.span, by_offer=question.by_offer):
            add_counts(sums, share.counts)
            add_counts(shares.setdefault(share.conversation, {}), share.counts)
            offsets[partition] = _wider(offsets.get(partition), share)
            for part, amount in parts_of(question.kpi, share.counts, builder.figures):
                amounts[part][share.conversation] = amounts[part].get(share.conversation, 0) + amount
        waiting |= log.waiting(question.scope, question.channel)
    past = builder.past_threshold(waiting)
    shown = _shown({name for by in amounts.values() for name in by} | waiting.keys())
    served = question.served
    differences = None if served is None else _differences(sums, served["counts"])
    figure = builder.figures(sums, waiting=list(waiting.values())).get(question.kpi, _NOTHING)
    return Answer(
        question=question,
        definition=builder.definition(sums),
        figure=figure,
        counts=sums,
        parts=tuple(_behind(part, by, shown) for part, by in sorted(amounts.items())),
        waiting=tuple(shown[name] for name in past) if question.kpi == "service_level_live" else (),
        waiting_names=past,
        offsets=offsets,
        differences=differences,
        same_definition=served is None or differences != {} or served["kpis"].get(question.kpi) == figure,
        shares=shares,
        waiting_since_ms=waiting,
    )


def _behind(part: str, by: Mapping[str, float], shown: Mapping[str, str]) -> Behind:
    names = tuple(sorted(by, key=lambda name: (-by[name], name)))
    return Behind(part, sum(by.values()), tuple(shown[name] for name in names), names)


def _shown(names: Iterable[str]) -> dict[str, str]:
    """Return how conversations are shown: by id, with the source where several share an id."""
    spaces: dict[str, list[str]] = defaultdict(list)
    for name in names:
        spaces[id_of(name)].append(name)
    return {name: each if len(same) == 1 else f"{each} ({space_of(name)})" for each, same in spaces.items() for name in same}


_NOTHING: Figure = {"value": None, "numerator": None, "denominator": None, "coverage": None}


class _FigureBuilder:
    """Computes figures from sums as roll-up does, for one scope and channel."""

    def __init__(self, question: Question, configuration: Configuration) -> None:
        self._question = question
        rollup = RollUp(configuration, 0, (), ())
        for record in question.definitions:
            try:
                rollup.restore_published("", dict(record))
            except DefinitionChangedError as error:
                raise QuestionError(f"this is not the configuration that the worker has: {error}") from error
        rollup.expect(question.scope, question.channel)
        self._state = rollup.scopes[question.scope, question.channel]

    def figures(self, sums: Counts, waiting: list[int] | None = None) -> Mapping[str, Figure]:
        """Return the figures of these sums; without ``waiting`` no contact waits."""
        kpis: Mapping[str, Figure] = self._figures(sums, waiting)["kpis"]
        return kpis

    def definition(self, sums: Counts) -> str | None:
        """Return the name and version of the figure's definition; None where it needs none."""
        definitions: Mapping[str, str] = self._figures(sums, None)["definitions"]
        return definitions.get(self._question.kpi)

    def _figures(self, sums: Counts, waiting: list[int] | None) -> dict[str, Any]:
        question = self._question
        self._state.set_now(("", 0), {"waiting_since_ms": sorted(waiting or ())})
        live_at = None if question.by_offer else question.until_ms or 0
        return figures_of(self._state, sums, question.span.start_ms, by_offer=question.by_offer, live_at=live_at)

    def past_threshold(self, waiting: Mapping[str, int]) -> tuple[str, ...]:
        """Return which of these contacts have waited beyond the threshold, longest first."""
        names = []
        for name, since in sorted(waiting.items(), key=lambda each: each[1]):
            self._state.set_now(("", 0), {"waiting_since_ms": [since]})
            if self._state.past_threshold(self._question.until_ms or 0, self._question.span.start_ms, missed=True):
                names.append(name)
        return tuple(names)


def _wider(offsets: tuple[int, int, int] | None, share: Share) -> tuple[int, int, int]:
    first, last, records = share.offsets
    return (first, last, records) if offsets is None else (min(offsets[0], first), max(offsets[1], last), offsets[2] + records)


def _differences(mine: Counts, served: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    # Sums by label are compared as served figures.
    names = {name for name in mine.keys() | served.keys() if not is_labelled(name)} - _NOT_OF_CONTACTS
    return {name: (mine.get(name, 0), served.get(name, 0)) for name in sorted(names) if mine.get(name, 0) != served.get(name, 0)}


def _listed(behind: Behind, limit: int) -> dict[str, Any]:
    names = behind.conversations
    return {
        "part": behind.part,
        "amount": behind.amount,
        "conversations": len(names),
        "listed": list(names[:limit]),
        "not_listed": max(0, len(names) - limit),
    }
