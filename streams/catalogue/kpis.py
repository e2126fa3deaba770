"""The KPI catalogue: one entry a figure; the formulas are those of ``docs/counting.md`` section 8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["AGENT_STATES", "KPIS", "KPI_BY_ID", "Direction", "Kpi", "Subject", "Unit", "WindowKind", "kind_of_window", "window_label"]

Unit = Literal["contacts", "seconds", "ratio", "agents", "offers"]
#: Which way is good; none where neither is, or where the target is a band.
Direction = Literal["up", "down", "none"]
WindowKind = Literal["trailing", "interval", "day", "now"]
Subject = Literal["contacts", "people"]

#: The categories of people that are counted now, in the order in which pages show them.
AGENT_STATES = ("handling", "wrap_up", "idle", "available", "unavailable")

_WINDOWS: tuple[WindowKind, ...] = ("trailing", "interval", "day")
_TRAILING: tuple[WindowKind, ...] = ("trailing",)
_NOW: tuple[WindowKind, ...] = ("now",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One figure, with everything that is said about it anywhere.

    ``metric`` is the Prometheus name of its value; the names of its parts follow from it (`streams.catalogue.prometheus`).
    ``numerator_unit`` and ``denominator_unit`` are set for ratios and means, which are never served without them.
    ``measured`` marks figures whose coverage can be below 1, because not every source reports what they need.
    """

    id: str
    en: str
    ja: str
    meaning_en: str
    meaning_ja: str
    formula: str
    unit: Unit
    direction: Direction
    windows: tuple[WindowKind, ...]
    subject: Subject
    metric: str
    source: str
    numerator_unit: Unit | None = None
    denominator_unit: Unit | None = None
    measured: bool = False

    @property
    def has_parts(self) -> bool:
        """Whether it travels with numerator and denominator."""
        return self.denominator_unit is not None


def _window(kpi: str) -> str:
    return f"queue-metrics: kpis.{kpi} of window records"


def _now(field: str) -> str:
    return f"queue-metrics: {field} of now records"


