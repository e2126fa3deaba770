"""What the three streams of Amazon Connect (contact events, agent events, contact records) have in common; pure."""

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

#: Channel of Connect → ours; of others nothing is said.
CHANNELS: Final = {"VOICE": "voice", "CHAT": "chat", "TASK": "ticket", "EMAIL": "mail"}

#: In the ARN of the queue that each agent has.
_OWN: Final = "/queue/agent/"

#: How a contact began → who reached out.
_DIRECTIONS: Final = {
    "INBOUND": "inbound",
    "WEBRTC_API": "inbound",
    "OUTBOUND": "outbound",
    "EXTERNAL_OUTBOUND": "outbound",
    "AGENT_REPLY": "outbound",
}

#: Contacts that go on with a customer who is there.
CONTINUES: Final = frozenset({"TRANSFER", "QUEUE_TRANSFER", "CALLBACK"})

#: How a contact of no customer began → why it is ignored.
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


#: Where a stream or a queue is, and who may read it.
ASKED: Final = (
    Setting(name="region", meaning="Region of AWS, such as eu-central-1; needed to ask it"),
    Setting(name="endpoint_url", meaning="Where the service is asked, if not at the region's public address"),
)
CREDENTIALS: Final = (
    Setting(name="access_key_id", meaning="Of who may read it; by default the role or profile of the machine"),
    Setting(name="secret_access_key", meaning="Of the access key"),
)
STREAM: Final = Setting(name="stream", meaning="Name or ARN of the stream of Kinesis; needed to ask it")


def _last_part(arn: str | None) -> str | None:
    """Return the id at the end of an ARN."""
    return None if arn is None else arn.rpartition("/")[2] or None


def queue(context: Context, arn: str | None, name: str | None = None) -> str | None:
    """Return the name of a queue. An agent's own, through which agents are called directly, is none unless it is named."""
    identity = _last_part(arn)
    names: dict[str, str] = context.settings.get("queues") or {}
    if identity is not None and identity in names:
        return names[identity]
    return name or (None if arn is not None and _OWN in arn else identity)


def agent(context: Context, arn: str | None, username: str | None = None) -> str | None:
    """Return who an agent is: the configured name, else the user name, else the id."""
    identity = _last_part(arn)
    names: dict[str, str] = context.settings.get("agents") or {}
    if identity is not None and identity in names:
        return names[identity]
    return username or renamed(names, identity)


def conversation(fields: Fields, initial: str, own: str) -> str:
    """Return the id of the conversation: the first of its contacts; raise UnusableError where there is none."""
    return fields.text(initial) or fields.need(own)


def direction(method: str | None, channel: Any) -> str | None:
    """Return who reached out. What is begun by API is a call to a customer, but a chat, mail or task of one."""
    if method == "API":
        return "outbound" if channel == "voice" else "inbound"
    return _DIRECTIONS.get(method or "")
