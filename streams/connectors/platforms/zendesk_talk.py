"""Zendesk Talk: incremental exports of calls and of their legs, minutes after the fact. Both report one call; the last version counts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from schemas.times import to_ms
from streams.connectors.kit.drafting import draft, renamed
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Setting
from streams.connectors.kit.reading import list_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.connectors.kit.model import Context, Draft, Record

__all__ = ["CONNECTOR"]

#: How a leg ended that was not answered.
_NOT_ANSWERED: Final = {
    "agent_missed": "no_answer",
    "missed": "no_answer",
    "agent_declined": "declined",
    "declined": "declined",
    "agent_transfer_declined": "declined",
}
_VOICEMAIL: Final = frozenset({"abandoned_in_voicemail", "pending_voicemail"})
_IN_MENU: Final = "abandoned_in_ivr"
_IN_QUEUE: Final = "abandoned_in_queue"


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    if fields.get("call_id") is not None:
        return f"{fields.need('type')} leg"
    fields.need("direction")
    return "call"


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    fields = Fields(record.content, context.zone)
    yield from _leg(fields, context) if fields.get("call_id") is not None else _call(fields, context)


def _revision(fields: Fields) -> int | None:
    """Return the revision of a call or leg: it is exported again when it changes."""
    updated = fields.time("updated_at")
    return None if updated is None else to_ms(updated)


def _normalized(text: str | None) -> str:
    return (text or "").strip().lower().replace(" ", "_")


def _call(fields: Fields, context: Context) -> Iterator[Draft]:
    call, began = fields.need("id"), fields.need_time("created_at")
    status, direction = _normalized(fields.text("completion_status")), fields.text("direction")
    ended = began + timedelta(seconds=fields.seconds("duration") or 0)
    common: dict[str, Any] = {"conversation_id": call, "contact_id": call, "revision": _revision(fields)}
    customer = context.customer(fields.text("customer_id"))
    outbound = direction == "outbound"
    arrived = "outbound" if outbound else "inbound"
    yield draft("contact.arrived", f"call-{call}-arrived", began, **common, channel="voice", direction=arrived, customer_key=customer)
    if outbound:
        return
    if status == _IN_MENU:
        yield draft("contact.not_offered", f"call-{call}-queued", ended, **common, reason="menu_ended")
        return
    wait, answer = fields.seconds("wait_time") or 0, fields.seconds("time_to_answer")
    # The wait is placed right before the answer, or before the end where there was none.
    answered = None if answer is None else began + timedelta(seconds=answer)
    queue = _queue(fields, context)
    entered = max(began, (answered or ended) - timedelta(seconds=wait))
    yield draft("contact.queued", f"call-{call}-queued", entered, **common, queue=queue, channel="voice")
    if answered is None:
        voicemail = fields.true("voicemail") or status in _VOICEMAIL
        reason = "voicemail" if voicemail else "abandoned" if status == _IN_QUEUE else "withdrawn"
        left = entered + timedelta(seconds=wait)
        yield draft("contact.left_queue", f"call-{call}-out-of-queue", left, **common, queue=queue, reason=reason)
    elif not context.settings.get("legs", True):
        agent = renamed(context.settings.get("agents"), fields.text("agent_id"))
        # Rings between two agents count for neither: only talk and hold count.
        ended = answered + timedelta(seconds=_connected(fields))
        yield from _share(fields, f"call-{call}", answered, ended, agent, queue, common, ["hold", "wrap_up"])


def _queue(fields: Fields, context: Context) -> str:
    """Return the group that a call was last routed to, by its configured name; else the group that the menu names."""
    group, names = fields.text("call_group_id"), context.settings.get("queues") or {}
    return names.get(group) or fields.text("ivr_destination_group_name") or group or "default"


def _leg(fields: Fields, context: Context) -> Iterator[Draft]:
    leg, call, began = fields.need("id"), fields.need("call_id"), fields.need_time("created_at")
    agent = renamed(context.settings.get("agents"), fields.need("agent_id"))
    common: dict[str, Any] = {"conversation_id": call, "contact_id": call, "revision": _revision(fields)}
    duration, status = fields.seconds("duration") or 0, _normalized(fields.text("completion_status"))
    ended = began + timedelta(seconds=duration)
    connected = _connected(fields)
    yield draft("contact.agent_offered", f"leg-{leg}-offered", began, **common, agent=agent)
    if not connected:
        outcome = _NOT_ANSWERED.get(status, "withdrawn")
        yield draft("contact.offer_ended", f"leg-{leg}-offer-ended", ended, **common, agent=agent, outcome=outcome, ring_seconds=duration)
        return
    answered = max(began, ended - timedelta(seconds=connected))
    ring = (answered - began).total_seconds()
    yield draft("contact.offer_ended", f"leg-{leg}-offer-ended", answered, **common, agent=agent, outcome="accepted", ring_seconds=ring)
    yield from _share(fields, f"leg-{leg}", answered, ended, agent, None, common, ["hold", "wrap_up", "ring"], context)


def _connected(fields: Fields) -> float:
    """Return for how many seconds an agent and the customer were connected."""
    return (fields.seconds("talk_time") or 0) + (fields.seconds("hold_time") or 0)


def _share(
    fields: Fields,
    name: str,
    answered: Any,
    ended: Any,
    agent: str | None,
    queue: str | None,
    common: dict[str, Any],
    reports: list[str],
    context: Context | None = None,
) -> Iterator[Draft]:
    """Yield an agent's share of a call, from the answer to the end of the work after it."""
    yield draft("contact.answered", f"{name}-answered", answered, **common, agent=agent, queue=queue, reports=reports)
    hold, wrap_up = fields.seconds("hold_time") or 0, fields.seconds("wrap_up_time") or 0
    # The hold has a length, no time: it is placed right after the answer.
    yield draft("contact.resumed", f"{name}-resumed", answered + timedelta(seconds=hold), **common, agent=agent, hold_seconds=hold)
    to = None if context is None else renamed(context.settings.get("agents"), fields.text("transferred_to"))
    if to is not None:
        yield draft("contact.transferred", f"{name}-over", ended, **common, agent=agent, to_agent=to)
    else:
        yield draft("contact.ended", f"{name}-over", ended, **common, agent=agent)
    at = ended + timedelta(seconds=wrap_up)
    yield draft("contact.wrapped_up", f"{name}-wrapped-up", at, **common, agent=agent, wrap_up_seconds=wrap_up)


