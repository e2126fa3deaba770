"""``replay --definition A --definition B``: figures of the same contacts by several definitions, by queue and interval."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from streams.catalogue.percent import percent
from streams.configuration.definitions import INLINE, MOST, DefinitionVersion
from streams.configuration.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.configuration import Configuration

__all__ = ["DefinitionChoiceError", "compared", "comparison", "comparison_table"]

_ANY_CHANNEL: Final = "*"


class DefinitionChoiceError(ValueError):
    """These definitions cannot be compared; the message states why, and what is permitted."""


def compared(configuration: Configuration, names: Sequence[str]) -> Configuration:
    """Return a configuration in which every queue is judged by the first of some definitions, with the others beside it.

    A name is that of a definition with all its versions, NAME@VERSION for one of them from the beginning, ``service_level`` for the inline
    definition of the file, or a preset.

    Raises:
        DefinitionChoiceError: too few or too many, one twice, or an unknown name.
    """
    if not 1 < len(set(names)) == len(names) <= MOST:
        raise DefinitionChoiceError(f"--definition {', '.join(names)}; permitted: 2 to {MOST} definitions, each once")
    definitions = {name: _versions(configuration, name) for name in names}
    queues = {
        name: queue.model_copy(update={"service_level": None, "definitions": None, "target": None})
        for name, queue in configuration.queues.items()
    }
    chosen = {"definitions": definitions, "default_definitions": {_ANY_CHANNEL: tuple(names)}, "queues": queues, "alerts": {}}
    return configuration.model_copy(update=chosen)


def _versions(configuration: Configuration, name: str) -> tuple[DefinitionVersion, ...]:
    base_name, _, version = name.partition("@")
    versions = configuration.definitions.get(base_name, ())
    if version:
        versions = tuple(each.model_copy(update={"effective_from": None}) for each in versions if str(each.version) == version)
    elif not versions and name == INLINE:
        versions = (DefinitionVersion.model_validate(configuration.service_level.model_dump()),)
    elif not versions and name in PRESETS:
        versions = (DefinitionVersion.model_validate({"preset": name}),)
    if not versions:
        known = [*configuration.definitions]
        known += [f"{other}@{one.version}" for other, every in configuration.definitions.items() if len(every) > 1 for one in every]
        raise DefinitionChoiceError(f"--definition {name} is unknown; permitted: {', '.join([*known, INLINE, *PRESETS])}")
    return versions


def comparison(result: dict[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return, by queue, channel and interval of a replay's result, each figure by every definition, and its difference from the first."""
    intervals = []
    for interval in result["intervals"]:
        beside = dict(zip(names[1:], interval["by_definition"].values(), strict=True))
        kpis: dict[str, Any] = {}
        for kpi in dict.fromkeys(kpi for figures in beside.values() for kpi in figures):
            first = interval["kpis"][kpi]
            by_name = {names[0]: first, **{name: figures.get(kpi, first) for name, figures in beside.items()}}
            differences = {name: _minus(by_name[name]["value"], first["value"]) for name in names[1:]}
            kpis[kpi] = {"figures": by_name, "differences": differences}
        keys = {name: interval[name] for name in ("queue", "channel", "interval", "start", "end")}
        judged = {names[0]: interval["definitions"]["service_level"], **dict(zip(names[1:], interval["by_definition"], strict=True))}
        versions = {name: int(label.rpartition("@")[2]) for name, label in judged.items()}
        intervals.append({**keys, "versions": versions, "kpis": kpis})
    return intervals


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def comparison_table(compared_intervals: list[dict[str, Any]], names: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a table: the service levels of the shortest intervals, and their differences in points."""
    shortest = min((entry["interval"] for entry in compared_intervals), key=_minutes, default="")
    rows = [["queue", "channel", "from", *names, *(f"{name} - {names[0]}" for name in names[1:])]]
    ordered = sorted(
        (each for each in compared_intervals if each["interval"] == shortest), key=lambda each: (each["queue"], each["channel"])
    )
    for (queue, channel), intervals in groupby(ordered, key=lambda each: (each["queue"], each["channel"])):
        for each in sorted(intervals, key=lambda each: str(each["start"])):
            level = each["kpis"]["service_level"]
            shares = [_share(level["figures"][name]) for name in names]
            rows.append([queue, channel, each["start"], *shares, *(_points(level["differences"][name]) for name in names[1:])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, second, *cells in rows:
        names_of = f"{first:<{widths[0]}}  {second:<{widths[1]}}"
        yield names_of + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths[2:], strict=True))


def _minutes(interval: str) -> int:
    return int(interval.removeprefix("interval_").removesuffix("m"))


def _share(figure: dict[str, Any]) -> str:
    parts = f"{figure['numerator']:.0f}/{figure['denominator']:.0f}"
    return f"- {parts}" if figure["value"] is None else f"{percent(figure['value'])} % {parts}"


def _points(difference: float | None) -> str:
    return "-" if difference is None else f"{100 * difference:+.1f}"
