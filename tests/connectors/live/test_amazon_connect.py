"""Amazon Connect is read from Kinesis and SQS: every record once, in any number of processes, and none is lost. The server is moto's."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

import orjson
import pytest
from moto.server import ThreadedMotoServer

from streams.connectors.live.amazon import service
from streams.connectors.live.sqs import _MOST_AT_ONCE, _PAGE_MESSAGES
from streams.connectors.publishing import NotPublishedError
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.failures import PollError
from tests.support.platforms import counted, figures, fixture, not_reporting, three_calls
from tests.support.polling import Clock, poll_once, poller

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from streams.connectors.pull.entries import Entry

CONTACT_EVENTS, AGENT_EVENTS, RECORDS = (f"amazon-connect-{name}" for name in ("contact-events", "agent-events", "contact-records"))
#: As `asked` calls every source.
SOURCE = "platform"
NAMES = {"queues": {"q-care-01": "support", "q-acc-02": "billing"}}


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    """Settings of a running server of moto."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with mock.patch.dict(os.environ, {"AWS_EC2_METADATA_DISABLED": "true"}):
        server.start()
        host, port = server.get_host_and_port()
        yield {
            "region": "eu-central-1",
            "endpoint_url": f"http://{host}:{port}",
            "access_key_id": "AKIATEST",
            "secret_access_key": "of a test",
        }
        server.stop()


def lines(name: str) -> list[bytes]:
    """Return the records of one of our files."""
    return fixture(name, "three-calls.jsonl").splitlines()


def once(name: str, settings: dict[str, Any], ledger: MemoryLedger) -> None:
    """Poll until there is no more, as a process that restarts."""
    asyncio.run(poll_once(name, settings, ledger, Clock(datetime.now(UTC))))


def run(work: Callable[[Any], Coroutine[Any, Any, Any]], name: str, settings: dict[str, Any]) -> Any:
    """Return what some work with a client of a service gives."""

    async def scenario() -> Any:
        async with service(name, settings) as client:
            return await work(client)

    return asyncio.run(scenario())


def published(ledger: MemoryLedger) -> Counter[str]:
    """Return how often each event was written."""
    return Counter(event.event_id for event in ledger.events if event.type != "source.heartbeat")


def check(ledger: MemoryLedger, **known: bool) -> None:
    """Hold the figures of what was written against the three calls."""
    wanted = three_calls(**known)
    journal = [event.model_copy(update={"received_at": event.occurred_at}) for event in ledger.events if event.type != "source.heartbeat"]
    found = figures(counted(journal, not_reporting(journal, ["non_response"])), wanted, {})
    for scope, values in wanted.items():
        assert found[scope] == pytest.approx(values), scope


