"""Words of pages that are no KPI: scopes, channels, states and short phrases, in English and Japanese."""

from __future__ import annotations

from typing import Literal

__all__ = ["LANGUAGES", "WORDS", "Language"]

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")

_BOTH: dict[str, tuple[str, str]] = {
    "wallboard": ("Wallboard", "ウォールボード"),
    "scope.queue": ("Queue", "キュー"),
    "scope.department": ("Department", "部門"),
    "scope.business": ("Business", "事業"),
    "scope.site": ("Site", "拠点"),
    "scope.team": ("Team", "チーム"),
    "scope.total": ("Total", "全体"),
    "channel": ("Channel", "チャネル"),
    "channel.voice": ("Voice", "電話"),
    "channel.video": ("Video", "ビデオ"),
    "channel.chat": ("Chat", "チャット"),
    "channel.sms": ("SMS", "SMS"),
    "channel.mail": ("Mail", "メール"),
    "channel.web_form": ("Web form", "Webフォーム"),
    "channel.ticket": ("Ticket", "チケット"),
    "channel.social": ("Social", "SNS"),
    "channel.callback": ("Callback", "折り返し"),
    "channel.survey": ("Survey", "アンケート"),
    "channel.faq": ("FAQ", "FAQ"),
    "channel.bot": ("Bot", "ボット"),
    "state.handling": ("Handling", "対応中"),
    "state.wrap_up": ("Wrap-up", "後処理"),
    "state.idle": ("Idle", "待機"),
    "state.available": ("Available", "在席"),
    "state.unavailable": ("Unavailable", "離席"),
    "free_agents": ("Agents free", "待機・在席の担当者"),
    "free_agents_meaning": ("Agents who are idle, or present without saying so.", "待機中、または在席している担当者の人数。"),
    "window": ("Last", "直近"),
    "window.trailing": ("{n} min", "{n}分"),
    "queues": ("Queues", "キュー別"),
    "teams": ("Teams", "チーム別"),
    "target": ("target {value}", "目標 {value}"),
    "below_target": ("below target", "目標未達"),
    "measured": ("{value} measured", "計測率 {value}"),
    "backlog": ("backlog {n}", "未解決 {n}"),
    "as_of": ("as of {time}", "{time} 現在"),
    "no_as_of": ("no figures yet", "データ未着"),
    "live": ("live", "ライブ"),
    "stale": ("{age} old", "{age}前のデータ"),
    "disconnected": ("connection lost – trying again", "接続が切れました – 再接続中"),
    "loading": ("reading figures", "読み込み中"),
    "silent_sources": ("silent: {sources}", "応答なし: {sources}"),
    "no_queues": ("No queue has reported yet.", "まだデータがありません。"),
    "no_teams": ("No team has reported yet.", "まだデータがありません。"),
    "other_language": ("日本語", "English"),
    "alert.warning": ("Warning", "注意"),
    "alert.critical": ("Critical", "重大"),
    "alert.cleared": ("Cleared", "解消"),
    "alert.below": ("below {value}", "{value}未満"),
    "alert.above": ("above {value}", "{value}超"),
    "alert.for": ("for {age}", "{age}継続中"),
    "alert.since": ("since {time}", "{time}から"),
    "alert.of": ("{numerator} of {denominator}", "{denominator}件中{numerator}件"),
    "alert.last": ("last {n} min", "直近{n}分"),
    "alert.lasted": ("lasted {age}", "継続時間{age}"),
    "alert.rule": ("rule {name}", "ルール {name}"),
    "alert.recovered": ("recovered", "回復"),
    "alert.too_few_contacts": ("too few contacts to judge", "件数不足のため判定不可"),
    "alert.closed": ("closed", "営業時間外"),
    "alert.rule_removed": ("no longer watched", "監視対象外"),
    "alert.more": ("{n} more", "ほか{n}件"),
    "alerts": ("Alerts", "アラート"),
    "seconds": ("{n} s", "{n}秒"),
    "minutes": ("{n} min", "{n}分"),
    "hours": ("{n} h", "{n}時間"),
    "days": ("{n} d", "{n}日"),
}

#: Language → word id → text; braces mark what the page fills in.
WORDS: dict[Language, dict[str, str]] = {
    "en": {name: english for name, (english, _) in _BOTH.items()},
    "ja": {name: japanese for name, (_, japanese) in _BOTH.items()},
}
