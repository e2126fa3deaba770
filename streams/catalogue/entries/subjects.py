"""Entries about contacts without a queue, their subjects, and self-service; the formulas are those of ``docs/counting.md`` section 12."""

from __future__ import annotations

from streams.catalogue import fields as f
from streams.catalogue.choices import ByWindow
from streams.catalogue.formulas import Count, Ratio
from streams.catalogue.model import DATED, Dimension, Kpi

__all__ = ["SUBJECTS"]

#: Contacts that never entered a queue belong to none.
_WITHOUT_QUEUE: tuple[Dimension, ...] = ("channel", "site")

SUBJECTS: tuple[Kpi, ...] = (
    Kpi(
        id="not_offered",
        en="not offered, by reason",
        ja="話中・時間外など",
        meaning_en="Contacts that ended before they reached a queue, by reason: busy, full, closed, ended in the menu, blocked.",
        meaning_ja="話中・満杯・時間外・メニュー内終了・拒否のため、キューに入らなかった件数（理由別）。",
        formula=Count(f.NOT_OFFERED),
        unit="contacts",
        direction="down",
        metric="contact_center_contacts_not_offered",
        by=_WITHOUT_QUEUE,
    ),
    Kpi(
        id="excluded",
        en="contacts excluded, by reason",
        ja="除外件数",
        meaning_en="Contacts that no other figure counts, by reason: spam, test, duplicate, merged, no reply needed.",
        meaning_ja="迷惑メール・テスト・重複・統合・返信不要のため、他の集計から除いた件数（理由別）。",
        formula=Count(f.EXCLUDED),
        unit="contacts",
        direction="none",
        metric="contact_center_contacts_excluded",
    ),
    Kpi(
        id="events_uncounted",
        en="events that counted nothing, by reason",
        ja="集計されなかったイベント数（理由別）",
        meaning_en="Events about unknown or closed contacts (no begin, visit, leg or queue). Many mean that a source leaves events out.",
        meaning_ja="開始・待ち・応対・キューが不明なため、何も集計しなかったイベントの件数（理由別）。多い場合は送信元のイベントが欠けています。",
        formula=Count(f.UNCOUNTED),
        unit="count",
        direction="down",
        metric="contact_center_events_uncounted",
    ),
    Kpi(
        id="contacts_by_category",
        en="contacts by category (voice of the customer)",
        ja="項目別件数 (VOC)",
        meaning_en="Contacts with a known category, by category.",
        meaning_ja="内容が分かっている問い合わせの項目別の件数。",
        formula=Count(f.CATEGORY),
        unit="contacts",
        direction="none",
        metric="contact_center_contacts_categorized",
    ),
    Kpi(
        id="complaints",
        en="complaints",
        ja="苦情件数",
        meaning_en="Contacts that were marked as a complaint.",
        meaning_ja="苦情とされた問い合わせの件数。",
        formula=Count(f.COMPLAINTS),
        unit="contacts",
        direction="down",
    ),
    Kpi(
        id="complaints_within_day_rate",
        en="complaints resolved within a day",
        ja="苦情1日以内解決率",
        meaning_en="Share of complaints that were resolved, and stayed so, within 24 hours.",
        meaning_ja="受付から24時間以内に解決した苦情の割合。",
        formula=Ratio(f.COMPLAINTS_WITHIN_DAY, f.COMPLAINTS_DATED, f.COMPLAINTS),
        unit="ratio",
        direction="up",
        windows=DATED,
        metric="contact_center_complaints_within_day_ratio",
        horizon="24 h",
    ),
    Kpi(
        id="self_service_rate",
        en="self-service rate",
        ja="自己解決率",
        meaning_en="Share of sessions with a bot or FAQ that the customer called solved, or left without turning to agents.",
        meaning_ja="ボット・FAQの利用のうち、顧客が解決と答えたか、人に頼らず終えた割合。",
        formula=ByWindow(Ratio(f.SESSIONS_SOLVED, f.SESSIONS_DECIDED), Ratio(f.SESSIONS_SOLVED, f.SESSIONS_DECIDED, f.SESSIONS)),
        unit="ratio",
        direction="up",
        metric="contact_center_self_service_ratio",
        by=_WITHOUT_QUEUE,
    ),
    Kpi(
        id="containment_rate",
        en="containment rate",
        ja="ボット完結率",
        meaning_en="Share of sessions with a bot or FAQ that ended without a hand-over to agents.",
        meaning_ja="ボット・FAQの利用のうち、人への引き継ぎなしに終わった割合。",
        formula=ByWindow(Ratio(f.SESSIONS_CONTAINED, f.SESSIONS_DECIDED), Ratio(f.SESSIONS_CONTAINED, f.SESSIONS_DECIDED, f.SESSIONS)),
        unit="ratio",
        direction="up",
        metric="contact_center_containment_ratio",
        by=_WITHOUT_QUEUE,
    ),
)
