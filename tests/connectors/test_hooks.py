"""Webhooks as platforms meet them: real HTTP to a gateway, with a Kafka of lists behind it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from streams.configuration.connectors import ConnectorsError
from streams.connectors import platforms
from streams.connectors.configured import BY_TOKEN, Configured, hook_problem, read_connectors
from streams.connectors.gateway import MAX_REQUEST_BYTES
from streams.connectors.kit.answers import Answers
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Context, Draft, Record, Seen
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.verification import Verification
from streams.connectors.kit.verifying import Delivery, signature
from streams.connectors.senders import Senders
from streams.connectors.watched_files import WatchedConnectors, WatchedFiles
from tests.support import gateways
from tests.support.gateways import CONTACTS, NOON, SlowPublisher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

DEAD_LETTERS = "contactcenter.contact-events-dead-letters.v1"
SECRET = "a-secret-of-some-length"
VERIFY_TOKEN = "said-back-by-the-platform"
SCHEME = Verification(
    header="X-Signature", prefix="sha256=", signed="timestamp.body", timestamp_header="X-Timestamp", tolerance_seconds=300
)


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    fields = Fields(record.content, context.zone)
    yield {
        "type": "contact.queued",
        "event_id": fields.need("id"),
        "occurred_at": fields.need_time("at"),
        "conversation_id": fields.need("call"),
        "queue": context.settings["queue"],
    }


BELL = Connector(
    name="bell",
    title="Bell",
    family="telephone",
    delivery="live",
    ways=("webhook",),
    kinds={"ring": "contact.queued"},
    ignored={"noise": "nothing rings"},
    read=json_records,
    kind=lambda record: Fields(record.content).need("kind"),
    translate=_translate,
    reports={"queue": ""},
    personal=("caller",),
    verification=SCHEME,
)


def configured(connector: Connector, source: str = "bell", **fields: Any) -> Configured:
    """Return a connector as a file would have it followed."""
    return Configured(
        **{
            "source": source,
            "connector": connector,
            "context": Context(source=source, settings={"queue": "sales"}),
            "site": "berlin",
            "secrets": (SECRET,),
            "credentials": {},
            "verify_token": VERIFY_TOKEN,
            "hook_url": f"https://hooks.example.com/v1/hooks/{source}",
            "verification": connector.verification,
            **fields,
        }
    )


class House(gateways.House):
    """A gateway that platforms call."""

    async def post(self, body: object, source: str = "bell", *, at: float | None = None, **kwargs: Any) -> tuple[int, dict[str, Any]]:
        """Send a signed delivery; return status and answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        stamp = f"{self.clock.now().timestamp() if at is None else at:.3f}"
        there = {"X-Timestamp": stamp}
        there["X-Signature"] = signature(SCHEME, SECRET, Delivery(data, there, {}, ""))
        return await self.send("POST", source, data, **{"headers": there, **kwargs})

    async def send(self, method: str, source: str, body: bytes = b"", query: str = "", **kwargs: Any) -> tuple[int, dict[str, Any]]:
        """Send anything; return status and answer."""
        url = f"{self.address}/v1/hooks/{source}{query}"
        async with self.session.request(method, url, data=io.BytesIO(body) if body else None, **kwargs) as response:
            text = await response.text()
            self.headers = response.headers
            is_json = response.content_type == "application/json" and text
            return response.status, json.loads(text) if is_json else {"text": text}

    async def metrics(self) -> str:
        """Return what ``/metrics`` shows."""
        async with self.session.get(f"{self.address}/metrics") as response:
            return await response.text()


def inside(scenario: Callable[[House], Awaitable[None]], *connectors: Configured, senders: Senders | None = None, **kwargs: Any) -> None:
    """Run a scenario in a house with these connectors."""
    by_source = {each.source: each for each in connectors or (configured(BELL),)}
    gateways.inside(scenario, gateways.running(House, senders or Senders(), connectors=by_source, **kwargs))


