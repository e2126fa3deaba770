"""Texts of the audit, in English and Japanese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.catalogue import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.audit import Action, AuditObject, Outcome

__all__ = ["ACTION_TEXTS", "HEADINGS", "OUTCOME_TEXTS", "REASON_TEXTS", "object_text"]

ACTION_TEXTS: Final[dict[Action, tuple[str, str]]] = {
    "login": ("login", "ログイン"),
    "login_refused": ("login refused", "ログイン拒否"),
    "logout": ("logout", "ログアウト"),
    "session_ended": ("session ended", "セッション終了"),
    "alert_acknowledged": ("alert acknowledged", "アラートを確認"),
    "silence_made": ("alerts silenced", "アラート通知を停止"),
    "silence_ended": ("silence ended", "アラート通知の停止を解除"),
    "kiosk_redeemed": ("kiosk link redeemed", "キオスクリンク使用"),
    "denied": ("access denied", "アクセス拒否"),
    "looked_at_agents": ("agents viewed", "個人の数値を閲覧"),
    "looked_at_contacts": ("contacts viewed", "問い合わせを閲覧"),
    "exported": ("exported", "エクスポート"),
    "audit_read": ("audit read", "監査ログを閲覧"),
    "access_changed": ("access file changed", "アクセス設定の変更"),
    "configuration_changed": ("configuration changed", "設定の変更"),
    "senders_changed": ("senders file changed", "送信元設定の変更"),
    "connectors_changed": ("connectors file changed", "コネクタ設定の変更"),
    "progress_reset": ("progress reset", "進捗のリセット"),
    "source_quarantined": ("source quarantined", "ソースを隔離"),
    "source_released": ("source released", "ソースの隔離を解除"),
    "dead_letters_replayed": ("dead letters replayed", "デッドレターを再送"),
}

OUTCOME_TEXTS: Final[dict[Outcome, tuple[str, str]]] = {
    "done": ("done", "完了"),
    "ordered": ("ordered", "指示済み"),
    "refused": ("refused", "拒否"),
    "failed": ("failed", "失敗"),
}

HEADINGS: Final = (
    ("time", "actor", "from", "action", "outcome", "object"),
    ("時刻", "実行者", "接続元", "操作", "結果", "対象"),
)

#: Texts of the reasons that serve gives; all others, such as those that users give, are shown as they are.
REASON_TEXTS: Final = {
    "wrong": ("name or password is wrong", "ユーザー名またはパスワードが違います"),
    "throttled": ("too many failures, must wait", "失敗が続いたため待機中"),
    "busy": ("too many logins at once", "ログインが集中"),
    "ticket": ("the link has been used, has expired, or is incomplete", "リンクが使用済み、期限切れ、または不完全"),
    "what the request carries proves nothing": ("the credentials are invalid", "認証情報が無効"),
    "none of the groups has a role": ("none of the groups has a role", "ロールのあるグループがありません"),
    "the provider says so": ("ended by the provider", "認証プロバイダーの指示"),
    "what the provider says is not taken": ("the provider's answer is rejected", "認証プロバイダーの応答を受け入れられません"),
    "many_clients": ("many clients", "多数の接続元"),
}

_TIMES: Final = ("times", "回")


def object_text(about: AuditObject, reason: str | None, times: int, lang: str) -> str:
    """Return what an action was about, in one line."""
    which = LANGUAGES.index(lang)
    text = REASON_TEXTS[reason][which] if reason in REASON_TEXTS else reason
    return ", ".join(_parts(about, text, times, _TIMES[which]))


def _parts(about: AuditObject, reason: str | None, times: int, times_text: str) -> Iterator[str]:
    fields = about.model_dump(mode="json", exclude_none=True)
    scope_kind, scope = fields.pop("scope_kind", None), fields.pop("scope", None)
    if scope_kind is not None:
        yield scope_kind if scope is None else f"{scope_kind}:{scope}"
    before, after = fields.pop("hash_before", None), fields.pop("hash_after", None)
    for name, value in fields.items():
        yield f"{value}" if name in {"endpoint", "file", "kpi"} else f"{name}={value}"
    if before is not None or after is not None:
        yield f"{before or '?'} → {after or '?'}"
    if reason is not None:
        yield f"({reason})"
    if times > 1:
        yield f"{times} {times_text}"