#: In the order in which pages show them.
KPIS: tuple[Kpi, ...] = (
    Kpi(
        id="offered",
        en="contacts offered",
        ja="着信数・問い合わせ件数",
        meaning_en="Contacts that entered a queue.",
        meaning_ja="キューに入った問い合わせの件数。",
        formula="entered a queue; once per conversation in scopes larger than a queue",
        unit="contacts",
        direction="none",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_contacts_offered",
        source=_window("offered"),
    ),
    Kpi(
        id="answered",
        en="contacts answered",
        ja="応答件数",
        meaning_en="Contacts that an agent accepted, or first replied to.",
        meaning_ja="担当者が応答（または最初に返信）した件数。",
        formula="an agent accepted (call answered, chat started) or first replied (ticket, mail, social)",
        unit="contacts",
        direction="up",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_contacts_answered",
        source=_window("answered"),
    ),
    Kpi(
        id="abandoned",
        en="contacts abandoned",
        ja="放棄呼数",
        meaning_en="Contacts that left the queue unanswered by the customer's doing.",
        meaning_ja="応答前に顧客の側から離脱した件数。",
        formula="left the queue unanswered by the customer's doing",
        unit="contacts",
        direction="down",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_contacts_abandoned",
        source=_window("abandoned"),
    ),
    Kpi(
        id="handled",
        en="contacts handled",
        ja="対応件数",
        meaning_en="Contacts that an agent finished.",
        meaning_ja="担当者が対応を終えた件数。",
        formula="finished by an agent: per visit at queue level, once per conversation in larger scopes",
        unit="contacts",
        direction="none",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_contacts_handled",
        source=_window("handled"),
    ),
    Kpi(
        id="answer_rate",
        en="answer rate",
        ja="応答率",
        meaning_en="Share of contacts that were answered.",
        meaning_ja="応答できた問い合わせの割合。",
        formula="answered ÷ (answered + abandoned + flow-outs) in trailing windows; answered ÷ offered in intervals and days",
        unit="ratio",
        direction="up",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_answer_ratio",
        source=_window("answer_rate"),
        numerator_unit="contacts",
        denominator_unit="contacts",
    ),
    Kpi(
        id="abandon_rate",
        en="abandonment rate",
        ja="放棄呼率",
        meaning_en="Share of contacts that the customer gave up; nothing for mail and tickets.",
        meaning_ja="顧客が応答前に離脱した割合。メールとチケットでは算出しません。",
        formula=(
            "abandoned ÷ (answered + abandoned + flow-outs) in trailing windows; abandoned ÷ offered in intervals and days; "
            "null for mail and tickets"
        ),
        unit="ratio",
        direction="down",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_abandon_ratio",
        source=_window("abandon_rate"),
        numerator_unit="contacts",
        denominator_unit="contacts",
    ),
    Kpi(
        id="service_level",
        en="service level",
        ja="サービスレベル",
        meaning_en="Share of decided contacts that were answered within the threshold (closed form).",
        meaning_ja="結果が確定した問い合わせのうち、基準時間内に応答した割合（確定値）。",
        formula=(
            "answered within the threshold ÷ (answered + abandons counted + flow-outs of negative reasons); "
            "threshold and treatment of abandons by the definition named in the record"
        ),
        unit="ratio",
        direction="up",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_service_level_ratio",
        source=_window("service_level"),
        numerator_unit="contacts",
        denominator_unit="contacts",
    ),
    Kpi(
        id="service_level_live",
        en="service level (live)",
        ja="サービスレベル（ライブ）",
        meaning_en="Service level in which contacts still waiting beyond the threshold already count as missed.",
        meaning_ja="基準時間を超えて待っている問い合わせも未達として数えるサービスレベル。",
        formula="as service_level, its denominator + contacts waiting now for longer than the threshold",
        unit="ratio",
        direction="up",
        windows=_TRAILING,
        subject="contacts",
        metric="contact_center_service_level_live_ratio",
        source=_window("service_level_live"),
        numerator_unit="contacts",
        denominator_unit="contacts",
    ),
    Kpi(
        id="asa",
        en="average speed of answer",
        ja="平均応答速度",
        meaning_en="How long answered contacts had waited, on average.",
        meaning_ja="応答した問い合わせが応答までに待った平均時間。",
        formula="Σ wait of answered ÷ answered",
        unit="seconds",
        direction="down",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_asa_seconds",
        source=_window("asa"),
        numerator_unit="seconds",
        denominator_unit="contacts",
    ),
    Kpi(
        id="time_to_abandon",
        en="average time to abandon",
        ja="平均放棄時間",
        meaning_en="How long customers waited before they gave up, on average.",
        meaning_ja="顧客が離脱するまでに待った平均時間。",
        formula="Σ wait of abandoned ÷ abandoned",
        unit="seconds",
        direction="none",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_time_to_abandon_seconds",
        source=_window("time_to_abandon"),
        numerator_unit="seconds",
        denominator_unit="contacts",
    ),
    Kpi(
        id="att",
        en="average talk time",
        ja="平均通話時間 (ATT)",
        meaning_en="How long agent and customer talked, on average, without hold.",
        meaning_ja="担当者と顧客が通話した平均時間（保留を除く）。",
        formula="Σ talk ÷ handled whose talk is known; where a source does not separate hold, talk contains it",
        unit="seconds",
        direction="none",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_att_seconds",
        source=_window("att"),
        numerator_unit="seconds",
        denominator_unit="contacts",
        measured=True,
    ),
    Kpi(
        id="average_hold",
        en="average hold time",
        ja="平均保留時間",
        meaning_en="How long customers were on hold, on average over contacts whose hold is known.",
        meaning_ja="保留時間の平均（保留を計測できる対応のみ）。",
        formula="Σ hold ÷ handled whose hold is known",
        unit="seconds",
        direction="down",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_average_hold_seconds",
        source=_window("average_hold"),
        numerator_unit="seconds",
        denominator_unit="contacts",
        measured=True,
    ),
    Kpi(
        id="acw",
        en="average wrap-up time",
        ja="平均後処理時間 (ACW)",
        meaning_en="How long agents worked on a contact after it ended, on average.",
        meaning_ja="問い合わせ終了後の後処理にかかった平均時間。",
        formula="Σ wrap-up ÷ handled whose wrap-up is known",
        unit="seconds",
        direction="down",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_acw_seconds",
        source=_window("acw"),
        numerator_unit="seconds",
        denominator_unit="contacts",
        measured=True,
    ),
    Kpi(
        id="aht",
        en="average handle time",
        ja="平均処理時間 (AHT)",
        meaning_en="Talk, hold and wrap-up together, on average over contacts whose parts are known; per channel.",
        meaning_ja="通話・保留・後処理を合わせた平均時間（計測できた対応のみ、チャネル別）。",
        formula="Σ (talk + hold + wrap-up) ÷ handled whose parts are known; never across channels",
        unit="seconds",
        direction="none",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_aht_seconds",
        source=_window("aht"),
        numerator_unit="seconds",
        denominator_unit="contacts",
        measured=True,
    ),
    Kpi(
        id="non_response",
        en="agent non-response (RONA)",
        ja="不応答数",
        meaning_en="Offers to an agent that the agent did not answer.",
        meaning_ja="担当者に着信したが応答されなかった回数。",
        formula="offers to an agent that ended with no answer",
        unit="offers",
        direction="down",
        windows=_WINDOWS,
        subject="contacts",
        metric="contact_center_non_response_offers",
        source=_window("non_response"),
    ),
    Kpi(
        id="occupancy",
        en="occupancy",
        ja="占有率",
        meaning_en="Share of the time available for contacts that agents spent on them; the target is a band.",
        meaning_ja="対応可能な時間のうち、実際に対応していた割合。目標は範囲で考えます。",
        formula="(handling + wrap-up) ÷ (handling + wrap-up + idle); by team, site, business and total, never by queue",
        unit="ratio",
        direction="none",
        windows=_WINDOWS,
        subject="people",
        metric="contact_center_occupancy_ratio",
        source=_window("occupancy"),
        numerator_unit="seconds",
        denominator_unit="seconds",
        measured=True,
    ),
    Kpi(
        id="waiting",
        en="waiting",
        ja="待ち呼数",
        meaning_en="Contacts waiting in a queue now.",
        meaning_ja="いまキューで待っている件数。",
        formula="visits open at as-of",
        unit="contacts",
        direction="down",
        windows=_NOW,
        subject="contacts",
        metric="contact_center_contacts_waiting",
        source=_now("waiting"),
    ),
    Kpi(
        id="in_progress",
        en="in progress",
        ja="対応中",
        meaning_en="Contacts that an agent is working on now.",
        meaning_ja="いま担当者が対応している件数。",
        formula="conversations with an active agent at as-of",
        unit="contacts",
        direction="down",
        windows=_NOW,
        subject="contacts",
        metric="contact_center_contacts_in_progress",
        source=_now("in_progress"),
    ),
    Kpi(
        id="longest_wait",
        en="longest wait now",
        ja="最長待ち時間",
        meaning_en="How long the contact that waits longest has been waiting; nothing if nobody waits.",
        meaning_ja="いま最も長く待っている問い合わせの待ち時間。待ちがなければ値なし。",
        formula="as-of − entry of the contact waiting longest",
        unit="seconds",
        direction="down",
        windows=_NOW,
        subject="contacts",
        metric="contact_center_longest_wait_seconds",
        source=_now("waiting_since"),
    ),
    Kpi(
        id="agents_by_state",
        en="agents by state",
        ja="状態別人数",
        meaning_en="Signed-in agents per state now; everyone once.",
        meaning_ja="いまログインしている担当者の状態別の人数（一人一回）。",
        formula="people per category at as-of, offline and unknown left out",
        unit="agents",
        direction="none",
        windows=_NOW,
        subject="people",
        metric="contact_center_agents",
        source=_now("agents_by_state"),
    ),
)

KPI_BY_ID: dict[str, Kpi] = {kpi.id: kpi for kpi in KPIS}


def kind_of_window(window: str) -> WindowKind:
    """Return the kind of a window named as in metric records, such as ``trailing_15m``; raise ValueError for any other text."""
    if window == "day":
        return "day"
    kind, _, length = window.partition("_")
    if length.removesuffix("m").isdecimal() and length.endswith("m"):
        if kind == "trailing":
            return "trailing"
        if kind == "interval":
            return "interval"
    raise ValueError(f"no window is named {window!r}: use trailing_15m, interval_30m or day, with the minutes you want")


def window_label(window: str) -> str:
    """Return the ``window`` label of Prometheus: ``15m`` for ``trailing_15m``, others as they are named."""
    return window.removeprefix("trailing_")