def ring(number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return a record that becomes an event."""
    return {"kind": "ring", "id": f"e{number}", "call": f"c{number}", "at": "2026-03-02T11:59:59Z", "caller": "+4930901820", **fields}


def test_a_verified_delivery_is_translated_stamped_and_acknowledged() -> None:
    """Source, site and time of receipt are stamped; ignored and rejected records are counted in the answer."""

    async def scenario(there: House) -> None:
        assert await there.post([ring(), ring(2), {"kind": "noise"}]) == (200, {"events": 2, "ignored": 1, "rejected": 0})

        first, _ = there.published()
        assert (first["source"], first["site"], first["received_at"]) == ("bell", "berlin", "2026-03-02T12:00:00.000Z")
        assert (first["event_id"], first["queue"]) == ("e1", "sales")

    inside(scenario)


def test_an_unverified_delivery_has_no_effect() -> None:
    """No event, no dead letter: only the count of what was refused."""

    async def scenario(there: House) -> None:
        assert (await there.send("POST", "bell", b"{}"))[0] == 401
        assert (await there.post(ring(), headers={"X-Timestamp": "1", "X-Signature": "sha256=00"}))[0] == 403
        assert (await there.post(ring(), at=NOON.timestamp() - 301))[0] == 403
        assert not there.published()
        assert DEAD_LETTERS not in there.publisher.records
        metrics = await there.metrics()
        for reason in ("no_signature", "wrong_signature", "stale"):
            assert f'contact_center_gateway_hook_deliveries_total{{outcome="{reason}",source="bell"}} 1.0' in metrics

    inside(scenario)


def test_an_accepted_delivery_is_refused_when_replayed_and_a_failed_one_is_accepted() -> None:
    """Kafka is away at first: the sender is asked to retry the same delivery, and may."""

    async def scenario(there: House) -> None:
        there.publisher.down = True
        status, answer = await there.post(ring())
        assert (status, answer["reason"]) == (503, "kafka_unreachable")
        assert 0 < int(there.headers["Retry-After"]) < 60
        there.publisher.down = False

        assert (await there.post(ring()))[0] == 200
        status, answer = await there.post(ring())
        assert (status, answer["reason"]) == (403, "replayed")
        assert len(there.published()) == 1

    inside(scenario)


def test_rejected_records_are_dead_letters_without_personal_values_and_do_not_fail_the_delivery() -> None:
    """They would come no better again; the others of the delivery count."""

    async def scenario(there: House) -> None:
        body = [ring(), ring(2, at="yesterday"), {"kind": "new", "caller": "+4930901820"}, ring(3, call="x" * 300)]

        assert await there.post(body) == (200, {"events": 1, "ignored": 0, "rejected": 3})

        dead_letters = there.publisher.records[DEAD_LETTERS]
        assert [dead_letter.headers["dead-letter-reason"].decode() for dead_letter in dead_letters] == [
            "bad_time",
            "unknown_kind",
            "not_permitted",
        ]
        assert {dead_letter.headers["dead-letter-origin"] for dead_letter in dead_letters} == {b"hooks/bell"}
        assert all(b"4930901820" not in dead_letter.value + b"".join(dead_letter.headers.values()) for dead_letter in dead_letters)
        metrics = await there.metrics()
        assert 'contact_center_gateway_events_rejected_total{reason="bad_time",sender="/hooks/bell"} 1.0' in metrics
        assert 'contact_center_gateway_hook_records_total{became="rejected",source="bell"} 3.0' in metrics

    inside(scenario)


def test_an_unreadable_delivery_fails_and_becomes_a_dead_letter() -> None:
    """Its sender learns that it sends what is none of this platform's; no byte of it is kept, for none was looked at."""

    async def scenario(there: House) -> None:
        status, answer = await there.post(b"name=Erika Mustermann")
        assert (status, answer["reason"]) == (400, "not_json")
        (dead_letter,) = there.publisher.records[DEAD_LETTERS]
        assert dead_letter.value == b""
        assert (await there.post([]))[0] == 200, "no records are nothing wrong"

    inside(scenario)


def test_bodies_too_large_encoded_or_of_no_hook_are_refused() -> None:
    """As senders' are."""

    async def scenario(there: House) -> None:
        assert (await there.post(b"x" * (MAX_REQUEST_BYTES + 1)))[0] == 413
        assert (await there.post(ring(), source="other"))[0] == 404
        gzip = {"X-Timestamp": "1", "X-Signature": "x", "Content-Encoding": "gzip"}
        assert (await there.send("POST", "bell", b"\x1f\x8b", headers=gzip))[0] == 415
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            assert (await there.send(method, "bell"))[0] == 405, method
        assert (await there.send("GET", "../../metrics"))[0] in {200, 404}

    inside(scenario)


def test_with_webhooks_events_need_a_token() -> None:
    """What platforms reach through a proxy, others reach too: no request without a token is taken, not on the loopback address either."""

    async def scenario(there: House) -> None:
        async with there.session.post(f"{there.address}/v1/events", data=b"{}") as response:
            assert response.status == 401

    inside(scenario)


def test_a_hook_over_its_rate_gets_retry_after_and_harms_no_other() -> None:
    """Its rate is its own; the wait in its answer is under a minute, or some senders would not retry."""

    async def scenario(there: House) -> None:
        assert (await there.post([ring(number) for number in range(200)]))[0] == 200
        assert (await there.post(ring(201)))[0] == 200
        status, answer = await there.post([ring(number) for number in range(200, 1_500)], at=NOON.timestamp() + 1)
        status, answer = await there.post(ring(1_501), at=NOON.timestamp() + 2)
        assert (status, answer["reason"]) == (429, "too_many")
        assert 0 < int(there.headers["Retry-After"]) < 60
        assert (await there.post(ring(), source="other"))[0] == 200

    inside(scenario, configured(BELL), configured(BELL, "other"), events_per_second=10, burst_events=300)


def test_a_delivery_that_cannot_be_published_in_the_senders_time_is_answered_within_it() -> None:
    """So that it comes again, in place of being given up; the sender's time is the connector's."""
    slow = replace(BELL, answers=Answers(within_seconds=0.2))

    async def scenario(there: House) -> None:
        assert isinstance(there.publisher, SlowPublisher)
        there.publisher.gate.clear()
        began = asyncio.get_running_loop().time()
        status, answer = await there.post(ring())
        assert (status, answer["reason"]) == (503, "too_slow")
        assert asyncio.get_running_loop().time() - began < 2
        there.publisher.gate.set()
        assert (await there.post(ring()))[0] == 200

    inside(scenario, configured(slow), publisher=SlowPublisher)


def test_nothing_is_complete_beyond_a_delivery_in_flight() -> None:
    """Heartbeats of a hook's source end where its oldest delivery arrived; a journal's have none."""
    journal = configured(replace(BELL, delivery="journal"), "journal")

    async def scenario(there: House) -> None:
        publisher = there.publisher
        assert isinstance(publisher, SlowPublisher)

        async def complete() -> dict[str, str]:
            publisher.records.clear()
            await there.gateway.beat()
            beats = [json.loads(kept.value) for kept in publisher.records[CONTACTS] if kept.partition == 0]
            return {beat["source"]: beat["complete_through"] for beat in beats}

        assert await complete() == {"bell": "2026-03-02T11:59:58.000Z"}
        publisher.gate.clear()
        delivery = asyncio.create_task(there.post(ring()))
        await asyncio.sleep(0.1)
        there.clock.seconds = 5
        gate, publisher.gate = publisher.gate, asyncio.Event()
        publisher.gate.set()
        assert await complete() == {"bell": "2026-03-02T11:59:58.000Z"}
        gate.set()
        assert (await delivery)[0] == 200
        assert await complete() == {"bell": "2026-03-02T12:00:03.000Z"}

    inside(scenario, configured(BELL), journal, publisher=SlowPublisher)


def test_each_sender_is_answered_as_it_wants() -> None:
    """204 without a body, HEAD, X's token to be signed, Facebook's text to echo to a sender that knows the verify token."""
    twilio = configured(replace(BELL, answers=Answers(accepted=204)), "twilio")
    monkey = configured(replace(BELL, answers=Answers(head=True)), "monkey")
    x = configured(replace(BELL, answers=Answers(challenge="crc")), "x")
    facebook = configured(replace(BELL, answers=Answers(challenge="hub")), "facebook")
    unset = configured(replace(BELL, answers=Answers(challenge="hub")), "unset", verify_token=None)

    def hub(token: str = VERIFY_TOKEN, challenge: str = "1158201444", mode: str = "subscribe") -> str:
        return "?" + urlencode({"hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge})

    async def scenario(there: House) -> None:
        assert await there.post(ring(), source="twilio") == (204, {"text": ""})
        assert (await there.send("HEAD", "monkey"))[0] == 200
        assert (await there.send("GET", "monkey"))[0] == 405
        # Computed with: printf %s a-token | openssl dgst -sha256 -hmac a-secret-of-some-length -binary | base64
        assert await there.send("GET", "x", query="?crc_token=a-token") == (
            200,
            {"response_token": "sha256=eWFyx53rJR6cwT6jj1JqX+uPfHYGFxaCbUgcCH10G8M="},
        )
        assert (await there.send("GET", "x"))[0] == 405
        assert await there.send("GET", "facebook", query=hub()) == (200, {"text": "1158201444"})
        assert there.headers["Content-Type"].startswith("text/plain")
        assert (await there.send("GET", "facebook", query=hub(token="another")))[0] == 403
        assert (await there.send("GET", "facebook", query=hub(mode="unsubscribe")))[0] == 403
        assert (await there.send("GET", "facebook", query=hub(challenge="<script>alert(1)</script>")))[0] == 400
        assert (await there.send("GET", "unset", query=hub()))[0] == 403
        assert (await there.send("GET", "unset", query=hub(token="")))[0] == 403

    inside(scenario, twilio, monkey, x, facebook, unset)


def test_a_secret_in_the_address_is_accepted_and_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Also where a delivery fails, and where the connector does."""
    by_token = Verification(kind="token", header="Authorization", prefix="Bearer ", query_parameter="token")
    caplog.set_level(logging.DEBUG)

    async def scenario(there: House) -> None:
        assert (await there.send("POST", "bell", json.dumps(ring()).encode(), query=f"?token={SECRET}"))[0] == 200
        assert (await there.send("POST", "bell", b"{", query=f"?token={SECRET}"))[0] == 400
        assert (await there.send("POST", "bell", b"{}", query=f"?token={SECRET}x"))[0] == 403
        there.publisher.down = True
        assert (await there.send("POST", "bell", json.dumps(ring()).encode(), query=f"?token={SECRET}"))[0] == 503
        assert SECRET not in await there.metrics()

    inside(scenario, configured(BELL, verification=by_token))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("streams")]
    assert any("could not be published" in message for message in ours), "the log was looked at"
    assert not any(SECRET in record.getMessage() for record in caplog.records)


def test_an_error_of_a_connector_is_a_dead_letter_and_no_failure() -> None:
    """A connector that raises, or makes an event that is none, ends nothing."""

    def broken(record: Record, context: Context) -> Iterator[Draft]:
        if record.content.get("raise"):
            raise RuntimeError(record.content["caller"])
        yield {**next(_translate(record, context)), "type": "contact.queued", "queue": ["no", "text"]}

    async def scenario(there: House) -> None:
        assert (await there.post([ring(**{"raise": 1}), ring()])) == (200, {"events": 0, "ignored": 0, "rejected": 2})
        dead_letters = there.publisher.records[DEAD_LETTERS]
        assert [dead_letter.headers["dead-letter-reason"] for dead_letter in dead_letters] == [b"not_understood", b"not_permitted"]
        assert all(b"4930901820" not in dead_letter.value + b"".join(dead_letter.headers.values()) for dead_letter in dead_letters)

    inside(scenario, configured(replace(BELL, translate=broken)))


def test_another_file_is_in_force_for_the_next_delivery() -> None:
    """A hook that is gone is 404, a new one is there, a new secret holds, and what was taken under the same one is still known."""

    async def scenario(there: House) -> None:
        assert (await there.post(ring()))[0] == 200
        there.gateway.take_connectors({"bell": configured(BELL, site="tokyo"), "new": configured(BELL, "new")})
        assert (await there.post(ring()))[1]["reason"] == "replayed"
        assert (await there.post(ring(), source="new"))[0] == 200
        there.gateway.take_connectors({"bell": configured(BELL, secrets=("another-secret-now",))})
        assert (await there.post(ring(2)))[1]["reason"] == "wrong_signature"
        assert (await there.post(ring(), source="new"))[0] == 404

    inside(scenario)


def test_connectors_that_no_webhook_can_serve_have_none(caplog: pytest.LogCaptureFixture) -> None:
    """One that compares, one that is not called, which is not logged, and one without a secret, of which the log warns."""
    caplog.set_level(logging.INFO)

    def compare(_: Record, seen: Seen | None, context: Context) -> Compared:
        return Compared([], seen)

    comparing = replace(BELL, translate=None, compare=compare, key=lambda record: record.origin)

    async def scenario(there: House) -> None:
        for source in ("comparing", "pulled", "open"):
            assert (await there.post(ring(), source=source))[0] == 404, source

    inside(
        scenario,
        configured(comparing, "comparing"),
        configured(replace(BELL, ways=("pull",)), "pulled"),
        configured(BELL, "open", secrets=()),
        configured(replace(BELL, ways=("webhook", "pull")), "asked", secrets=()),
    )
    logged = {(each.levelname, each.getMessage().split(" source=")[1]) for each in caplog.records if "No webhooks" in each.getMessage()}
    why = "reason=it names no secrets; write `secrets: [{env: NAME}]` under connectors"
    assert ("WARNING", f"open {why}.open") in logged
    assert ("INFO", f"asked {why}.asked") in logged
    assert {message.split()[0] for _, message in logged} == {"comparing", "open", "asked"}


def test_a_large_delivery_does_not_hold_up_others() -> None:
    """Thousands of records in one body are translated in a thread."""

    async def scenario(there: House) -> None:
        large = asyncio.create_task(there.post([ring(number) for number in range(8_000)]))
        await asyncio.sleep(0.05)
        began, asked = asyncio.get_running_loop().time(), 0
        while not large.done():
            assert (await there.send("GET", "bell"))[0] == 405
            asked += 1
        slowest = (asyncio.get_running_loop().time() - began) / max(asked, 1)
        assert (await large)[0] == 200
        assert slowest < 0.2

    inside(scenario, events_per_second=1e9, burst_events=1e9)


# ---- The file ----------------------------------------------------------------------------------------------------------------------------


def read(tmp_path: Path, text: str, **environment: str) -> dict[str, Configured]:
    """Return the connectors of a text."""
    return read_connectors(tmp_path / "connectors.yaml", text, environment=environment)


def test_a_file_configures_which_platforms_are_followed(tmp_path: Path) -> None:
    """Secrets come from the environment and from files, settings from the file over the connector's defaults."""
    (tmp_path / "line").write_text(f"{SECRET}\n", encoding="utf-8")
    text = """
public_url: https://hooks.example.com/
connectors:
  line-shop:
    connector: line
    site: tokyo
    zone: Asia/Tokyo
    secrets: [{env: NEW}, {file: line}]
    settings: {queue: LINE}
"""
    found = read(tmp_path, text, NEW="the-new-secret")["line-shop"]

    assert (found.secrets, found.site, str(found.context.zone)) == (("the-new-secret", SECRET), "tokyo", "Asia/Tokyo")
    assert found.context.settings == {"queue": "LINE", "channel": "social"}
    assert (found.hook_url, hook_problem(found)) == ("https://hooks.example.com/v1/hooks/line-shop", "")


def test_a_platform_that_signs_nothing_here_is_verified_by_a_token(tmp_path: Path) -> None:
    """By the file's word, in place of its own scheme; it needs no address then."""
    text = "connectors: {calls: {connector: twilio-taskrouter, verify_by: token, secrets: [{env: ONE}]}}"

    found = read(tmp_path, text, ONE=SECRET)["calls"]

    assert (found.verification, hook_problem(found)) == (BY_TOKEN, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("connectors:\n  a b: {connector: line}", ":2: connectors.a b: "),
        ("connectors:\n  a: {connector: lines}", ':2: connectors.a.connector: "lines" is none, did you mean line?; permitted: '),
        ("connectors:\n  a:\n    connector: line\n    zone: Nowhere", ":4: connectors.a.zone: unknown time zone"),
        (
            "connectors:\n  a:\n    connector: line\n    secrets:\n      - s3cr3t-s3cr3t",
            ":5: connectors.a.secrets.0: this file holds no secrets",
        ),
        ("connectors:\n  a:\n    connector: line\n    secrets: [{env: GONE}]", ":4: connectors.a.secrets.0: the variable GONE is not set"),
        (
            "connectors:\n  a:\n    connector: line\n    secrets: [{env: SHORT}]",
            ":4: connectors.a.secrets: a secret does not fit: a secret has",
        ),
        (
            "connectors:\n  a:\n    connector: line\n    secrets: [{file: gone}]",
            ":4: connectors.a.secrets.0: the file gone cannot be read: No",
        ),
        (
            "connectors:\n  a:\n    connector: line\n    secrets: [{env: A, file: b}]",
            ":4: connectors.a.secrets.0: names no location, or two",
        ),
        (
            "connectors:\n  a:\n    connector: line\n    secrets: [{value: s3cr3t-s3cr3t}]",
            ":4: connectors.a.secrets.0: not permitted; permitted: keys and values",
        ),
        (
            "connectors:\n  a:\n    connector: line\n    settings:\n      que: LINE",
            ":5: connectors.a.settings.que: line has no such setting, did",
        ),
        ("connectors:\n  a:\n    connector: line\n    settings:\n      queue: 5", ":5: connectors.a.settings.queue: permitted: a text"),
        ("connectors:\n  a:\n    conector: line", ":2: connectors.a.connector: required"),
    ],
)
def test_an_error_in_a_file_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """File, line, location, reason and what is permitted; a secret in it is not repeated."""
    with pytest.raises(ConnectorsError) as found:
        read(tmp_path, text, SHORT="short")

    assert f"connectors.yaml{message}" in str(found.value)
    assert "s3cr3t" not in str(found.value)


def test_a_platform_that_signs_its_address_needs_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy the gateway cannot know it, and does not trust a request's."""
    signing = replace(BELL, verification=Verification(header="X", algorithm="sha1", encoding="base64", signed="url+form"))
    monkeypatch.setattr(platforms, "connector", lambda _: signing)
    text = "connectors:\n  a:\n    connector: bell\n    secrets: [{env: ONE}]\n"

    with pytest.raises(ConnectorsError, match=r":4: connectors.a.secrets: Bell signs the address it calls: write `public_url`"):
        read(tmp_path, text, ONE=SECRET)
    assert read(tmp_path, f"public_url: https://h.example\n{text}", ONE=SECRET)["a"].hook_url == "https://h.example/v1/hooks/a"


def test_a_changed_file_is_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A valid one is in force; of one that is not the last good one stays, and the error is logged once, without a secret."""
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("ONE", SECRET)
    path = tmp_path / "connectors.yaml"
    path.write_text("connectors: {shop: {connector: line, secrets: [{env: ONE}]}}", encoding="utf-8")
    files = WatchedFiles(None, WatchedConnectors(path, 1_000))
    assert files.poll(2_000) is None
    assert files.status == "connectors: using 1 connectors of 1970-01-01T00:00:01.000Z"

    path.write_text("connectors: {shop: {connector: line, secrets: [{env: GONE}]}}", encoding="utf-8")
    assert files.poll(3_000, at_once=True) is None
    assert (files.valid, files.changed_ms) == (False, 3_000)
    assert "connectors.shop.secrets.0: the variable GONE is not set" in caplog.text
    assert files.status.startswith("connectors: refused, using 1 connectors")

    path.write_text("connectors: {shop: {connector: line, site: tokyo, secrets: [{env: ONE}]}}", encoding="utf-8")
    changes = files.poll(4_000, at_once=True)
    assert changes is not None
    assert changes.senders is None
    assert changes.connectors is not None
    assert changes.connectors["shop"].site == "tokyo"
    assert files.valid
    assert SECRET not in caplog.text

    # A secret that changed in the file: SIGHUP has it read at once.
    monkeypatch.setenv("ONE", "another-secret-now")
    changes = files.poll(5_000, at_once=True)
    assert changes is not None
    assert changes.connectors is not None
    assert changes.connectors["shop"].secrets == ("another-secret-now",)


def test_the_gateway_needs_no_secret_of_polled_platforms(tmp_path: Path) -> None:
    """Credentials are read by what asks the platform."""
    text = "connectors: {desk: {connector: freshdesk, credentials: {api_key: {env: GONE}}}}"

    assert read_connectors(tmp_path / "x", text, environment={}, credentials=False)["desk"].credentials == {}
    with pytest.raises(ConnectorsError, match="GONE is not set"):
        read_connectors(tmp_path / "x", text, environment={})
