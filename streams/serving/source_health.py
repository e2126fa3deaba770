"""The health of every source of events, one sentence each: when it was last seen, and which of its records are not counted. No clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.times import parse_time_ms
from schemas.visible import visible
from streams.serving.clock_text import time_of_day

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from zoneinfo import ZoneInfo

__all__ = ["health_of"]

#: Code → sentence, in English and Japanese. Placeholders: source, at, age, scopes, reason, records, through.
_SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "heard": (
        "{source} was last seen at {at}, {age} ago: its events are counted.",
        "{source}：最終受信 {at}（{age}前）。受信分は集計されています。",
    ),
    "silent": (
        "{source} has sent nothing since {at}, for {age}: figures{scopes} lack its later events.",
        "{source}：{at}から{age}受信がありません。{scopes}数値には、以降の分が含まれていません。",
    ),
    "never_heard": (
        "{source} has never sent anything: figures{scopes} lack its events.",
        "{source}：一度も受信がありません。{scopes}数値には、この送信元の分が含まれていません。",
    ),
    "quarantined": (
        "{source} has been quarantined since {at} ({reason}): {records} records are dead letters and are not counted.",
        "{source}：{at}から隔離中（{reason}）。{records}件がデッドレターとなり、集計されていません。",
    ),
}
_CROWDED: Final = (
    "It exceeds the limit of names: {records} events count as (other).",
    "名称の上限を超えたため、{records}件のイベントは「(other)」に合算されています。",
)
_JOURNAL: Final = (
    "It reports afterwards, and is complete through {through}.",
    "事後に届く送信元で、{through}までのデータがそろっています。",
)
_REASONS: Final[dict[str, tuple[str, str]]] = {
    "bad_records": ("too many bad records", "不正レコード過多"),
    "late_records": ("too many late records", "遅延レコード過多"),
    "operator": ("by an operator", "担当者の指示"),
}
_OF: Final = (" of {names}", "{names}の")
_NAMED: Final = 3
_MORE: Final = ("{names} and {n} more", "{names}ほか{n}件")
_UNITS: Final = ((86_400, " d", "日"), (3600, " h", "時間"), (60, " min", "分"), (1, " s", "秒"))


def health_of(
    sources: Mapping[str, Mapping[str, Any]], fed_by: Mapping[str, Collection[str]], now_ms: int, zone: ZoneInfo
) -> dict[str, Any]:
    """Return all sources, unhealthy ones first; ``sources`` are as in headers, ``fed_by`` by ``KIND:NAME``."""
    documents = [
        _source(name, source, [scope for scope in sorted(fed_by) if name in fed_by[scope]], now_ms, zone)
        for name, source in sources.items()
    ]
    return {"health": sorted(documents, key=lambda document: (document["code"] == "heard", document["source"]))}


def _source(name: str, source: Mapping[str, Any], feeds: list[str], now_ms: int, zone: ZoneInfo) -> dict[str, Any]:
    seen_ms = None if source["last_seen"] is None else parse_time_ms(source["last_seen"])
    quarantined, beyond, through = source.get("quarantined"), source.get("beyond_limits"), source.get("complete_through")
    since_ms = seen_ms
    if quarantined is not None:
        code, since_ms = "quarantined", parse_time_ms(quarantined["since"])
    elif source["stale"]:
        code = "never_heard" if seen_ms is None else "silent"
    else:
        code = "heard" if seen_ms is not None else "never_heard"
    silent = None if seen_ms is None else max(0.0, (now_ms - seen_ms) / 1000)
    texts = {}
    for index, language in enumerate(("en", "ja")):
        parts = [
            _SENTENCES[code][index].format(
                source=visible(name),
                at="" if since_ms is None else time_of_day(since_ms, now_ms, zone),
                age=_age(silent, index),
                scopes=_scopes(feeds, index),
                reason="" if quarantined is None else _REASONS.get(quarantined["reason"], (quarantined["reason"],) * 2)[index],
                records=0 if quarantined is None else f"{quarantined['records']:,}",
            )
        ]
        if beyond:
            parts.append(_CROWDED[index].format(records=f"{sum(beyond.values()):,}"))
        if through is not None:
            parts.append(_JOURNAL[index].format(through=time_of_day(parse_time_ms(through), now_ms, zone)))
        texts[f"text_{language}"] = ("" if index else " ").join(parts)
    return {"source": name, "code": code, **source, "silent_seconds": silent, "feeds": feeds, **texts}


def _scopes(feeds: list[str], index: int) -> str:
    names = [visible(scope.partition(":")[2]) for scope in feeds]
    if not names:
        return ""
    shown = (", ", "、")[index].join(names[:_NAMED])
    return _OF[index].format(names=shown if len(names) <= _NAMED else _MORE[index].format(names=shown, n=len(names) - _NAMED))


def _age(seconds: float | None, index: int) -> str:
    if seconds is None:
        return ""
    length, *units = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    return f"{int(seconds // length)}{units[index]}"
