"""Entries about responses and resolutions; the formulas are those of ``docs/counting.md`` section 8."""

from __future__ import annotations

from streams.catalogue import fields as f
from streams.catalogue.choices import ByDefinition
from streams.catalogue.formulas import Mean, Ratio
from streams.catalogue.model import Kpi

__all__ = ["DIGITAL"]

DIGITAL: tuple[Kpi, ...] = (
    Kpi(
        id="first_response_time",
        en="first response time",
        ja="初回応答時間",
        meaning_en="How long it took until an agent first answered or wrote, on average.",
        meaning_ja="担当者が最初に応答または返信するまでの平均時間。",
        formula=Mean(f.FIRST_RESPONSE_MS, f.FIRST_RESPONSE_COUNT),
        note="on the calendar clock unless the queue has a business clock",
        unit="seconds",
        direction="down",
    ),
    Kpi(
        id="resolution_time",
        en="resolution time",
        ja="解決所要時間",
        meaning_en="How long it took from the start to the first resolution, on average.",
        meaning_ja="受付から最初の解決までにかかった平均時間。",
        formula=Mean(f.RESOLUTION_MS, f.RESOLUTION_COUNT, f.FIRST_RESOLVED),
        note="on the calendar clock unless the queue has a business clock",
        unit="seconds",
        direction="down",
    ),
    Kpi(
        id="resolution_rate",
        en="resolution rate",
        ja="解決率",
        meaning_en="Resolutions per contact offered: a flow, which may pass 100 %.",
        meaning_ja="着信・受付件数に対する解決件数の割合。フローの比率のため100%を超えることがあります。",
        formula=Ratio(f.RESOLVED, f.OFFERED),
        note="a flow, may pass 1",
        unit="ratio",
        direction="up",
        metric="contact_center_resolution_ratio",
    ),
    Kpi(
        id="first_contact_resolution",
        en="first contact resolution",
        ja="一次解決率",
        meaning_en="Share of first resolutions that needed no transfer, escalation, second queue or reopening.",
        meaning_ja="転送・エスカレーション・再オープンなしに一度で解決した割合。",
        formula=ByDefinition(
            "first_contact_resolution",
            {
                "no_transfer_no_escalation": Ratio(f.FIRST_CONTACT_RESOLVED - f.FIRST_CONTACT_UNDONE, f.FIRST_RESOLVED),
                "reopening_ignored": Ratio(f.FIRST_CONTACT_RESOLVED, f.FIRST_RESOLVED),
                "of_offered": Ratio(f.FIRST_CONTACT_RESOLVED - f.FIRST_CONTACT_UNDONE, f.OFFERED),
            },
        ),
        note="repeats by other conversations are not seen",
        unit="ratio",
        direction="up",
    ),
    Kpi(
        id="reopen_rate",
        en="reopen rate",
        ja="再オープン率",
        meaning_en="Reopenings per resolution.",
        meaning_ja="解決件数に対する再オープンの割合。",
        formula=Ratio(f.REOPENED, f.RESOLVED),
        unit="ratio",
        direction="down",
        metric="contact_center_reopen_ratio",
    ),
)
