"""Common parts of the three streams of Amazon Connect (contact events, agent events, contact records); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.drafting import renamed
from streams.connectors.kit.model import Setting

if TYPE_CHECKING:
    from streams.connectors.kit.fields import Fields
    from streams.connectors.kit.model import Context

__all__ = [
    "AGENTS",
    "ASKED",
    "CHANNELS",
    "CONTINUES",
    "CREDENTIALS",
    "NOT_OF_A_CUSTOMER",
    "QUEUES",
    "STREAM",
    "agent",
    "conversation",
    "direction",
    "queue",
]

#: Channel of Connect → ours; others are unknown.
CHANNELS: Final = {"VOICE": "voice", "CHAT": "chat", "TASK": "ticket", "EMAIL": "mail"}

#: Part of the ARN of each agent's own queue.
_OWN: Final = "/queue/agent/"

#: How a contact began → its direction.
_DIRECTIONS: Final = {
    "INBOUND": "inbound",
    "WEBRTC_API": "inbound",
    "OUTBOUND": "outbound",
    "EXTERNAL_OUTBOUND": "outbound",
    "AGENT_REPLY": "outbound",
}

#: How contacts begin that continue with the same customer.
CONTINUES: Final = frozenset({"TRANSFER", "QUEUE_TRANSFER", "CALLBACK"})

#: How contacts without a customer begin → why they are ignored.
NOT_OF_A_CUSTOMER: Final = {
    "MONITOR": "a supervisor listens; no contact of a customer",
    "DISCONNECT": "a flow that runs after an agent hung up; the customer's contact is over",
}

QUEUES: Final = Setting(
    name="queues",
    meaning="Names of queues by the id at the end of their ARN, where the stream gives no name.",
    default={},
)
AGENTS: Final = Setting(
    name="agents",
    meaning="Names of agents by the id at the end of their ARN; others go by the user name, or by the id where the stream has no name.",
    default={},
)


#: The address of a stream or queue, and the credentials.
ASKED: Final = (
    Setting(name="region", meaning="Region of AWS, such as eu-central-1; needed to poll it"),
    Setting(name="endpoint_url", meaning="Address of the service, if not the region's public one"),
)
CREDENTIALS: Final = (
    Setting(name="access_key_id", meaning="Of a user who may read it; by default the role or profile of the machine"),
    Setting(name="secret_access_key", meaning="Of the access key"),
)
STREAM: Final = Setting(name="stream", meaning="Name or ARN of the stream of Kinesis; needed to poll it")


def _last_part(arn: str | None) -> str | None:
    """Return the id at the end of an ARN."""
    return None if arn is None else arn.rpartition("/")[2] or None


def queue(context: Context, arn: str | None, name: str | None = None) -> str | None:
    """Return the name of a queue. An agent's own queue, for direct calls, has none unless it is configured."""
    identity = _last_part(arn)
    names: dict[str, str] = context.settings.get("queues") or {}
    if identity is not None and identity in names:
        return names[identity]
    return name or (None if arn is not None and _OWN in arn else identity)


def agent(context: Context, arn: str | None, username: str | None = None) -> str | None:
    """Return the name of an agent: the configured one, else the user name, else the id."""
    identity = _last_part(arn)
    names: dict[str, str] = context.settings.get("agents") or {}
    if identity is not None and identity in names:
        return names[identity]
    return username or renamed(names, identity)


def conversation(fields: Fields, initial: str, own: str) -> str:
    """Return the id of the conversation: the first of its contacts; raise UnusableError where there is none."""
    return fields.text(initial) or fields.need(own)


def direction(method: str | None, channel: Any) -> str | None:
    """Return the direction of a contact. The API begins calls to customers, but chats, mails and tasks of customers."""
    if method == "API":
        return "outbound" if channel == "voice" else "inbound"
    return _DIRECTIONS.get(method or "")
