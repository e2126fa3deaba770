"""Entries about targets; the formulas are those of ``docs/judging.md``."""

from __future__ import annotations

from streams.catalogue.formulas import Observed
from streams.catalogue.model import Kpi

__all__ = ["TARGETS"]

TARGETS: tuple[Kpi, ...] = (
    Kpi(
        id="target_attainment",
        en="target attainment",
        ja="目標達成率",
        meaning_en="How much of its target a figure attains; from 1 on the target is met.",
        meaning_ja="目標に対する実績の割合。1以上で目標達成です。",
        formula=Observed(
            "value ÷ target where higher is better, target ÷ value where lower is; of a band 1 inside, else value ÷ low or high ÷ value",
            in_units=("count", "count"),
            table=("as in judging.md", "–", "–"),
        ),
        unit="ratio",
        direction="up",
        subject="targets",
        source="GET /api/v1/targets: attainment, of the served figures and the configuration",
    ),
)
