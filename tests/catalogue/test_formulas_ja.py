"""Every formula has Japanese words, and no word of English but identifiers."""

from __future__ import annotations

import re

import pytest

from streams.catalogue import KPI_BY_ID, KPIS
from streams.catalogue.formulas_ja import PHRASES, formula_ja

#: What is written as it is in settings, states of the protocol and units.
NAMES = {
    "lost_after_seconds", "person_timeout_seconds", "repeat_days", "order_window_days", "customers.currency", "waiting_on_customer",
    "on_hold", "open", "new", "reopened", "asa_denominator", "hold_denominator", "aht_parts", "csat_top", "first_contact_resolution", "SNS",
}  # fmt: skip


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.id)
def test_no_english_is_left(kpi: object) -> None:
    """A new phrase in a formula needs its translation."""
    text = formula_ja(kpi)  # type: ignore[arg-type]

    assert set(re.findall(r"[A-Za-z][\w.]*", text, re.ASCII)) <= NAMES
    assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text)


@pytest.mark.parametrize(
    ("kpi_id", "text"),
    [
        (
            "service_level",
            "しきい値以内の応答数 ÷ （応答数 + 対象とする放棄数 + 未達とする離脱数）。しきい値と放棄の扱いは、レコードに記された定義による",
        ),
        ("asa", "Σ 応答までの待ち時間 ÷ 応答数。または定義のasa_denominatorによる"),
        ("answer_rate", "直近の期間では 応答数 ÷ （応答数 + 放棄数 + その他の離脱数）。時間帯と日では 応答数 ÷ 着信数"),
        ("nps", "100 × （9と10の評点数 − 0〜6の評点数） ÷ 0〜10の尺度の評点数"),
        ("lifetime_value", "Σ 注文金額（customers.currencyの通貨） ÷ 問い合わせをした顧客数。分母が5未満では値なし"),
    ],
)
def test_as_written_by_hand(kpi_id: str, text: str) -> None:
    """By window, by definition, with what is left out, and of sums."""
    assert formula_ja(KPI_BY_ID[kpi_id]) == text


def test_no_translation_is_for_nothing() -> None:
    """Each phrase is in some formula's English text."""
    texts = " ".join(kpi.text for kpi in KPIS)

    assert [phrase for phrase in PHRASES if phrase not in texts and phrase.strip("()") not in texts] == []
