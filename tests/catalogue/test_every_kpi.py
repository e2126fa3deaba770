"""Every figure that the service was asked to have is in the catalogue, in its unit, with its direction and under its Japanese name."""

from __future__ import annotations

import pytest

from streams.catalogue import KPI_BY_ID

#: Id → unit, good direction, Japanese name; written by hand from the definitions, not from the catalogue.
#: Where the definitions name several figures in one row, their names are not compared (None).
WANTED: dict[str, tuple[str, str, str | None]] = {
    "offered": ("contacts", "none", "着信数・問い合わせ件数"),
    "handled": ("contacts", "none", "対応件数"),
    "answered": ("contacts", "up", "応答件数"),
    "abandoned": ("contacts", "down", "放棄呼数"),
    "answer_rate": ("ratio", "up", "応答率"),
    "abandon_rate": ("ratio", "down", "放棄率"),
    "time_to_abandon": ("seconds", "none", "平均放棄時間"),
    "callbacks_requested": ("contacts", "none", None),
    "callbacks_waiting": ("contacts", "down", None),
    "callbacks_overdue": ("contacts", "down", None),
    "callback_reach_rate": ("ratio", "up", None),
    "non_response": ("offers", "down", "不応答数"),
    "not_offered": ("contacts", "down", None),
    "events_uncounted": ("count", "down", None),
    "service_level": ("ratio", "up", "サービスレベル"),
    "asa": ("seconds", "down", "平均応答速度"),
    "longest_wait": ("seconds", "down", "最長待ち時間"),
    "waiting": ("contacts", "down", None),
    "in_progress": ("contacts", "down", None),
    "backlog_untouched": ("contacts", "down", None),
    "backlog_in_progress": ("contacts", "down", None),
    "backlog_waiting_on_customer": ("contacts", "none", None),
    "backlog_on_hold": ("contacts", "down", None),
    "backlog_oldest": ("seconds", "down", None),
    "reply_overdue": ("contacts", "down", None),
    "duplicate_replies": ("contacts", "down", None),
    "aht": ("seconds", "none", "平均処理時間 (AHT)"),
    "att": ("seconds", "none", "平均通話時間 (ATT)"),
    "acw": ("seconds", "down", "平均後処理時間 (ACW)"),
    "average_hold": ("seconds", "down", "平均保留時間"),
    "average_consult_time": ("seconds", "down", None),
    "occupancy": ("ratio", "none", "占有率"),
    "utilization": ("ratio", "none", "稼働率"),
    "adherence": ("ratio", "up", None),
    "shrinkage": ("ratio", "down", None),
    "staff_forecast": ("agents", "none", None),
    "staff_required": ("agents", "none", None),
    "staff_scheduled": ("agents", "none", None),
    "staff_actual": ("agents", "none", None),
    "forecast_accuracy": ("ratio", "up", None),
    "agents_by_state": ("agents", "none", "状態別人数"),
    "contacts_per_hour": ("1/h", "none", "1時間当たりの対応件数 (CPH)"),
    "handled_per_agent": ("contacts", "none", "処理数"),
    "first_response_time": ("seconds", "down", "初回応答時間"),
    "average_response_time": ("seconds", "down", "平均返信時間"),
    "resolution_time": ("seconds", "down", "解決所要時間"),
    "resolution_rate": ("ratio", "up", "解決率"),
    "first_contact_resolution": ("ratio", "up", "一次解決率"),
    "exchanges_per_contact": ("count", "down", "顧客とのやり取り回数"),
    "reopen_rate": ("ratio", "down", "再オープン率"),
    "escalation_count": ("contacts", "down", None),
    "escalation_rate": ("ratio", "down", None),
    "transfer_rate": ("ratio", "down", "転送率"),
    "repeat_contact_rate": ("ratio", "down", "再問い合わせ率"),
    "self_service_rate": ("ratio", "up", None),
    "containment_rate": ("ratio", "up", None),
    "outbound_contacts": ("contacts", "none", None),
    "csat": ("score", "up", "顧客満足度 (CSAT)"),
    "csat_other_scales": ("count", "none", None),
    "gratitude_rate": ("ratio", "up", "感謝率"),
    "survey_response_rate": ("ratio", "up", "アンケート回答率"),
    "nps": ("score", "up", "NPS"),
    "complaints": ("contacts", "down", None),
    "complaints_within_day_rate": ("ratio", "up", None),
    "contacts_by_category": ("contacts", "none", "項目別件数 (VOC)"),
    "repeat_customer_rate": ("ratio", "up", "リピート顧客率"),
    "lifetime_value": ("currency", "up", "顧客生涯価値 (LTV)"),
    "retention_rate": ("ratio", "up", None),
    "churn_rate": ("ratio", "down", None),
    "cost_per_contact": ("currency", "down", "1件当たりコスト (CPC)"),
    "target_attainment": ("ratio", "up", "目標達成率"),
}


def test_nothing_is_missing() -> None:
    """Every id is in the catalogue."""
    assert WANTED.keys() <= KPI_BY_ID.keys()


@pytest.mark.parametrize("kpi", WANTED)
def test_unit_direction_and_name(kpi: str) -> None:
    """They are those of the definitions."""
    unit, direction, name = WANTED[kpi]
    found = KPI_BY_ID[kpi]

    assert (found.unit, found.direction) == (unit, direction)
    assert name is None or name in found.ja or name == found.ja_calls


@pytest.mark.parametrize(
    ("channel", "name"), [("voice", "放棄呼数"), ("callback", "放棄呼数"), ("chat", "放棄件数"), ("mail", "放棄件数"), (None, "放棄件数")]
)
def test_a_name_for_calls_is_used_for_calls_alone(channel: str | None, name: str) -> None:
    """呼 is a call: of chats, mails and several channels together it is 件."""
    assert KPI_BY_ID["abandoned"].name("ja", channel) == name
    assert KPI_BY_ID["abandoned"].name("en", channel) == "contacts abandoned"
    assert KPI_BY_ID["answered"].name("ja", channel) == "応答件数"
