"""Customerly: votes (NPS) and ratings of users by its API. The API has no conversations, and webhooks have no documented fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.connectors.kit.accounts import URL
from streams.connectors.kit.desk import in_ms
from streams.connectors.kit.drafting import draft
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Context, Draft, Record, Seen, Setting, UnusableError
from streams.connectors.kit.reading import json_records, written

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONNECTOR"]

_USER, _ARTICLE = "crmhero_user_id", "knowledge_base_article_id"


def _read(body: bytes, origin: str) -> Iterator[Record]:
    """Yield users or articles of an answer of the API, and the body of a webhook unchanged."""
    for record in json_records(body, origin):
        data = record.content.get("data")
        listed: Any = data if isinstance(data, list) else None
        if isinstance(data, dict):
            listed = next((data[name] for name in ("users", "leads", "articles") if isinstance(data.get(name), list)), None)
        if listed is None:
            yield record
            continue
        for number, entry in enumerate(listed):
            if not isinstance(entry, dict):
                raise UnusableError("not_an_object", "data: a list of objects")
            yield Record(entry, written(entry), origin, number)


def _kind(record: Record) -> str:
    if _USER in record.content:
        return "user"
    if _ARTICLE in record.content:
        return "article"
    if isinstance(Fields(record.content).get("data.user"), dict):
        return "webhook"
    if "error" in record.content:
        raise UnusableError("unknown_kind", "Customerly answered with an error: is the access token right?")
    raise UnusableError("unknown_kind", "neither user nor article")


def _key(record: Record) -> str:
    # Ignored kinds have no state.
    return Fields(record.content).need(_USER)


def _compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    fields = Fields(record.content, context.zone)
    user = fields.need(_USER)
    at = fields.time("last_update") or fields.need_time("last_activity")
    scales = {"nps_vote": ("nps", "0-10"), "rating": ("csat", str(context.settings.get("rating_scale") or ""))}
    state: Seen = {**(seen or {"updated": 0})}
    events: list[Draft] = []
    for name, (kind, scale) in scales.items():
        score = fields.number(name)
        # The vote has no time, but is not after the last update. An older state has nothing new, one of the same second a first vote only.
        known_ms = state["updated"] if name in state else state["updated"] - 1
        if score is None or not scale or score == state.get(name) or in_ms(at) <= known_ms:
            continue
        conversation = f"customerly:user-{user}"
        answer = {"conversation_id": conversation, "score": score, "scale": scale, "revision": in_ms(at), "kind": kind}
        events.append(draft("survey.answered", f"{conversation}-{name}", at, **answer))
        state[name] = score
    state["updated"] = max(state["updated"], in_ms(at))
    return Compared(events, state)


CONNECTOR = Connector(
    name="customerly",
    title="Customerly",
    family="desk",
    delivery="journal",
    ways=("pull", "file"),
    kinds={"user": "survey.answered: nps of `nps_vote`; csat of `rating` where `rating_scale` is set"},
    ignored={
        "article": "its visits and reactions are totals since it was written, without times: they belong to no day",
        "webhook": "it has only the user's address: neither what happened nor when",
    },
    read=_read,
    kind=_kind,
    compare=_compare,
    key=_key,
    remembered_days=400,
    reports={
        "arrival": "the API has no conversations: export them and write a mapping",
        "queue": "the API has no conversations",
        "first_response": "the API has no conversations",
        "resolution": "the API has no conversations",
        "agent_state": "the API does not report it",
        "csat": "only as the last vote of a user, of no conversation",
    },
    personal=(
        "email",
        "name",
        "user_id",
        "attributes",
        "company",
        "companies",
        "last_page_viewed",
        "city",
        "country",
        "timezone",
        "phone",
        "ip",
        "title",
        "description",
        "body",
        "slug",
        "keywords",
        "data",
    ),
    settings=(
        URL,
        Setting(name="rating_scale", meaning="Lowest and highest `rating`, such as 1-5; without it ratings are not counted", default=""),
    ),
    credentials=(Setting(name="access_token", meaning="Project settings, API", required=True),),
    guessed=("That `nps_vote` is on 0-10, and that `last_update` is in the connector's zone.",),
)
