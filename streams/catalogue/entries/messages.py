"""Entries about messages, replies and callbacks; the formulas are those of ``docs/counting.md`` section 11."""

from __future__ import annotations

from streams.catalogue import fields as f
from streams.catalogue.formulas import Count, Mean, Observed, Ratio
from streams.catalogue.model import AGE_BANDS, NOW, Kpi, in_now

__all__ = ["MESSAGES", "PENDING"]

MESSAGES: tuple[Kpi, ...] = (
    Kpi(
        id="average_response_time",
        en="average response time",
        ja="平均返信時間",
        meaning_en="How long customers waited for a reply to what they wrote, on average over all replies and not only the first.",
        meaning_ja="顧客のメッセージに担当者が返信するまでの平均時間（初回だけでなくすべての返信）。",
        formula=Mean(f.RESPONSE_MS, f.RESPONSE_COUNT),
        note="on the calendar clock unless the queue has a business clock",
        unit="seconds",
        direction="down",
    ),
    Kpi(
        id="exchanges_per_contact",
        en="exchanges per contact",
        ja="顧客とのやり取り回数",
        meaning_en="How often customer and agent exchanged messages until a contact was resolved, on average.",
        meaning_ja="解決までに顧客と担当者がやり取りした平均往復回数。",
        formula=Ratio(f.EXCHANGES, f.EXCHANGED, f.RESOLVED),
        unit="count",
        direction="down",
    ),
    Kpi(
        id="gratitude_rate",
        en="gratitude rate",
        ja="感謝率",
        meaning_en="Share of contacts with customer text in which the customer gives thanks.",
        meaning_ja="顧客自身の言葉に感謝の表現が含まれる問い合わせの割合。",
        formula=Ratio(f.THANKED, f.TEXTS_SEARCHED, f.TEXTS),
        note="each contact once",
        unit="ratio",
        direction="up",
        metric="contact_center_gratitude_ratio",
    ),
    Kpi(
        id="duplicate_replies",
        en="double replies",
        ja="二重返信",
        meaning_en="Messages of a customer that two agents answered; no value where no reply names its agent.",
        meaning_ja="二人の担当者が同じ顧客メッセージに返信した件数（返信者が分からない場合は値なし）。",
        formula=Count(f.DUPLICATE_REPLIES, coverage=(f.REPLIES_NAMED, f.REPLIES)),
        unit="contacts",
        direction="down",
    ),
    Kpi(
        id="callback_wait",
        en="average wait for a callback",
        ja="折り返し平均待ち時間",
        meaning_en="How long customers who were called back waited in all, from the queue to the call, on average.",
        meaning_ja="折り返しを受けた顧客が、キューに入ってからつながるまで待った平均時間。",
        formula=Mean(f.CALLBACK_WAIT_MS, f.CALLBACKS_REACHED),
        unit="seconds",
        direction="down",
    ),
)

PENDING: tuple[Kpi, ...] = (
    Kpi(
        id="reply_overdue",
        en="replies overdue",
        ja="返信期限超過",
        meaning_en="Customers who have waited longer for a reply than the queue's target; no value where replies have no target.",
        meaning_ja="キューの目標時間を過ぎても返信を待っている顧客の件数。目標がなければ値なし。",
        formula=Observed("not resolved, and the customer's wait for a reply began more than the target before as-of"),
        unit="contacts",
        direction="down",
        windows=NOW,
        metric="contact_center_replies_overdue",
        source=in_now("reply_overdue"),
    ),
    Kpi(
        id="backlog_by_age",
        en="backlog by age",
        ja="経過時間別の未解決件数",
        meaning_en="Contacts of the backlog by how long ago they began; reply channels only.",
        meaning_ja="未解決の問い合わせの受付からの経過時間別件数（返信型チャネルのみ）。",
        formula=Observed("contacts of the backlog per band of age, from the start rounded down to the hour; on the calendar clock"),
        unit="contacts",
        direction="none",
        windows=NOW,
        source=in_now("backlog_by_age"),
        split_by="age",
        members=AGE_BANDS,
    ),
)
