"""Read the topic of Rasa's event broker partition by partition; the cursor holds offsets, and is stored with the events."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context

from schemas.times import to_ms
from streams.connectors.kit.reading import loaded, written
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, Pull, text_of
from streams.unpacking import UnreadableBatchError, bound_batches

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from streams.connectors.pull.model import PollContext

__all__ = ["PULL"]

#: Lines of a page, which is held in memory.
_PAGE_LINES: Final = 1_000

#: How long the brokers may take to answer.
_TIMEOUT_MS: Final = 15_000

_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_SECURITY: Final = {"security_protocol": "security_protocol", "sasl_mechanism": "sasl_mechanism"}
_CREDENTIALS: Final = {"username": "sasl_plain_username", "password": "sasl_plain_password"}


def _base(settings: Mapping[str, Any]) -> str:
    text_of(settings, "bootstrap")
    text_of(settings, "topic")
    protocol = settings.get("security_protocol") or "PLAINTEXT"
    if protocol not in _PROTOCOLS:
        raise ValueError(f"security_protocol: permitted: {', '.join(_PROTOCOLS)}")
    if protocol.startswith("SASL") and not all(settings.get(name) for name in ("sasl_mechanism", "username", "password")):
        raise ValueError(f"security_protocol: {protocol} needs sasl_mechanism, and the credentials username and password")
    # No HTTP.
    return "https://kafka.invalid"


def _kafka(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the client options of the brokers."""
    options = {option: settings[name] for name, option in (_SECURITY | _CREDENTIALS).items() if settings.get(name)}
    if str(options.get("security_protocol", "")).endswith("SSL"):
        options["ssl_context"] = create_ssl_context()
    return {"bootstrap_servers": text_of(settings, "bootstrap"), "request_timeout_ms": _TIMEOUT_MS, **options}


def _consumer(settings: Mapping[str, Any]) -> AIOKafkaConsumer:
    bound_batches()
    # In no group: the offsets are stored with the events.
    return AIOKafkaConsumer(
        group_id=None, enable_auto_commit=False, auto_offset_reset="none", isolation_level="read_committed", **_kafka(settings)
    )


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    """Yield what is new in each partition."""
    name = text_of(poll.settings, "topic")
    consumer = _consumer(poll.settings)
    try:
        await consumer.start()
        began = poll.now()
        partitions = await _partitions(consumer, name, poll.settings)
        if not partitions:
            raise PollError("refused", f"has no topic {name}")
        consumer.assign(partitions)
        offsets = await _offsets(consumer, partitions, poll)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.pause(*partitions)
            consumer.resume(partition)
            consumer.seek(partition, offsets[str(partition.partition)])
            while offsets[str(partition.partition)] < ends[partition]:
                records = await consumer.getmany(partition, timeout_ms=_TIMEOUT_MS, max_records=_PAGE_LINES)
                lines = records.get(partition, [])
                # Only transaction markers follow the last line.
                after = lines[-1].offset + 1 if lines else await consumer.position(partition)
                if after <= offsets[str(partition.partition)]:
                    raise PollError("unreachable", "does not answer")
                offsets = {**offsets, str(partition.partition): after}
                yield Page(b"\n".join(_json(line.value) for line in lines), {"offsets": offsets})
        yield Page(b"", {"offsets": offsets}, began)
    except UnreadableBatchError as error:
        raise PollError("malformed", str(error)) from error
    except KafkaError as error:
        raise PollError("unreachable", f"cannot be read ({type(error).__name__})") from error
    finally:
        with suppress(KafkaError):
            await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, name: str, settings: Mapping[str, Any]) -> list[TopicPartition]:
    """Return the partitions of a topic, none where it does not exist; a request by its name alone might create it."""
    if name not in await consumer.topics():
        return []
    admin = AIOKafkaAdminClient(**_kafka(settings))
    try:
        await admin.start()
        (description,) = await admin.describe_topics([name])
    finally:
        await admin.close()
    return [TopicPartition(name, number) for number in sorted(partition["partition"] for partition in description["partitions"])]


async def _offsets(consumer: AIOKafkaConsumer, partitions: list[TopicPartition], poll: PollContext) -> dict[str, int]:
    """Return where to continue in each partition: at its stored offset as far as that is retained; at first from a time."""
    known = poll.cursor.get("offsets", {})
    first, last = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    since = await consumer.offsets_for_times(dict.fromkeys(partitions, to_ms(poll.since)))
    offsets: dict[str, int] = {}
    for partition in partitions:
        offset = known.get(str(partition.partition))
        if offset is None:
            # A partition added later is read from its beginning.
            at = since[partition] if not known else None
            offset = first[partition] if known else last[partition] if at is None else at.offset
        # The topic may have been recreated, or its lines may have expired.
        offsets[str(partition.partition)] = first[partition] if offset > last[partition] else max(offset, first[partition])
    return offsets


def _json(value: bytes | None) -> bytes:
    """Return a record on one line; one that is no JSON object without its content, so that it alone is rejected."""
    try:
        content = loaded(value or b"")
    except ValueError:
        content = None
    return written(content if isinstance(content, dict) else {"not_json": len(value or b"")})


PULL: Final = Pull(name="rasa", fetch=_fetch, base=_base, poll_seconds=1.0)
