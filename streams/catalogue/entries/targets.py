"""Entries about targets; the formulas are those of ``docs/counting.md`` section 17."""

from __future__ import annotations

from streams.catalogue.model import Kpi

__all__ = ["TARGETS"]

TARGETS: tuple[Kpi, ...] = (
    Kpi(
        id="target_attainment",
        en="target attainment",
        ja="目標達成率",
        meaning_en="How much of its target a figure attains; from 1 on the target is met.",
        meaning_ja="目標に対する実績の割合。1以上で目標達成です。",
        formula=(
            "value ÷ target where higher is better, target ÷ value where lower is; of a band 1 inside, else value ÷ low or high ÷ value"
        ),
        unit="ratio",
        direction="up",
        windows=("trailing", "interval", "day"),
        subject="targets",
        metric="contact_center_target_attainment_ratio",
        source="GET /api/v1/targets: attainment, of the served figures and the configuration",
        numerator_unit="count",
        denominator_unit="count",
        measured=True,
    ),
)
