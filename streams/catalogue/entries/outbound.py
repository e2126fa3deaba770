"""Entries about contacts that the business begins; the formulas are those of ``docs/counting.md`` section 8."""

from __future__ import annotations

from streams.catalogue.fields import declare, declare_time
from streams.catalogue.formulas import Count, Mean, Ratio
from streams.catalogue.model import Kpi

__all__ = ["OUTBOUND"]

ATTEMPTS = declare("outbound", "contacts that the business began", "outbound contacts")
REACHED = declare("outbound_reached", "outbound contacts in which customer and agent were connected", "those reached")
TALK_MS = declare_time("outbound_talk_ms", "from the connection to the end of outbound contacts, without hold", "Σ outbound talk")
TALK_COUNT = declare("outbound_talk_count", "outbound contacts reached whose end is known", "outbound contacts ended")

OUTBOUND: tuple[Kpi, ...] = (
    Kpi(
        id="outbound_contacts",
        en="outbound contacts",
        ja="発信件数",
        meaning_en="Contacts that the business began, reached or not; no figure of inbound contacts has them.",
        meaning_ja="企業側から発信した件数（つながらなかったものを含む）。着信の集計には含みません。",
        formula=Count(ATTEMPTS),
        unit="contacts",
        direction="none",
        metric="contact_center_outbound_contacts",
    ),
    Kpi(
        id="outbound_reach_rate",
        en="outbound reach rate",
        ja="発信の接続率",
        meaning_en="Share of outbound contacts in which customer and agent were connected.",
        meaning_ja="発信のうち、顧客と担当者がつながった割合。",
        formula=Ratio(REACHED, ATTEMPTS),
        unit="ratio",
        direction="up",
    ),
    Kpi(
        id="outbound_talk_time",
        en="average outbound talk time",
        ja="発信の平均通話時間",
        meaning_en="Average time with the customer in outbound contacts, without hold.",
        meaning_ja="発信でつながった顧客との平均通話時間（保留を除く）。",
        formula=Mean(TALK_MS, TALK_COUNT, REACHED),
        unit="seconds",
        direction="none",
    ),
)
