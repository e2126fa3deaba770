"""The answer as lines of text, in English and Japanese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.catalogue import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["conversation_lines", "lines"]

_WAYS: Final = {
    "answered": ("answered", "応答"),
    "abandoned": ("abandoned", "放棄"),
    "counted": ("counted", "件数に含む"),
    "numerator": ("numerator", "分子"),
    "denominator": ("denominator", "分母"),
    "undecided": ("not decided in this window", "この時間帯では未決"),
    "waiting": ("still waiting beyond the threshold", "しきい値を超えて待機中"),
    "flow_out": ("left the queue", "キューから離脱"),
}
_ROLES: Final = {
    "met": ("met", "達成"),
    "missed": ("missed", "未達"),
    "not_counted": ("not counted", "対象外"),
}
_TEXTS: Final = {
    "agrees": ("the contacts add up to the served figure", "内訳の合計は提供値と一致"),
    "differs": ("THE CONTACTS DO NOT ADD UP TO THE SERVED FIGURE", "内訳の合計は提供値と一致しない"),
    "no_served": ("no served figure is left to compare with", "比較する提供値なし"),
    "definition": (
        "the counts are equal: the worker counts with another configuration than this one",
        "件数は一致: ワーカーの設定がこの設定と異なる",
    ),
    "too_many_open": ("too many waits or agents' shares are open in it", "同時に開いている待ちまたは応対が多すぎる"),
    "late": ("late events, which change no figure", "遅延イベント (集計に影響なし)"),
    "incomplete": ("not everything was read", "一部のイベントを読み込めず"),
    "more": ("and {} more", "ほか{}件"),
    "conversation": ("{} (events: {}): {} counted nothing", "{} (イベント{}件): 集計なし{}件"),
    "place": ("{} of {}, partition {}, offset {}", "{} ({})、パーティション{}、オフセット{}"),
    "formula": ("formula", "計算式"),
    "definition_name": ("definition", "定義"),
    "of": ("contacts", "問い合わせ"),
    "served": ("served", "提供値"),
    "records": ("records", "レコード"),
    "offsets": ("partition {}: offsets {} to {}, {} records", "パーティション{}: オフセット{}〜{}、{}件"),
}
#: Why an event counted nothing (docs/counting.md).
_REASONS: Final = {
    "no_begin": ("the begin of what it ends or belongs to is unknown", "開始が不明"),
    "no_visit": ("no open wait matches it", "該当する待ちなし"),
    "no_leg": ("no agent's share matches it", "該当する応対なし"),
    "no_queue": ("its queue is unknown", "集計先のキューが不明"),
    "late": ("it arrived too late", "遅延して到着"),
    "repeated": ("the same event arrived before", "同じイベントが到着済み"),
    "excluded": ("the conversation is excluded", "除外された問い合わせ"),
    "not_inbound": ("the conversation is internal or outbound", "内線または発信"),
    "consultation": ("it is a consultation between agents", "担当者間の相談"),
}


def conversation_lines(answer: Mapping[str, Any], lang: str = "en") -> Iterator[str]:
    """Yield the lines about a conversation."""
    ja = lang == "ja"
    yield _TEXTS["conversation"][ja].format(answer["conversation"], answer["events"], answer["counted_nothing"])
    for each in answer["listed"]:
        place = _TEXTS["place"][ja].format(each["event_id"], each["source"], each["partition"], each["offset"])
        yield f"  {each['occurred_at']}  {each['type']}  {each['reason']}: {_REASONS[each['reason']][ja]} ({place})"
    if answer["not_listed"]:
        yield f"  {_TEXTS['more'][ja].format(answer['not_listed'])}"
    read = answer["read"]
    yield f"  {read['topic']}: {read['records']:,} {_TEXTS['records'][ja]}, {read['bytes'] / 1_000_000:.1f} MB"
    if not read["complete"]:
        yield f"  {_TEXTS['incomplete'][ja]}: {'; '.join(read['incomplete'])}"


def lines(answer: Mapping[str, Any], lang: str = "en") -> Iterator[str]:
    """Yield the lines about an answer's document."""
    ja = lang == "ja"

    def text(name: str) -> str:
        return _TEXTS[name][ja]

    yield f"{answer['label']}, {answer['scope'].partition(':')[2]} ({answer['channel']}), {answer['window']}: {_figure(answer)}"
    as_of = f" (as of {answer['as_of']})" if answer["as_of"] else ""
    yield f"  {answer['window_start']} – {answer['window_end']}{as_of}"
    yield f"  {text('formula')}: {answer['formula']}"
    if answer["kpi"] == "aht" and answer.get("value") is None and answer.get("coverage") == 0:
        yield f"  {WORDS['ja' if ja else 'en']['aht.unknown']}"
    if answer["definition"]:
        yield f"  {text('definition_name')}: {answer['definition']}"
    parts = [*answer["parts"], *([answer["waiting_past_threshold"]] if answer["waiting_past_threshold"] else [])]
    width = max((len(_part(each["part"], ja)) for each in parts), default=0)
    for each in parts:
        more = f" {text('more').format(each['not_listed'])}" if each["not_listed"] else ""
        yield f"  {_part(each['part'], ja):<{width}}  {_number(each['amount']):>8}  {', '.join(each['listed'])}{more}"
    read = answer.get("read")
    if read:
        yield f"  {read['topic']}: {read['records']:,} {text('records')}, {read['bytes'] / 1_000_000:.1f} MB"
    for each in answer["records"]:
        yield "    " + text("offsets").format(each["partition"], each["first_offset"], each["last_offset"], each["records"])
    yield from _verdict(answer, text)


def _verdict(answer: Mapping[str, Any], text: Any) -> Iterator[str]:
    read = answer.get("read")
    if answer["late_events"]:
        yield f"  {text('late')}: {answer['late_events']}"
    if read and not read["complete"]:
        yield f"  {text('incomplete')}: {'; '.join(read['incomplete'])}"
    if answer["agrees"] is None:
        yield f"  {text('no_served')}"
    elif answer["agrees"]:
        yield f"  {text('agrees')}"
    else:
        yield f"  {text('differs')}; {text('served')}: {_figure(answer['served'] or {})}"
        if not answer["differences"]:
            yield f"    {text('definition')}"
        for name, each in answer["differences"].items():
            yield f"    {name}: {each['contacts']}, {text('served')} {each['served']}"


def _part(name: str, ja: bool) -> str:
    for role, words in _ROLES.items():
        if name.endswith(f"_{role}"):
            return f"{_part(name.removesuffix(f'_{role}'), ja)}, {words[ja]}"
    if name.startswith("flow_out_"):
        return f"{_WAYS['flow_out'][ja]} ({name.removeprefix('flow_out_')})"
    return _WAYS.get(name, (name, name))[ja]


def _figure(figure: Mapping[str, Any]) -> str:
    value = figure.get("value")
    text = "–" if value is None else f"{value:.4g}"
    if figure.get("denominator") is None:
        return text
    coverage = figure.get("coverage")
    known = "" if coverage is None or coverage == 1 else f", coverage {coverage:.3g}"
    return f"{text} = {_number(figure['numerator'])} ÷ {_number(figure['denominator'])}{known}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.10g}"
