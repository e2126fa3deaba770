"""The audit in words, in English and Japanese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.catalogue import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.audit import Action, AuditObject, Outcome

__all__ = ["ACTION_WORDS", "HEADINGS", "OUTCOME_WORDS", "object_text"]

ACTION_WORDS: Final[dict[Action, tuple[str, str]]] = {
    "login": ("login", "ログイン"),
    "login_refused": ("login refused", "ログイン拒否"),
    "logout": ("logout", "ログアウト"),
    "session_ended": ("session ended", "セッション終了"),
    "alert_acknowledged": ("alert acknowledged", "アラートを確認"),
    "silence_made": ("alerts silenced", "アラート通知を停止"),
    "silence_ended": ("silence ended", "アラート通知の停止を解除"),
    "kiosk_redeemed": ("kiosk link redeemed", "キオスクリンク使用"),
    "denied": ("access denied", "アクセス拒否"),
    "looked_at_agents": ("looked at agents", "個人の数値を閲覧"),
    "looked_at_contacts": ("looked at contacts", "問い合わせを閲覧"),
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

OUTCOME_WORDS: Final[dict[Outcome, tuple[str, str]]] = {
    "done": ("done", "完了"),
    "ordered": ("ordered", "指示済み"),
    "refused": ("refused", "拒否"),
    "failed": ("failed", "失敗"),
}

HEADINGS: Final = (
    ("time", "actor", "from", "action", "outcome", "object"),
    ("時刻", "実行者", "接続元", "操作", "結果", "対象"),
)

_TIMES: Final = ("times", "回")


def object_text(about: AuditObject, reason: str | None, times: int, lang: str) -> str:
    """Return what an action was about, in one line."""
    return ", ".join(_parts(about, reason, times, _TIMES[LANGUAGES.index(lang)]))


def _parts(about: AuditObject, reason: str | None, times: int, word: str) -> Iterator[str]:
    said = about.model_dump(mode="json", exclude_none=True)
    scope_kind, scope = said.pop("scope_kind", None), said.pop("scope", None)
    if scope_kind is not None:
        yield scope_kind if scope is None else f"{scope_kind}:{scope}"
    before, after = said.pop("hash_before", None), said.pop("hash_after", None)
    for name, value in said.items():
        yield f"{value}" if name in {"endpoint", "file", "kpi"} else f"{name}={value}"
    if before is not None or after is not None:
        yield f"{before or '?'} → {after or '?'}"
    if reason is not None:
        yield f"({reason})"
    if times > 1:
        yield f"{times} {word}"
