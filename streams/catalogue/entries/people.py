"""Entries about agents; the formulas are those of ``docs/counting.md`` section 8."""

from __future__ import annotations

from streams.catalogue.formulas import Observed, Ratio
from streams.catalogue.given import AT_WORK, BUSY, READY
from streams.catalogue.model import AGENT_STATES, NOW, Kpi, in_now

__all__ = ["PEOPLE"]

PEOPLE: tuple[Kpi, ...] = (
    Kpi(
        id="occupancy",
        en="occupancy",
        ja="占有率",
        meaning_en="Share of the time available for contacts that agents spent on them; the target is a band.",
        meaning_ja="対応可能な時間のうち、実際に対応していた割合。目標は範囲で考えます。",
        formula=Ratio(BUSY, READY, AT_WORK),
        note="never by queue",
        unit="ratio",
        direction="none",
        subject="people",
        by=("business", "site", "team", "agent"),
    ),
    Kpi(
        id="agents_by_state",
        en="agents by state",
        ja="状態別人数",
        meaning_en="Signed-in agents per state now, each once.",
        meaning_ja="いまログインしている担当者の状態別の人数（重複なし）。",
        formula=Observed("agents per category at as-of; stale: no sign of life for person_timeout_seconds; offline and unknown left out"),
        unit="agents",
        direction="none",
        windows=NOW,
        subject="people",
        metric="contact_center_agents",
        source=in_now("agents_by_state"),
        split_by="state",
        members=AGENT_STATES,
    ),
)
