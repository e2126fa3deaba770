"""Formulas in Japanese, of the same objects that compute: each text of a field or entry has its translation here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from streams.catalogue.choices import ByDefinition, ByWindow, NotIn, Where
from streams.catalogue.formulas import Count, Formula, Observed, Ratio
from streams.catalogue.quantities import Field
from streams.catalogue.words import WORDS

if TYPE_CHECKING:
    from streams.catalogue.model import Kpi

__all__ = ["PHRASES", "formula_ja", "japanese"]

#: Texts of quantities and notes, in English → in Japanese.
PHRASES: Final = {
    # --- waiting
    "entered a queue; once per conversation in scopes larger than a queue": (
        "キューへの着信数。キューより大きい範囲では1つの問い合わせにつき1回"
    ),
    "an agent accepted (call answered, chat started) or first replied (ticket, mail, social)": (
        "担当者が応答した件数（電話の応答、チャットの開始、チケット・メール・SNSの初回返信）"
    ),
    "left the queue unanswered by the customer's doing": "応答前に顧客の意思でキューを離れた件数",
    "finished by an agent: per visit at queue level, once per conversation in larger scopes": (
        "担当者が対応を終えた件数。キューでは待ちごと、より大きい範囲では問い合わせごとに1回"
    ),
    "answered": "応答数",
    "abandoned": "放棄数",
    "offered": "着信数",
    "handled": "対応数",
    "flow-outs": "その他の離脱数",
    "answered within the threshold": "しきい値以内の応答数",
    "abandons counted": "対象とする放棄数",
    "flow-outs of negative reasons": "未達とする離脱数",
    "contacts waiting now for longer than the threshold": "しきい値を超えて待機中の件数",
    "threshold and treatment of abandons by the definition named in the record": "しきい値と放棄の扱いは、レコードに記された定義による",
    "Σ wait of answered": "Σ 応答までの待ち時間",
    "Σ wait of abandoned": "Σ 放棄までの待ち時間",
    # --- handling
    "Σ talk": "Σ 通話時間",
    "handled whose talk is known": "通話時間が分かる対応数",
    "where a source does not separate hold, talk contains it": "保留を区別しないソースでは、通話時間に保留を含む",
    "Σ hold": "Σ 保留時間",
    "handled whose hold is known": "保留時間が分かる対応数",
    "Σ wrap-up": "Σ 後処理時間",
    "handled whose wrap-up is known": "後処理時間が分かる対応数",
    "Σ (talk + hold + wrap-up)": "Σ（通話 + 保留 + 後処理）",
    "handled whose parts are known": "すべての時間が分かる対応数",
    "never across channels": "チャネルをまたいで合算しない",
    "Σ consultations": "Σ 相談時間",
    "consultations": "相談回数",
    "offers to an agent that ended with no answer": "担当者に着信し、応答なく終わった回数",
    "transfers by agents": "担当者による転送数",
    "times a contact was escalated": "上位の担当者・部門へ引き継いだ回数",
    "escalations": "エスカレーション回数",
    "callbacks requested while none was pending": "未処理の折り返しがない状態で依頼された折り返しの数",
    "open, and nothing more known of it for lost_after_seconds of its channel, or missing from a snapshot of its source": (
        "未終了のまま、チャネルのlost_after_secondsの間に新しい情報がない、またはソースのスナップショットにない件数"
    ),
    "customers reached by a pending callback": "折り返しでつながった顧客数",
    "callbacks requested": "折り返し依頼数",
    "Σ (reached − entry of the first visit, else request)": "Σ（つながった時刻 − 最初の待ちの開始、なければ依頼の時刻）",
    # --- the conversation as a whole
    "Σ (first response − start)": "Σ（初回応答 − 開始）",
    "conversations responded to": "応答した問い合わせ数",
    "on the calendar clock unless the queue has a business clock": "キューに営業時間の時計がない限り、暦の時間で計算",
    "Σ (first resolution − start)": "Σ（初回解決 − 開始）",
    "first resolutions whose start is known": "開始が分かる初回解決数",
    "resolved": "解決数",
    "a flow, may pass 1": "フローの値で、1を超えることがある",
    "resolved without transfer, escalation or second visit": "転送・エスカレーション・再度の待ちなしで解決した件数",
    "those reopened": "うち再オープンした件数",
    "first resolutions": "初回解決数",
    "repeats by other conversations are not seen": "別の問い合わせによる再連絡は含まない",
    "reopened": "再オープン数",
    "Σ (agent's reply − first message of the customer not yet answered)": "Σ（担当者の返信 − 未返信のうち最初の顧客メッセージ）",
    "such replies": "その返信数",
    "round trips": "往復数",
    "resolutions of contacts whose messages are reported": "メッセージが報告される問い合わせの解決数",
    "contacts with a word of thanks": "感謝の言葉があった問い合わせ数",
    "contacts with customer text that the connector searched": "コネクターが感謝の言葉を調べた、顧客の文章がある問い合わせ数",
    "each contact once": "問い合わせごとに1回",
    "customer's messages already answered that another agent answers again; once a message, unknown agents never": (
        "返信済みの顧客メッセージに別の担当者が再び返信した数。1メッセージにつき1回、不明な担当者は除く"
    ),
    # --- opinions
    "Σ score, converted to 1-5": "Σ 評点（1〜5に換算）",
    "scores within their scale": "尺度内の評点数",
    "good or bad": "良い・悪いの2択の数",
    "scores of at least 4, converted to 1-5": "4以上の評点数（1〜5に換算）",
    "scores on another scale than 1-5": "1〜5以外の尺度の評点数",
    "scores of 9 and 10": "9と10の評点数",
    "scores of 0 to 6": "0〜6の評点数",
    "scores on the scale 0-10": "0〜10の尺度の評点数",
    "surveys answered": "アンケート回答数",
    "surveys invited": "アンケート依頼数",
    # --- outbound
    "contacts that the business began": "企業側から始めた問い合わせ数",
    "those reached": "つながった発信数",
    "outbound contacts": "発信数",
    "Σ outbound talk": "Σ 発信の通話時間",
    "outbound contacts ended": "終了した発信数",
    # --- kept out, subjects, self-service
    "contacts kept out of every queue, each reason once a conversation": (
        "どのキューにも入らなかった件数。理由ごとに1つの問い合わせにつき1回"
    ),
    "conversations excluded, once, where they would have counted": "除外した問い合わせ数。数えられるはずだった範囲で1回",
    "events about what is not known or not open": "対象が不明または終了済みのイベント数",
    "conversations by their last category, once": "最後の分類ごとの問い合わせ数。1回ずつ",
    "conversations marked as a complaint, once": "苦情とされた問い合わせ数。1回ずつ",
    "complaints resolved within 24 h of the conversation's start": "開始から24時間以内に解決した苦情数",
    "complaints whose start is known": "開始が分かる苦情数",
    "(confirmed solved + left without people in the same conversation)": "（解決の確認数 + 同じ問い合わせで担当者につながらずに離れた数）",
    "sessions decided": "終了したセッション数",
    "sessions ended without hand-over, and without people later in the same conversation": (
        "引き継ぎがなく、同じ問い合わせでその後も担当者につながらずに終わったセッション数"
    ),
    # --- people
    "handling": "対応時間",
    "wrap-up": "後処理時間",
    "idle": "待機時間",
    "available": "在席時間",
    "never by queue": "キュー別には計算しない",
    "agents per category at as-of; stale: no sign of life for person_timeout_seconds; offline and unknown left out": (
        "基準時刻の状態別の人数。状態不明はperson_timeout_secondsの間に更新がない人、オフラインと未確認の人は除く"
    ),
    "time in every state but offline": "オフライン以外のすべての時間",
    "Σ contacts in use × time": "Σ 同時対応数 × 時間",
    "Σ capacity × time": "Σ 同時対応上限 × 時間",
    "of time in handling, wrap-up, idle and available": "対応・後処理・待機・在席の時間について",
    "time in the planned kind of activity": "予定された種類の活動をした時間",
    "planned time": "予定時間",
    "planned work not available (unavailable, offline, unknown)": "予定された勤務のうち受付できない時間（受付不可・オフライン・不明）",
    "planned work": "予定された勤務時間",
    "length of the window": "集計期間の長さ",
    "handled by the agents": "担当者の対応数",
    "worked hours": "稼働時間",
    "legs ended, by agent": "担当者ごとの終了した対応数",
    "worked hours × hourly cost": "稼働時間 × 時間単価",
    "fixed cost of the staffed time": "配置時間の固定費",
    # --- customers
    "contacts followed by another contact of the customer (in the same category, where both have one) within repeat_days": (
        "repeat_days以内に同じ顧客から再度連絡があった問い合わせ数（両方に分類があれば同じ分類のもの）"
    ),
    "contacts with a customer key": "顧客キーがある問い合わせ数",
    "by the day of the first contact": "最初の問い合わせの日で集計",
    "resolved at first contact, not reopened and not repeated within repeat_days": (
        "初回で解決し、再オープンもrepeat_days以内の再連絡もない件数"
    ),
    "resolved for the first time": "初めて解決した件数",
    "both of contacts with a customer key, by the day of their start": "どちらも顧客キーがある問い合わせを、開始の日で集計",
    "customers with at least 2 orders in the window": "期間内に2回以上注文した顧客数",
    "customers with an order in the window": "期間内に注文した顧客数",
    "in the order_window_days ending with the day": "その日までのorder_window_daysの期間",
    "of these with at least 2 orders in the window": "うち期間内に2回以上注文した顧客数",
    "customers with an order in the window after their first contact": "最初の問い合わせの後、期間内に注文した顧客数",
    "Σ order value in customers.currency": "Σ 注文金額（customers.currencyの通貨）",
    "customers with a contact": "問い合わせをした顧客数",
    "customers active at its start and at its end": "月の初めと終わりの両方で利用中の顧客数",
    "customers active at the start of the month": "月の初めに利用中の顧客数",
    # --- staff
    "contacts forecast, spread evenly over the interval": "予測した問い合わせ数。時間帯の中では均等",
    "Σ forecast volume × forecast handle time": "Σ 予測件数 × 予測処理時間",
    "time forecast": "予測した時間",
    "Σ staff of the latest forecast × its time": "Σ 最新の予測の人数 × その時間",
    "contacts forecast": "予測件数",
    "distance to contacts offered": "実際の着信数との差",
    "Σ forecast volume": "Σ 予測件数",
    # --- now
    "visits open at as-of": "基準時刻に待っている件数",
    "conversations with an active agent at as-of": "基準時刻に担当者が対応中の問い合わせ数",
    "as-of − entry of the contact waiting longest": "基準時刻 − 最も長く待つ問い合わせの待ち開始",
    "callbacks pending at as-of": "基準時刻に未処理の折り返し数",
    "callbacks pending with a due time before as-of": "期限が基準時刻より前の未処理の折り返し数",
    "not resolved, waiting in a queue, no agent yet, neither on hold nor waiting on the customer": (
        "未解決でキューで待ち、まだ担当者がなく、保留中でもお客様回答待ちでもない件数"
    ),
    "not resolved; in a queue again, with an agent, or with status open, new or reopened": (
        "未解決で、再びキューにある、担当者がいる、または状態がopen・new・reopenedの件数"
    ),
    "not resolved, last status waiting_on_customer or its turn the customer's": (
        "未解決で、最後の状態がwaiting_on_customer、または顧客の返信を待つ件数"
    ),
    "not resolved, last status on_hold": "未解決で、最後の状態がon_holdの件数",
    "as-of − earliest start of a conversation in the backlog; on the calendar clock": (
        "基準時刻 − 未解決の問い合わせのうち最も早い開始。暦の時間で計算"
    ),
    "not resolved, and the customer's wait for a reply began more than the target before as-of": (
        "未解決で、顧客が返信を待ち始めてから基準時刻までが目標を超えた件数"
    ),
    "contacts of the backlog per band of age, from the start rounded down to the hour; on the calendar clock": (
        "未解決の問い合わせの経過時間別の件数。開始は時単位に切り捨て、暦の時間で計算"
    ),
    # --- targets
    "value ÷ target where higher is better, target ÷ value where lower is; of a band 1 inside, else value ÷ low or high ÷ value": (
        "高いほど良い指標は値 ÷ 目標、低いほど良い指標は目標 ÷ 値。範囲の目標は範囲内で1、範囲外は値 ÷ 下限または上限 ÷ 値"
    ),
}

_SIGNS: Final = re.compile(r" ([+−]) ")
_TIMES: Final = re.compile(r"(\d+) × (.+)")


def formula_ja(kpi: Kpi) -> str:
    """Return the formula of a figure in Japanese."""
    text = japanese(kpi.formula)
    return f"{text}。{_phrase(kpi.note)}" if kpi.note else text


def japanese(formula: Formula) -> str:
    """Return a formula in Japanese; raise KeyError for a phrase without translation."""
    if isinstance(formula, Where):
        least = f"。分母が{formula.at_least}未満では値なし" if formula.at_least > 1 else ""
        return f"{japanese(formula.formula)}{least}"
    if isinstance(formula, ByWindow):
        one, two = japanese(formula.trailing), japanese(formula.dated)
        return one if one == two else f"直近の期間では {one}。時間帯と日では {two}"
    if isinstance(formula, ByDefinition):
        return f"{japanese(next(iter(formula.choices.values())))}。または定義の{formula.key}による"
    if isinstance(formula, NotIn):
        channels = "・".join(WORDS["ja"].get(f"channel.{channel}", channel) for channel in formula.channels)
        return f"{japanese(formula.formula)}。{channels}では値なし"
    if isinstance(formula, Ratio):
        return f"{_phrase(formula.part.text)} ÷ {_phrase(formula.whole.text)}"
    if isinstance(formula, Count):
        return _phrase(formula.counted.means if isinstance(formula.counted, Field) else formula.counted.text)
    if isinstance(formula, Observed):
        return _phrase(formula.text)
    raise KeyError(str(formula))


def _phrase(text: str) -> str:
    """Return the text of a quantity in Japanese, also of sums and multiples of phrases."""
    phrase = PHRASES.get(text)
    if phrase is not None:
        return phrase
    if text.startswith("(") and text.endswith(")"):
        return f"（{_joined(text[1:-1])}）"
    if times := _TIMES.fullmatch(text):
        return f"{times[1]} × {_phrase(times[2])}"
    raise KeyError(text)


def _joined(text: str) -> str:
    """Return added or subtracted terms in Japanese; a phrase may hold such a sign itself, so the longest known phrase wins."""
    for sign in reversed([*_SIGNS.finditer(text)]):
        head, tail = text[: sign.start()], text[sign.end() :]
        if head in PHRASES or head.startswith("("):
            return f"{_phrase(head)} {sign[1]} {_joined(tail)}"
    return _phrase(text)
