"""Entries about waiting and answers; the formulas are those of ``docs/counting.md`` section 8."""

from __future__ import annotations

from typing import Final

from streams.catalogue import fields as f
from streams.catalogue.choices import ByDefinition, ByWindow, NotIn, ServiceLevel
from streams.catalogue.formulas import Count, Mean, Ratio
from streams.catalogue.given import COUNTED, DECIDED, DECIDED_BUT_LOST, MET, WAITING_PAST_THRESHOLD
from streams.catalogue.model import TRAILING, Kpi

__all__ = ["NEVER_ABANDONED", "WAITING"]

#: Channels without abandonment: a customer who wrote does not give up.
NEVER_ABANDONED: Final = ("mail", "ticket")

WAITING: tuple[Kpi, ...] = (
    Kpi(
        id="offered",
        en="contacts offered",
        ja="着信数・問い合わせ件数",
        meaning_en="Contacts that entered a queue.",
        meaning_ja="キューに入った問い合わせの件数。",
        formula=Count(f.OFFERED),
        unit="contacts",
        direction="none",
        metric="contact_center_contacts_offered",
    ),
    Kpi(
        id="answered",
        en="contacts answered",
        ja="応答件数",
        meaning_en="Contacts that an agent accepted, or first replied to.",
        meaning_ja="担当者が応答（または最初に返信）した件数。",
        formula=Count(f.ANSWERED),
        unit="contacts",
        direction="up",
        metric="contact_center_contacts_answered",
    ),
    Kpi(
        id="abandoned",
        en="contacts abandoned",
        ja="放棄件数",
        ja_calls="放棄呼数",
        meaning_en="Contacts that the customer ended before an answer.",
        meaning_ja="応答前に顧客の側から離脱した件数。",
        formula=Count(f.ABANDONED),
        unit="contacts",
        direction="down",
        metric="contact_center_contacts_abandoned",
    ),
    Kpi(
        id="handled",
        en="contacts handled",
        ja="対応件数",
        meaning_en="Contacts that an agent finished.",
        meaning_ja="担当者が対応を終えた件数。",
        formula=Count(f.HANDLED),
        unit="contacts",
        direction="none",
        metric="contact_center_contacts_handled",
    ),
    Kpi(
        id="answer_rate",
        en="answer rate",
        ja="応答率",
        meaning_en="Share of contacts that were answered.",
        meaning_ja="応答できた問い合わせの割合。",
        formula=ByWindow(Ratio(f.ANSWERED, DECIDED), Ratio(f.ANSWERED, f.OFFERED, coverage=(DECIDED, f.OFFERED))),
        unit="ratio",
        direction="up",
        metric="contact_center_answer_ratio",
        measured=False,
    ),
    Kpi(
        id="abandon_rate",
        en="abandonment rate",
        ja="放棄率",
        meaning_en="Share of contacts that the customer gave up; no value for mail and tickets.",
        meaning_ja="顧客が応答前に離脱した割合。メールとチケットでは算出しません。",
        formula=NotIn(NEVER_ABANDONED, ByWindow(Ratio(f.ABANDONED, DECIDED), Ratio(f.ABANDONED, f.OFFERED, coverage=(DECIDED, f.OFFERED)))),
        unit="ratio",
        direction="down",
        metric="contact_center_abandon_ratio",
        measured=False,
    ),
    Kpi(
        id="service_level",
        en="service level",
        ja="サービスレベル",
        meaning_en="Share of decided contacts that were answered within the threshold (closed form).",
        meaning_ja="結果が確定した問い合わせのうち、基準時間内に応答した割合（確定値）。",
        formula=ByWindow(ServiceLevel(MET, COUNTED), ServiceLevel(MET, COUNTED, coverage=(DECIDED, f.OFFERED))),
        note="threshold and treatment of abandons by the definition named in the record",
        unit="ratio",
        direction="up",
        measured=False,
    ),
    Kpi(
        id="service_level_live",
        en="service level (live)",
        ja="サービスレベル（リアルタイム）",
        meaning_en="Service level in which contacts still waiting beyond the threshold already count as missed.",
        meaning_ja="基準時間を超えて待っている問い合わせも未達として数えるサービスレベル。",
        formula=ServiceLevel(MET, COUNTED + WAITING_PAST_THRESHOLD),
        unit="ratio",
        direction="up",
        windows=TRAILING,
    ),
    Kpi(
        id="asa",
        en="average speed of answer",
        ja="平均応答速度",
        meaning_en="How long answered contacts had waited, on average.",
        meaning_ja="応答した問い合わせが応答までに待った平均時間。",
        formula=ByDefinition(
            "asa_denominator",
            {
                "answered": Mean(f.ANSWERED_WAIT_MS, f.ANSWERED),
                "decided": Mean(f.ANSWERED_WAIT_MS + f.ABANDONED_WAIT_MS + f.LEFT_WAIT_MS, DECIDED_BUT_LOST),
            },
        ),
        unit="seconds",
        direction="down",
    ),
    Kpi(
        id="time_to_abandon",
        en="average time to abandon",
        ja="平均放棄時間",
        meaning_en="How long customers waited before they gave up, on average.",
        meaning_ja="顧客が離脱するまでに待った平均時間。",
        formula=Mean(f.ABANDONED_WAIT_MS, f.ABANDONED),
        unit="seconds",
        direction="none",
    ),
)