CONNECTOR: Final = Connector(
    name="zendesk-talk",
    title="Zendesk Talk",
    family="telephone",
    delivery="journal",
    ways=("pull", "file"),
    kinds={
        "call": "contact.arrived, queued, left_queue or not_offered; without legs also the answer and what follows",
        "agent leg": "contact.agent_offered, offer_ended, answered, resumed, ended or transferred, wrapped_up",
    },
    ignored={
        "customer leg": "the customer's own line, which the call reports",
        "external leg": "a line to an outside party",
        "supervisor leg": "a supervisor who listens",
    },
    read=list_records("calls", "legs"),
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "ring": "",
        "hold": "",
        "wrap_up": "",
        "ended_by": "neither calls nor legs report the party that hung up",
        "transfer": "",
        "agent_state": "Talk's exports do not report agents between calls",
    },
    personal=(
        "customer_id",
        "user_id",
        "phone_number",
        "line",
        "callback_source",
        "forwarded_to",
        "ivr_routed_to",
        "voicemail_url",
        "recording_url",
    ),
    settings=(
        Setting(name="queues", meaning="Names of groups by their ids, as text: calls have ids alone.", default={}),
        Setting(name="agents", meaning="Names of agents by their ids, as text.", default={}),
        Setting(name="subdomain", meaning="Of the account: SUBDOMAIN.zendesk.com; needed to poll it"),
        Setting(name="url", meaning="Where the API is, if not at https://SUBDOMAIN.zendesk.com"),
        Setting(
            name="legs",
            meaning="Legs arrive too. Without them a call has one agent, the last, and neither rings nor transfers.",
            default=True,
        ),
    ),
    credentials=(
        Setting(name="email", meaning="Of an administrator of Talk", required=True),
        Setting(name="api_token", meaning="Of the account, for that address", required=True),
    ),
    guessed=(
        "the spelling of statuses such as `agent_missed`",
        "of a transferred call only the last group is reported: all its waits and legs count there",
        "the times of wait and hold are not reported, only their lengths: the wait is placed before the answer, the hold after it",
    ),
)
