"""The status in one sentence: the faulty part, since when, what is still correct, and the contact to call. No clock, no network."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from schemas.times import format_ms
from schemas.topics import topic
from schemas.visible import visible
from streams.configuration.on_call import OnCall, Part
from streams.serving.clock_text import time_of_day

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["CODES", "NOTHING_BROKEN", "OK", "Fault", "Seen", "faults_of", "sentence", "status_document", "unreached"]

OK: Final = "ok"
_PANES: Final = topic("queue-panes.v1")
_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The observations of a server; times in milliseconds since the epoch."""

    now_ms: int
    #: Figures were read once; they are followed now; Kafka answers; the topic of figures is missing; since when this is so.
    ready: bool
    connected: bool
    reached: bool
    missing: bool
    since_ms: int
    as_of_ms: int | None
    #: The as-of is too old, or ahead of the clock.
    old: bool = False
    ahead: bool = False
    #: Topic without prefix → partitions that no live worker counts, and since when at the latest.
    stalled: Mapping[str, Collection[int]] = field(default_factory=dict)
    still_since_ms: int | None = None
    #: A live worker restores its state, and counts after that.
    restoring: bool = False
    #: The as-of has advanced recently, old or not.
    moving: bool = False
    #: Scopes whose figures are stalled while others are current → their as-of; and scopes whose figures catch up.
    recovering: Mapping[str, int] = field(default_factory=dict)
    catching_up: Mapping[str, int] = field(default_factory=dict)
    #: Silent source → when it was last seen; quarantined source → since when.
    silent: Mapping[str, int | None] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    #: Since when a changed configuration has been refused.
    refused_since_ms: int | None = None
    #: The percentage of the topics of figures that has been read; None if complete, unknown or hidden.
    percent: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    code: str
    part: Part
    since_ms: int | None
    #: The sources, scopes or partitions concerned.
    names: tuple[str, ...] = ()


