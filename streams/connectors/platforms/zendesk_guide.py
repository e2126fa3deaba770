"""Zendesk Guide: votes on articles of the help center, as the API lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.times import to_ms
from streams.connectors.kit.drafting import draft
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import list_records
from streams.connectors.kit.sessions import categories_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNHELPFUL: Final = ("handed_over", "left", "nothing")


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    if fields.get("vote_sum") is not None or fields.get("section_id") is not None:
        return "article"
    if fields.get("value") is None:
        raise UnusableError("unknown_kind", "neither a vote nor an article")
    return "vote" if fields.text("item_type") in {"Article", None} else "vote on something else"


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    fields = Fields(record.content)
    unhelpful = str(context.settings.get("unhelpful") or _UNHELPFUL[0])
    if unhelpful not in _UNHELPFUL:
        raise UnusableError("bad_setting", f"unhelpful: one of {', '.join(_UNHELPFUL)}")
    vote, article, value = fields.need("id"), fields.need("item_id"), fields.number("value")
    outcome = "confirmed_solved" if value is not None and value > 0 else unhelpful
    if outcome == "nothing" or not value:
        return []
    at = fields.need_time("created_at")
    common: dict[str, Any] = {
        "conversation_id": f"zendesk-guide:vote-{vote}",
        "kind": "faq",
        "revision": to_ms(fields.time("updated_at") or at),
        "category": categories_of(context).get(article, article),
    }
    return [
        draft("self_service.started", f"zendesk-guide:{vote}-started", at, **common),
        draft("self_service.ended", f"zendesk-guide:{vote}-ended", at, outcome=outcome, **common),
    ]


CONNECTOR = Connector(
    name="zendesk-guide",
    title="Zendesk Guide",
    family="self_service",
    delivery="journal",
    ways=("file",),
    kinds={"vote": "self_service.started and self_service.ended: confirmed_solved for a helpful one, by `unhelpful` for another"},
    ignored={
        "article": "sums of votes, each of which is read separately; views are not in the API",
        "vote on something else": "not on an article: a post or a comment of the community",
    },
    read=list_records("votes", "articles"),
    kind=_kind,
    translate=_translate,
    reports={},
    personal=("user_id", "author_id", "title", "name", "body", "url", "html_url"),
    settings=(
        Setting(
            name="unhelpful",
            meaning="Outcome of a vote against an article: handed_over (neither solved nor contained), left (as for a visitor) or nothing",
            default=_UNHELPFUL[0],
        ),
        Setting(name="categories", meaning="Id of an article → category; by default the id", default={}),
    ),
    guessed=("That a vote is given where the article is read, so that it represents one session.",),
)
