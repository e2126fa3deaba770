"""Entries about responses and resolutions; the formulas are those of ``docs/counting.md`` section 8."""

from __future__ import annotations

from streams.catalogue.model import WINDOWS, Kpi, in_window

__all__ = ["DIGITAL"]

DIGITAL: tuple[Kpi, ...] = (
    Kpi(
        id="first_response_time",
        en="first response time",
        ja="初回応答時間",
        meaning_en="How long it took until a person first answered or wrote, on average.",
        meaning_ja="担当者が最初に応答または返信するまでの平均時間。",
        formula="Σ (first answer or first public message of an agent − start) ÷ conversations responded to; on the calendar clock",
        unit="seconds",
        direction="down",
        windows=WINDOWS,
        subject="contacts",
        metric="contact_center_first_response_time_seconds",
        source=in_window("first_response_time"),
        numerator_unit="seconds",
        denominator_unit="contacts",
    ),
    Kpi(
        id="resolution_time",
        en="resolution time",
        ja="対応時間",
        meaning_en="How long it took from the start to the first resolution, on average.",
        meaning_ja="受付から最初の解決までにかかった平均時間。",
        formula="Σ (first resolved or closed − start) ÷ first resolutions whose start is known; on the calendar clock",
        unit="seconds",
        direction="down",
        windows=WINDOWS,
        subject="contacts",
        metric="contact_center_resolution_time_seconds",
        source=in_window("resolution_time"),
        numerator_unit="seconds",
        denominator_unit="contacts",
        measured=True,
    ),
    Kpi(
        id="resolution_rate",
        en="resolution rate",
        ja="解決率",
        meaning_en="Resolutions per contact offered: a flow, which may pass 100 %.",
        meaning_ja="着信・受付件数に対する解決件数の割合。フローの比率のため100%を超えることがあります。",
        formula="resolved ÷ offered",
        unit="ratio",
        direction="up",
        windows=WINDOWS,
        subject="contacts",
        metric="contact_center_resolution_ratio",
        source=in_window("resolution_rate"),
        numerator_unit="contacts",
        denominator_unit="contacts",
    ),
    Kpi(
        id="first_contact_resolution",
        en="first contact resolution",
        ja="一次解決率",
        meaning_en="Share of first resolutions that needed no transfer, escalation, second queue or reopening.",
        meaning_ja="転送・エスカレーション・再オープンなしに一度で解決した割合。",
        formula=(
            "(resolved without transfer, escalation or second visit − those reopened) ÷ first resolutions; "
            "repeats by other conversations are not seen"
        ),
        unit="ratio",
        direction="up",
        windows=WINDOWS,
        subject="contacts",
        metric="contact_center_first_contact_resolution_ratio",
        source=in_window("first_contact_resolution"),
        numerator_unit="contacts",
        denominator_unit="contacts",
    ),
    Kpi(
        id="reopen_rate",
        en="reopen rate",
        ja="再オープン率",
        meaning_en="Reopenings per resolution.",
        meaning_ja="解決件数に対する再オープンの割合。",
        formula="reopened ÷ resolved",
        unit="ratio",
        direction="down",
        windows=WINDOWS,
        subject="contacts",
        metric="contact_center_reopen_ratio",
        source=in_window("reopen_rate"),
        numerator_unit="contacts",
        denominator_unit="contacts",
    ),
)
