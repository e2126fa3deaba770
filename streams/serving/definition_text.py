"""What a definition of the service level counts, in one sentence for those who read its figures, in English and Japanese."""

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

#: A version of a definition takes effect within so long.
_KEPT_MS: Final = 60_000

_SAID: Final = (
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
    """Return ``text_en`` and ``text_ja``: which contacts are in time, which are too late, and which count nowhere."""
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
    said = [[each[index].format(**seconds) for each in part] for part in (met, missed, left_out)]
    if definition.short_abandon_s is not None:
        said[2].append(_SHORT[index].format(s=f"{definition.short_abandon_s:g}"))
    words, others = WORDS["ja" if index else "en"], False
    chosen = dict[str, str](definition.flow_out.items())
    for way in sorted(ALL_FLOW_OUTS):
        verdict = chosen.get(way, "negative" if way in definition.flow_out_negative else "exclude")
        name = words[f"way.{way}"]
        if verdict == "positive":
            said[0].append(_SOON[index].format(way=name, **seconds))
            said[1].append(_AFTER[index].format(way=name))
        elif verdict == "negative":
            said[1].append(name)
        others = others or verdict == "exclude"
    if others:
        said[2].append(_REST[index])
    parts = (_LIST[index].join(part) or _NOTHING[index] for part in said)
    return _SAID[index].format(**dict(zip(("met", "missed", "left_out"), parts, strict=True)))


def judging(configuration: Configuration, queue: str, channel: str, at_ms: int) -> list[dict[str, Any]]:
    """Return the definitions that a queue is judged by on a channel, the first of which decides, as answers have them."""
    versions = definitions_of(configuration, queue, channel).versions
    return [_document(name, _at(each, at_ms)) for name, each in versions.items()]


def _at(versions: Iterable[DefinitionVersion], at_ms: int) -> DefinitionVersion:
    # The first holds from the beginning.
    first, *later = versions
    return [first, *(each for each in later if (each.from_ms or 0) <= at_ms)][-1]


def _document(name: str, definition: DefinitionVersion) -> dict[str, Any]:
    told = definition_text(definition)
    return {"definition": f"{name}@{definition.version}", "threshold_seconds": definition.threshold_s, **told}


class Judging:
    """What queues are judged by, kept while the configuration is the same: that of a thousand queues takes a while to put together."""

    def __init__(self) -> None:
        self._of: tuple[Configuration, int] | None = None
        self._kept: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def document(self, configuration: Configuration, places: Iterable[tuple[str, str]], at_ms: int) -> dict[str, Any]:
        """Return the definitions of some queues and channels, and by queue and channel which of them judge, the first of which decides."""
        if self._of is None or self._of[0] is not configuration or self._of[1] != at_ms // _KEPT_MS:
            self._of, self._kept = (configuration, at_ms // _KEPT_MS), {}
        found: list[dict[str, Any]] = []
        numbers: dict[str, int] = {}
        by_queue: dict[str, dict[str, list[int]]] = {}
        for queue, channel in places:
            told = self._kept.get((queue, channel))
            if told is None:
                told = self._kept[queue, channel] = judging(configuration, queue, channel, at_ms)
            for each in told:
                # Those of queues' own have one name, and may say different things.
                key = f"{each['definition']} {each['text_en']}"
                if key not in numbers:
                    numbers[key] = len(found)
                    found.append(each)
                by_queue.setdefault(queue, {}).setdefault(channel, []).append(numbers[key])
        return {"definitions": found, "judged_by": by_queue}