#: Code → sentence, in English and Japanese. Placeholders: since, as_of, names, share. Each ends with what is still correct.
_SENTENCES: Final[dict[str, tuple[str, str]]] = {
    OK: ("Everything works: figures are as of {as_of}.", "正常に動作しています（{as_of}現在）。"),
    "kafka_not_reached": (
        "Kafka has not answered since {since}: there are no figures yet, and they will be there once it does",
        "Kafkaが{since}から応答していません。まだ数値はありませんが、応答があれば自動的に表示されます",
    ),
    "kafka_lost": (
        "Kafka cannot be read since {since}: figures are right as of {as_of}, and newer ones are missing until it can",
        "Kafkaを{since}から読み取れません。{as_of}現在の数値は正しく、それ以降は復旧するまで更新されません",
    ),
    "topics_missing": (
        "No worker has created the topics of figures by {since}: Kafka answers, and figures will be there once a worker runs",
        "集計プロセス（worker）がまだ一度も起動していません（{since}時点）。Kafkaは応答しており、起動すれば数値が表示されます",
    ),
    "reading": (
        "Figures are being read from Kafka since {since}{share}: nothing is broken, they will be there soon",
        "{since}からKafkaの数値を読み込み中です{share}。異常はなく、まもなく表示されます",
    ),
    "worker_silent": (
        "No worker has counted since {since}: figures are right as of {as_of}, and later events wait in Kafka",
        "集計プロセス（worker）が{since}から停止しています。{as_of}現在の数値は正しく、以降のイベントはKafkaに残り、後で集計されます",
    ),
    "worker_partly_silent": (
        "Part of the events has not been counted since {since} ({names}): figures are right as of then, and later events wait in Kafka",
        "{since}から一部のイベントが集計されていません（{names}）。それ以前の数値は正しく、以降の不足分はKafkaに残り、後で集計されます",
    ),
    "worker_restoring": (
        (
            "A worker has started, and has been restoring its state since {since}: figures are right as of {as_of}, and later events "
            "are counted after that"
        ),
        "集計プロセス（worker）が起動し、{since}から状態を読み込んでいます。{as_of}現在の数値は正しく、以降の分は読み込み後に集計されます",
    ),
    "worker_partly_restoring": (
        (
            "Part of the events waits for a worker that has been restoring its state since {since} ({names}): figures are right as of "
            "then, and later events are counted after that"
        ),
        (
            "集計プロセス（worker）が{since}から状態を読み込んでおり、一部のイベントが集計待ちです（{names}）。"
            "それ以前の数値は正しく、以降の分は読み込み後に集計されます"
        ),
    ),
    "clock_ahead": (
        "A clock is wrong: figures are as of {as_of}, in the future; counts are right, ages and current figures are not",
        "時計がずれています。数値は未来の時刻（{as_of}）現在となっています。件数は正しく、経過時間と現在の表示は正しくありません",
    ),
    "figures_catching_up": (
        "Figures catch up: they are right as of {as_of}, and later events are being counted",
        "集計が現在時刻に追い付くまで処理中です。{as_of}現在の数値は正しく、以降の分も順次集計されます",
    ),
    "no_figures": (
        "Nothing has been counted yet: figures are shown once a source has sent events",
        "まだ何も集計されていません。送信元から情報が届くと数値が表示されます",
    ),
    "figures_old": (
        "Figures have been stalled since {since}: they are right as of then, and no source has sent later events",
        "{since}から数値が更新されていません。その時点の数値は正しく、それ以降はどの送信元からも情報が届いていません",
    ),
    "scopes_recovering": (
        "Some figures have been stalled since {since} ({names}): all others are right",
        "{since}から一部の数値が更新されていません（{names}）。その他の数値は正しく表示されています",
    ),
    "scopes_catching_up": (
        "Some figures catch up and are right as of {since} ({names}), and later events are being counted: all others are current",
        "一部の数値は{since}現在で、追い付くまで処理中です（{names}）。その他の数値は最新です",
    ),
    "source_silent": (
        "No events have arrived from {names} since {since}: what other sources report is right, and later events from there are missing",
        "{names}からの情報が{since}から途絶えています。他の送信元による数値は正しく、途絶した送信元の以降の分は含まれていません",
    ),
    "source_never_heard": (
        "No events have ever arrived from {names}: what other sources report is right, and events from there are missing",
        "{names}からの情報がまだ一度も届いていません。他の送信元による数値は正しく、この送信元の分は含まれていません",
    ),
    "source_quarantined": (
        "Events from {names} have been quarantined since {since} and are not counted: what other sources report is right",
        "{names}のデータは{since}から隔離され、集計されていません。他の送信元による数値は正しく表示されています",
    ),
    "configuration_refused": (
        "The changed configuration has been refused since {since} as invalid: figures are right by the previous one",
        "変更された設定は{since}に不正として拒否されました。数値は変更前の設定による正しい値です",
    ),
    "serve_not_reached": (
        "The server of figures cannot be reached ({names}): no event is lost, and figures are shown again once it runs",
        "表示サーバーに接続できません（{names}）。これによるイベントの欠落はなく、復旧すれば再び表示されます",
    ),
}
CODES: Final = tuple(_SENTENCES)
#: Codes that resolve themselves: no call is necessary.
NOTHING_BROKEN: Final = frozenset(
    {OK, "reading", "no_figures", "worker_restoring", "worker_partly_restoring", "figures_catching_up", "scopes_catching_up"}
)
_SHARE: Final = (" ({percent} % by now)", "（{percent}%完了）")
_CALL: Final = ("{text}. Call {call}.", "{text}。連絡先：{call}")
_ALONE: Final = ("{text}.", "{text}。")
_MORE: Final = ("{names} and {n} more", "{names}ほか{n}件")


def faults_of(seen: Seen) -> list[Fault]:
    """Return the faults, the root cause first; consequences of another fault are left out."""
    refused = [] if seen.refused_since_ms is None else [Fault("configuration_refused", "configuration", seen.refused_since_ms)]
    if not (seen.ready and seen.connected):
        return [_of_kafka(seen), *refused]
    return [*_of_workers(seen), *_of_sources(seen), *refused]


def _of_kafka(seen: Seen) -> Fault:
    # Only brokers that answer report a missing topic; a server with figures had it once.
    if seen.missing and not seen.ready:
        return Fault("topics_missing", "worker", seen.now_ms)
    if seen.ready:
        return Fault("kafka_lost", "kafka", seen.since_ms)
    return Fault("reading", "serve", seen.since_ms) if seen.reached else Fault("kafka_not_reached", "kafka", seen.since_ms)


