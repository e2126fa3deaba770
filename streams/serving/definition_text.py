"""One sentence about what a service level definition counts, in English and Japanese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.catalogue import WORDS
from streams.configuration.judges import definitions_of
from streams.configuration.service_level import ALL_FLOW_OUTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.configuration import Configuration
    from streams.configuration.definitions import DefinitionVersion
    from streams.configuration.service_level import ServiceLevelDefinition

__all__ = ["Judging", "definition_text", "judging"]

#: How long a queue's definitions are cached: a new version takes effect within this time.
_CACHE_MS: Final = 60_000

_SENTENCE: Final = (
    "In time: {met}. Too late: {missed}. Not counted: {left_out}.",
    "目標内：{met}。目標超過：{missed}。対象外：{left_out}。",
)
_LIST: Final = (", ", "、")
_NOTHING: Final = ("nothing", "なし")
_ANSWERED: Final = {"le": ("answered within {s} s", "{s}秒以内の応答"), "lt": ("answered in less than {s} s", "{s}秒未満の応答")}
_LATER: Final = ("answered later", "それ以降の応答")
_WAITING: Final = ("still waiting after {s} s (live)", "{s}秒を超えて待機中（リアルタイム）")
_ABANDONED: Final = ("abandoned", "放棄")
_ABANDONED_SOON: Final = ("abandoned within {s} s", "{s}秒以内の放棄")
_ABANDONED_LATER: Final = ("abandoned later", "それ以降の放棄")
_SHORT: Final = ("abandoned before {s} s", "{s}秒未満の放棄")
_SOON: Final = ("{way} within {s} s", "{s}秒以内の{way}")
_AFTER: Final = ("{way} later", "それ以降の{way}")
_REST: Final = ("other ways out", "その他の離脱")


def definition_text(definition: ServiceLevelDefinition) -> dict[str, str]:
    """Return ``text_en`` and ``text_ja``: which contacts are in time, which are too late, and which are not counted."""
    return {f"text_{language}": _text(definition, index) for index, language in enumerate(("en", "ja"))}


def _text(definition: ServiceLevelDefinition, index: int) -> str:
    seconds = {"s": f"{definition.threshold_s:g}"}
    met, missed = [_ANSWERED[definition.boundary]], [_LATER]
    left_out: list[tuple[str, str]] = []
    if definition.count_at == "earliest":
        missed.append(_WAITING)
    soon = {"positive": met, "negative": missed, "ignore_in_threshold": left_out, "handled_only": left_out}[definition.abandon]
    later = left_out if definition.abandon == "handled_only" else missed
    if soon is later:
        soon.append(_ABANDONED)
    else:
        soon.append(_ABANDONED_SOON)
        later.append(_ABANDONED_LATER)
    parts = [[phrase[index].format(**seconds) for phrase in part] for part in (met, missed, left_out)]
    if definition.short_abandon_s is not None:
        parts[2].append(_SHORT[index].format(s=f"{definition.short_abandon_s:g}"))
    labels, others = WORDS["ja" if index else "en"], False
    chosen = dict[str, str](definition.flow_out.items())
    for way in sorted(ALL_FLOW_OUTS):
        verdict = chosen.get(way, "negative" if way in definition.flow_out_negative else "exclude")
        name = labels[f"way.{way}"]
        if verdict == "positive":
            parts[0].append(_SOON[index].format(way=name, **seconds))
            parts[1].append(_AFTER[index].format(way=name))
        elif verdict == "negative":
            parts[1].append(name)
        others = others or verdict == "exclude"
    if others:
        parts[2].append(_REST[index])
    texts = (_LIST[index].join(part) or _NOTHING[index] for part in parts)
    return _SENTENCE[index].format(**dict(zip(("met", "missed", "left_out"), texts, strict=True)))


def judging(configuration: Configuration, queue: str, channel: str, at_ms: int) -> list[dict[str, Any]]:
    """Return a queue's definitions on a channel as answers have them; the first one decides."""
    versions = definitions_of(configuration, queue, channel).versions
    return [_document(name, _at(version, at_ms)) for name, version in versions.items()]


def _at(versions: Iterable[DefinitionVersion], at_ms: int) -> DefinitionVersion:
    # The first has no begin.
    first, *later = versions
    return [first, *(version for version in later if (version.from_ms or 0) <= at_ms)][-1]


def _document(name: str, definition: DefinitionVersion) -> dict[str, Any]:
    texts = definition_text(definition)
    return {"definition": f"{name}@{definition.version}", "threshold_seconds": definition.threshold_s, **texts}


class Judging:
    """The definitions of queues, cached per configuration: those of a thousand queues are slow to compute."""

    def __init__(self) -> None:
        self._of: tuple[Configuration, int] | None = None
        self._cache: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def document(self, configuration: Configuration, queues: Iterable[tuple[str, str]], at_ms: int) -> dict[str, Any]:
        """Return the definitions of some queues and channels, and which of them judge each; the first one decides."""
        if self._of is None or self._of[0] is not configuration or self._of[1] != at_ms // _CACHE_MS:
            self._of, self._cache = (configuration, at_ms // _CACHE_MS), {}
        documents: list[dict[str, Any]] = []
        numbers: dict[str, int] = {}
        by_queue: dict[str, dict[str, list[int]]] = {}
        for queue, channel in queues:
            definitions = self._cache.get((queue, channel))
            if definitions is None:
                definitions = self._cache[queue, channel] = judging(configuration, queue, channel, at_ms)
            for definition in definitions:
                # Queues' own definitions share one name, with different texts.
                key = f"{definition['definition']} {definition['text_en']}"
                if key not in numbers:
                    numbers[key] = len(documents)
                    documents.append(definition)
                by_queue.setdefault(queue, {}).setdefault(channel, []).append(numbers[key])
        return {"definitions": documents, "judged_by": by_queue}
