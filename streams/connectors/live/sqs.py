"""Empty a queue of SQS: a message is deleted once it is in Kafka, and arrives again until then."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import loaded, written
from streams.connectors.live.amazon import address, answering, service
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, Pull, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from streams.connectors.pull.model import PollContext

__all__ = ["messages_of", "sqs"]

_MOST_AT_ONCE: Final = 10
_PAGE_MESSAGES: Final = 200
#: An empty queue answers after this.
_WAIT_SECONDS: Final = 5
#: A message that is not deleted arrives again after this: in time to count, where the process that received it was killed.
_HIDDEN_SECONDS: Final = 30
#: Events of the seconds before an empty answer may still be on their way.
_WITHHELD: Final = timedelta(seconds=10)


def sqs(name: str) -> Pull:
    """Return how to poll a queue."""
    return Pull(name=name, fetch=messages_of, base=_base, poll_seconds=1.0)


def _base(settings: Mapping[str, Any]) -> str:
    text_of(settings, "queue_url")
    return address("sqs", settings)


async def messages_of(poll: PollContext) -> AsyncGenerator[Page, None]:
    """Yield messages until there are none; delete those of a page when the next is requested: then they are in Kafka."""
    url = text_of(poll.settings, "queue_url")
    pages = int(poll.cursor.get("pages", 0))
    with answering("sqs"):
        async with service("sqs", poll.settings) as client:
            while True:
                requested_at = poll.now()
                messages = await _messages(client, url)
                if not messages:
                    yield Page(b"", {"pages": pages}, requested_at - _WITHHELD)
                    return
                pages += 1
                yield Page(b"\n".join(_json(message["Body"]) for message in messages), {"pages": pages})
                await _delete(client, url, messages)


async def _messages(client: Any, url: str) -> list[Any]:
    page: list[Any] = []
    while len(page) < _PAGE_MESSAGES:
        answer = await client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_MOST_AT_ONCE,
            WaitTimeSeconds=0 if page else _WAIT_SECONDS,
            VisibilityTimeout=_HIDDEN_SECONDS,
        )
        messages = answer.get("Messages", [])
        if not messages:
            break
        page += messages
    return page


async def _delete(client: Any, url: str, messages: list[Any]) -> None:
    for first in range(0, len(messages), _MOST_AT_ONCE):
        batch = messages[first : first + _MOST_AT_ONCE]
        entries = [{"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(batch)]
        answer = await client.delete_message_batch(QueueUrl=url, Entries=entries)
        if answer.get("Failed"):
            # They arrive again, and count once by the ids of their events.
            raise PollError("unavailable", f"(sqs) {len(answer['Failed'])} messages could not be deleted")


def _json(body: str) -> bytes:
    """Return an event on one line, without the envelope of SNS. A body that is no JSON object is rejected alone."""
    try:
        content = loaded(body)
        if isinstance(content, dict) and content.get("Type") == "Notification" and isinstance(content.get("Message"), str):
            content = loaded(content["Message"])
    except ValueError:
        content = None
    return written(content if isinstance(content, dict) else {"not_json": body})