def _of_workers(seen: Seen) -> list[Fault]:
    still = sum(map(len, seen.stalled.values()))
    if still and len(seen.stalled.get(_PANES.name, ())) == _PANES.partitions:
        return [Fault("worker_restoring" if seen.restoring else "worker_silent", "worker", seen.still_since_ms)]
    faults = []
    if still:
        names = (f"{name} {', '.join(map(str, sorted(numbers)))}" for name, numbers in sorted(seen.stalled.items()) if numbers)
        code = "worker_partly_restoring" if seen.restoring else "worker_partly_silent"
        faults.append(Fault(code, "worker", seen.still_since_ms, tuple(names)))
    else:
        for code, scopes in (("scopes_recovering", seen.recovering), ("scopes_catching_up", seen.catching_up)):
            if scopes:
                faults.append(Fault(code, "worker", min(scopes.values()), tuple(sorted(scopes))))
    if seen.ahead:
        faults.append(Fault("clock_ahead", "serve", None))
    elif seen.as_of_ms is None and not still:
        faults.append(Fault("no_figures", "source", None))
    elif seen.old and not still and seen.moving:
        faults.append(Fault("figures_catching_up", "worker", seen.as_of_ms))
    elif seen.old and not still and not seen.silent:
        faults.append(Fault("figures_old", "source", seen.as_of_ms))
    return faults


def _of_sources(seen: Seen) -> list[Fault]:
    if any(len(numbers) for numbers in seen.stalled.values()) and seen.old:
        return []  # the worker that would see them is silent
    last_seen = {name: at for name, at in seen.silent.items() if at is not None}
    never = tuple(sorted(seen.silent.keys() - last_seen.keys()))
    # One sentence names all silent sources, the first to fall silent first, with its time.
    names = tuple(sorted(last_seen, key=lambda name: (last_seen[name], name)))
    faults = [Fault("source_silent", "source", last_seen[names[0]], names)] if last_seen else []
    faults += [Fault("source_never_heard", "source", None, never)] if never else []
    if seen.quarantined:
        faults.append(Fault("source_quarantined", "source", min(seen.quarantined.values()), tuple(sorted(seen.quarantined))))
    return faults


def unreached(url: str) -> Fault:
    """Return the fault of an unreachable server, for outside clients."""
    return Fault("serve_not_reached", "serve", None, (url,))


def sentence(fault: Fault | None, seen: Seen | None, zone: ZoneInfo, call: str | None) -> dict[str, str]:
    """Return ``text_en`` and ``text_ja`` of a fault, or of its absence; times are in ``zone``."""
    texts = {}
    for index, language in enumerate(("en", "ja")):
        text = _SENTENCES[OK if fault is None else fault.code][index].format(
            since=_time(None if fault is None else fault.since_ms, seen, zone),
            as_of=_time(None if seen is None else seen.as_of_ms, seen, zone),
            names="" if fault is None else _named(fault.names, index),
            share="" if seen is None or seen.percent is None else _SHARE[index].format(percent=seen.percent),
        )
        if fault is not None:
            text = (_ALONE if call is None else _CALL)[index].format(text=text, call="" if call is None else visible(call))
        texts[f"text_{language}"] = text
    return texts


def _named(names: tuple[str, ...], index: int) -> str:
    separator = ("; ", "、")[index] if any(", " in name for name in names) else (", ", "、")[index]
    shown = separator.join(visible(name) for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else _MORE[index].format(names=shown, n=len(names) - _NAMED)


def _time(ms: int | None, seen: Seen | None, zone: ZoneInfo) -> str:
    return "–" if ms is None or seen is None else time_of_day(ms, seen.now_ms, zone)


def status_document(seen: Seen, zone: ZoneInfo, on_call: OnCall | None) -> dict[str, Any]:
    """Return the status: the sentence of the first fault, and all faults with their sentences."""
    faults = []
    for fault in faults_of(seen):
        call = None if on_call is None or fault.code in NOTHING_BROKEN else on_call.of(fault.part, fault.names)
        document = {"code": fault.code, "part": fault.part, "since": _format(fault.since_ms), "names": list(fault.names), "call": call}
        faults.append({**document, **sentence(fault, seen, zone, call)})
    first: dict[str, Any] = (
        faults[0] if faults else {"code": OK, "part": None, "since": None, "names": [], "call": None, **sentence(None, seen, zone, None)}
    )
    common = {"as_of": _format(seen.as_of_ms), "server_time": format_ms(seen.now_ms), "faults": faults}
    missing = on_call is None and any(fault["code"] not in NOTHING_BROKEN for fault in faults)
    return {**first, **common, "call_missing": missing, "call_when_unreached": None if on_call is None else on_call.of("serve")}


def _format(ms: int | None) -> str | None:
    return None if ms is None else format_ms(ms)
