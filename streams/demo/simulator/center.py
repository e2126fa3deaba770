"""The simulated center: queues, teams, volumes and durations. ``streams/demo/configuration.yaml`` has the same names.

Names are readable for English and for Japanese viewers. Durations are in seconds, volumes in contacts an hour at the busiest time of day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["QUEUES", "TEAMS", "MediaChannel", "QueuePlan", "TeamPlan"]

MediaChannel = Literal["voice", "chat", "mail"]


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """One queue: its volume, durations and overflow."""

    name: str
    channel: MediaChannel
    site: str
    language: str
    entry_point: str
    peak_per_hour: float
    #: Median and spread (sigma of the logarithm) of the talk, chat or touch time of one contact.
    handling_seconds: float
    handling_spread: float
    wrap_up_seconds: float
    #: Mean patience of a waiting customer; None: waits for ever.
    patience_seconds: float | None = None
    overflow_to: str | None = None
    overflow_seconds: float = 0.0
    #: After this wait the customer is sent away with an announcement.
    timeout_seconds: float | None = None
    transfer_to: str | None = None


@dataclass(frozen=True, slots=True)
class TeamPlan:
    """One team: its site and the queues of its agents, the preferred queue first.

    ``skills`` holds one order of queues per skill profile; the team's agents take the profiles in turn.
    """

    name: str
    site: str
    prefix: int
    skills: tuple[tuple[str, ...], ...]


_TOKYO = "Tokyo 東京"
_BERLIN = "Berlin ベルリン"

_ORDERS = QueuePlan(
    name="Orders 注文受付",
    channel="voice",
    site=_TOKYO,
    language="ja",
    entry_point="0120-000-101",
    peak_per_hour=155,
    handling_seconds=74,
    handling_spread=0.55,
    wrap_up_seconds=13,
    patience_seconds=150,
    overflow_to="Returns 返品交換",
    overflow_seconds=60,
    timeout_seconds=240,
    transfer_to="Returns 返品交換",
)
_RETURNS = QueuePlan(
    name="Returns 返品交換",
    channel="voice",
    site=_TOKYO,
    language="ja",
    entry_point="0120-000-102",
    peak_per_hour=115,
    handling_seconds=84,
    handling_spread=0.6,
    wrap_up_seconds=15,
    patience_seconds=180,
    timeout_seconds=240,
    transfer_to="Orders 注文受付",
)
_TARIFFS = QueuePlan(
    name="Tariffs 料金相談",
    channel="voice",
    site=_BERLIN,
    language="de",
    entry_point="+49-30-00000-201",
    peak_per_hour=100,
    handling_seconds=78,
    handling_spread=0.6,
    wrap_up_seconds=14,
    patience_seconds=140,
    overflow_to="Outages 停電故障",
    overflow_seconds=80,
    timeout_seconds=240,
    transfer_to="Outages 停電故障",
)
_OUTAGES = QueuePlan(
    name="Outages 停電故障",
    channel="voice",
    site=_BERLIN,
    language="de",
    entry_point="+49-30-00000-202",
    peak_per_hour=95,
    handling_seconds=60,
    handling_spread=0.5,
    wrap_up_seconds=11,
    patience_seconds=200,
    timeout_seconds=240,
    transfer_to="Tariffs 料金相談",
)
_SHOP_CHAT = QueuePlan(
    name="Shop chat 通販チャット",
    channel="chat",
    site=_TOKYO,
    language="ja",
    entry_point="shop.example/help",
    peak_per_hour=125,
    handling_seconds=165,
    handling_spread=0.5,
    wrap_up_seconds=10,
    patience_seconds=240,
)
_BILLING_CHAT = QueuePlan(
    name="Billing chat 請求チャット",
    channel="chat",
    site=_BERLIN,
    language="en",
    entry_point="energy.example/billing",
    peak_per_hour=110,
    handling_seconds=190,
    handling_spread=0.5,
    wrap_up_seconds=11,
    patience_seconds=240,
)
_BILLING_MAIL = QueuePlan(
    name="Billing mail 請求メール",
    channel="mail",
    site=_TOKYO,
    language="ja",
    entry_point="billing@shop.example",
    peak_per_hour=85,
    handling_seconds=68,
    handling_spread=0.5,
    wrap_up_seconds=0,
)

#: All queues by name.
QUEUES: dict[str, QueuePlan] = {
    plan.name: plan for plan in (_ORDERS, _RETURNS, _TARIFFS, _OUTAGES, _SHOP_CHAT, _BILLING_CHAT, _BILLING_MAIL)
}

#: Five teams of nine (the crews of `shifts`).
TEAMS: tuple[TeamPlan, ...] = (
    TeamPlan("Sakura 受注", _TOKYO, 100, ((_ORDERS.name, _RETURNS.name),)),
    TeamPlan("Momiji 返品", _TOKYO, 200, ((_RETURNS.name, _ORDERS.name),)),
    TeamPlan("Hinata デジタル", _TOKYO, 300, ((_SHOP_CHAT.name, _BILLING_MAIL.name), (_BILLING_MAIL.name, _SHOP_CHAT.name))),
    TeamPlan("Spree 電話", _BERLIN, 400, ((_TARIFFS.name, _OUTAGES.name), (_OUTAGES.name, _TARIFFS.name))),
    TeamPlan("Havel デジタル", _BERLIN, 500, ((_BILLING_CHAT.name, _TARIFFS.name), (_OUTAGES.name, _BILLING_CHAT.name))),
)