class Stream:
    """A stream of Kinesis."""

    def __init__(self, settings: dict[str, str], name: str, shards: int = 2) -> None:
        self.settings: dict[str, Any] = {**settings, **NAMES, "stream": name}
        self.name = name
        run(lambda client: client.create_stream(StreamName=name, ShardCount=shards), "kinesis", self.settings)

    def put(self, records: list[bytes]) -> None:
        """Add records, each to a shard by what is in it."""

        async def put(client: Any) -> None:
            entries = [{"Data": each, "PartitionKey": str(number)} for number, each in enumerate(records)]
            assert (await client.put_records(StreamName=self.name, Records=entries))["FailedRecordCount"] == 0

        run(put, "kinesis", self.settings)

    def split(self) -> None:
        """Divide the first shard into two."""

        async def split(client: Any) -> None:
            first = (await client.list_shards(StreamName=self.name))["Shards"][0]
            low, high = (int(first["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))
            await client.split_shard(StreamName=self.name, ShardToSplit=first["ShardId"], NewStartingHashKey=str((low + high) // 2))

        run(split, "kinesis", self.settings)


class TestKinesis:
    """Sequence numbers are kept with the events."""

    def test_records_come_once(self, aws: dict[str, str]) -> None:
        """Read in parts, by processes that restart, every record is published once; the figures are those of the calls."""
        stream, ledger = Stream(aws, "records"), MemoryLedger(SOURCE)
        once(RECORDS, stream.settings, ledger)
        assert not published(ledger)
        stream.put(lines(RECORDS)[:2])
        once(RECORDS, stream.settings, ledger)
        first = published(ledger)
        once(RECORDS, stream.settings, ledger)
        assert published(ledger) == first
        stream.put(lines(RECORDS)[2:4])
        once(RECORDS, stream.settings, ledger)
        assert first
        assert set(published(ledger).values()) == {1}
        check(ledger, ring=False)

    def test_an_invalid_record_is_rejected_alone(self, aws: dict[str, str]) -> None:
        """Bytes that are no JSON become a dead letter, and the records beside them count."""
        stream, ledger = Stream(aws, "noise"), MemoryLedger(SOURCE)
        stream.put([*lines(RECORDS)[:4], b"\x00\xff", b"[1]", b"{"])
        once(RECORDS, stream.settings, ledger)
        assert [each.reason for each in ledger.rejected] == ["missing_field"] * 3
        check(ledger, ring=False)

    def test_a_shard_that_is_divided(self, aws: dict[str, str]) -> None:
        """Records of the new shards are published, those of the old one not again."""
        stream, ledger = Stream(aws, "divided", shards=1), MemoryLedger(SOURCE)
        stream.put(lines(RECORDS)[:2])
        once(RECORDS, stream.settings, ledger)
        stream.split()
        stream.put(lines(RECORDS)[2:4])
        once(RECORDS, stream.settings, ledger)
        assert set(published(ledger).values()) == {1}
        check(ledger, ring=False)

    def test_it_reports_how_far_it_is_complete(self, aws: dict[str, str]) -> None:
        """Agent events are reported at once, contact records once all is over."""
        now = Clock(datetime.now(UTC))
        for name, final_after in ((AGENT_EVENTS, timedelta(0)), (RECORDS, timedelta(hours=1))):
            runner = poller(name, Stream(aws, f"through-{name}").settings, MemoryLedger(SOURCE), now)
            asyncio.run(runner.run(asyncio.Event(), once=True))
            assert runner.status.complete_through == now.now - timedelta(seconds=5) - final_after

    @pytest.mark.parametrize(
        ("change", "reason"), [({"stream": "none"}, "refused"), ({"endpoint_url": "http://127.0.0.1:9"}, "unreachable")]
    )
    def test_trouble_has_a_reason(self, aws: dict[str, str], change: dict[str, str], reason: str) -> None:
        """A missing stream, a service that does not answer; neither error has the address."""
        with pytest.raises(PollError) as failed:
            once(RECORDS, {**aws, "stream": "records", **change}, MemoryLedger(SOURCE))
        assert failed.value.reason == reason
        assert "127.0.0.1" not in str(failed.value)


class _Failing(MemoryLedger):
    """Kafka takes a number of entries with events, and then none."""

    def __init__(self, source: str, entries: int) -> None:
        super().__init__(source)
        self.left = entries

    async def write(self, entry: Entry) -> None:
        """Write, or fail."""
        if entry.events and self.left <= 0:
            raise NotPublishedError("not now")
        self.left -= bool(entry.events)
        await super().write(entry)


def filled(settings: dict[str, str], name: str, bodies: list[str]) -> dict[str, Any]:
    """Make and fill a queue; return the connector's settings."""

    async def fill(client: Any) -> str:
        url: str = (await client.create_queue(QueueName=name))["QueueUrl"]
        for first in range(0, len(bodies), _MOST_AT_ONCE):
            entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[first : first + _MOST_AT_ONCE])]
            await client.send_message_batch(QueueUrl=url, Entries=entries)
        return url

    return {**settings, **NAMES, "queue_url": run(fill, "sqs", settings)}


def left(settings: dict[str, Any]) -> int:
    """Return how many messages the queue has, taken or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = run(lambda client: client.get_queue_attributes(QueueUrl=settings["queue_url"], AttributeNames=names), "sqs", settings)
    return sum(int(answer["Attributes"][name]) for name in names)


class TestSqs:
    """What is taken from a queue is deleted once it is in Kafka."""

    def test_a_queue_is_emptied(self, aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        """All events are published, some of which came by SNS, and nothing is left."""
        monkeypatch.setattr("streams.connectors.live.sqs._WAIT_SECONDS", 0)
        bodies = [line.decode() for line in lines(CONTACT_EVENTS)]
        bodies[3] = orjson.dumps({"Type": "Notification", "MessageId": "m", "Message": bodies[3]}).decode()
        settings, ledger = filled(aws, "all", bodies), MemoryLedger(SOURCE)
        once(CONTACT_EVENTS, settings, ledger)
        assert left(settings) == 0
        assert not ledger.rejected
        check(ledger, hold=False, ring=False)

    def test_messages_that_kafka_refused_stay(self, aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Where Kafka takes one page and fails at the next, that stays in the queue, and the next process publishes it."""
        monkeypatch.setattr("streams.connectors.live.sqs._WAIT_SECONDS", 0)
        monkeypatch.setattr("streams.connectors.live.sqs._HIDDEN_SECONDS", 0)
        monkeypatch.setattr("streams.connectors.live.sqs._PAGE_MESSAGES", 10)
        bodies = [line.decode() for line in lines(CONTACT_EVENTS)]
        settings, ledger = filled(aws, "failing", bodies), _Failing(SOURCE, 1)
        with pytest.raises(NotPublishedError):
            once(CONTACT_EVENTS, settings, ledger)
        assert left(settings) == len(bodies) - 10
        ledger.left = 1_000
        once(CONTACT_EVENTS, settings, ledger)
        assert left(settings) == 0
        check(ledger, hold=False, ring=False)

    def test_an_invalid_event_is_rejected_alone(self, aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        """A message of another sender becomes a dead letter and leaves the queue; otherwise it would arrive for ever."""
        monkeypatch.setattr("streams.connectors.live.sqs._WAIT_SECONDS", 0)
        settings, ledger = filled(aws, "noise", ["hello", "[]", lines(CONTACT_EVENTS)[0].decode()]), MemoryLedger(SOURCE)
        once(CONTACT_EVENTS, settings, ledger)
        assert [each.reason for each in ledger.rejected] == ["missing_field", "missing_field"]
        assert len(published(ledger)) == 1
        assert left(settings) == 0

    def test_a_queue_that_is_not_there(self, aws: dict[str, str]) -> None:
        """It is refused, with an error."""
        with pytest.raises(PollError) as failed:
            once(CONTACT_EVENTS, {**aws, "queue_url": f"{aws['endpoint_url']}/123456789012/none"}, MemoryLedger(SOURCE))
        assert failed.value.reason == "refused"


def test_event_streams_of_twilio_by_kinesis(aws: dict[str, str]) -> None:
    """CloudEvents one by one, as its sink writes them."""
    stream, ledger = Stream(aws, "twilio"), MemoryLedger(SOURCE)
    events = orjson.loads(fixture("twilio-event-streams", "three-calls.json"))
    stream.put([orjson.dumps(each) for each in events])
    once("twilio-event-streams", {name: value for name, value in stream.settings.items() if name != "queues"}, ledger)
    assert not ledger.rejected
    assert set(published(ledger).values()) == {1}
    wanted = three_calls(hold=False, arrival=False)
    journal = [event.model_copy(update={"received_at": event.occurred_at}) for event in ledger.events if event.type != "source.heartbeat"]
    found = figures(counted(journal), wanted, {"support": "Care", "billing": "Accounts"})
    for scope, values in wanted.items():
        assert found[scope] == pytest.approx(values), scope


class TestGenesys:
    """Genesys Cloud's events come by EventBridge and SQS too."""

    def test_a_queue_is_emptied(self, aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        """All events are published, and nothing is left."""
        monkeypatch.setattr("streams.connectors.live.sqs._WAIT_SECONDS", 0)
        bodies = [line.decode() for line in lines("genesys-cloud")]
        given = {"queues": {"q-care": "support", "q-accounts": "billing"}}
        settings, ledger = filled(aws, "genesys", bodies) | given, MemoryLedger(SOURCE)
        once("genesys-cloud", settings, ledger)
        assert left(settings) == 0
        assert not ledger.rejected
        wanted = three_calls()
        journal = [
            event.model_copy(update={"received_at": event.occurred_at}) for event in ledger.events if event.type != "source.heartbeat"
        ]
        found = figures(counted(journal), wanted, {})
        for scope, values in wanted.items():
            assert found[scope] == pytest.approx(values), scope


def test_a_page_of_sqs_holds_complete_batches() -> None:
    """Messages are received and deleted ten at a time."""
    assert _PAGE_MESSAGES % _MOST_AT_ONCE == 0


@pytest.mark.parametrize("missing", ["region", "stream"])
def test_settings_that_are_needed(missing: str) -> None:
    """Without them the connector does not start, and names them."""
    settings = {"region": "eu-central-1", "stream": "s"} | {missing: ""}
    with pytest.raises(ValueError, match=missing):
        asyncio.run(poll_once(RECORDS, settings, MemoryLedger(SOURCE), Clock(datetime.now(UTC))))
