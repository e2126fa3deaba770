"""What attacks have not broken: each with the tests that show it, here or elsewhere; these run on real servers, over raw sockets."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from schemas.alerts import AlertRecord
from schemas.base import MAX_SECONDS
from streams.commands.kafka_security import kafka_client_options
from streams.listening import ConnectionLimits, Connections, HttpServer, Listening
from streams.serving.api import create_app
from streams.serving.webhook import Webhook, session_of
from tests.commands.test_kafka_security import K, certificate
from tests.connectors.test_gateway import CRM, House, house, queued
from tests.serving.records import Backend, alert, small_center
from tests.support.gateways import CONTACTS
from tests.tracking.test_customers import CustomerHarness

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["certificate"]

ROOT = Path(__file__).parents[2]

HOSTS, TLS = "tests/listening/test_hosts.py", "tests/listening/test_tls.py"
GATEWAY, HERE = "tests/connectors/test_gateway.py", "tests/attacks/test_what_held.py"
DOOR, MATRIX, LOGIN = "tests/attacks/test_door.py", "tests/serving/test_matrix.py", "tests/serving/login"
TOKENS = f"{LOGIN}/provider/test_tokens.py"

#: What was tried → the tests that show that it does no harm.
HELD = {
    "missing, wrong, non-Bearer and query tokens": [
        f"{GATEWAY}::test_without_a_token_nothing_is_read",
        f"{HERE}::test_a_token_in_the_query",
    ],
    "foreign source": [f"{GATEWAY}::test_an_invalid_event_is_refused_with_its_reason"],
    "3 MB bodies, declared or chunked": [f"{GATEWAY}::test_too_large_a_request_is_refused_with_its_length_or_without"],
    "gzip bodies and transfer encodings": [f"{GATEWAY}::test_compressed_bodies_are_refused", f"{HERE}::test_bodies_in_doubtful_framing"],
    "CL+TE": [f"{HERE}::test_bodies_in_doubtful_framing"],
    "deep nesting": [f"{GATEWAY}::test_an_invalid_event_is_refused_with_its_reason", f"{HERE}::test_invalid_names"],
    "20 kB header, 200 headers": [f"{HERE}::test_heads_that_are_too_large"],
    "slow heads": ["tests/listening/test_connections.py::test_a_request_that_does_not_come_to_its_end_is_given_up"],
    "silent connections": [
        "tests/listening/test_connections.py::test_a_handler_may_take_its_time_and_a_connection_may_rest",
        f"{HERE}::test_a_connection_that_never_asks_is_closed",
    ],
    "packed batches that grow a thousandfold, or that are none, past the gateway": [
        "tests/attacks/test_packed.py::test_batches_that_cannot_be_read_take_no_memory_and_no_other_events",
        "tests/unpacking/test_batches.py::test_refusing_takes_little_memory",
    ],
    "slow bodies (408)": [f"{GATEWAY}::test_a_slow_body_is_dropped"],
    "path traversal": ["tests/serving/test_api.py::test_only_the_files_of_the_page", f"{HERE}::test_paths_that_lead_elsewhere"],
    "CR/LF in parameters": [f"{HERE}::test_line_ends_in_parameters"],
    "cross-origin reads": [f"{HERE}::test_pages_of_other_origins_read_nothing"],
    "script in queue names": [
        "tests/serving/test_page.py::test_names_are_text",
        "tests/serving/test_api.py::test_every_answer_is_locked_down",
    ],
    "NUL, newline, 10,000 characters, lone surrogates": [f"{HERE}::test_invalid_names"],
    "promtool check metrics on all three": [
        "tests/serving/test_exporter.py::test_promtool_reports_nothing",
        "tests/deploy/test_prometheus_on_demo.py::test_promtool_accepts_the_live_metrics",
    ],
    "events a day ahead": [f"{GATEWAY}::test_an_invalid_event_is_refused_with_its_reason", f"{HERE}::test_invalid_names"],
    "durations of ten years": [f"{HERE}::test_invalid_names"],
    "link cycles": [f"{HERE}::test_customers_linked_in_a_circle"],
    "YAML aliases and tags": [f"{HERE}::test_yaml_that_grows_or_runs"],
    "redirects of the webhook": [
        "tests/serving/test_delivery.py::test_a_receiver_that_is_down_or_fails_gets_everything_in_order",
        f"{HERE}::test_the_webhook_is_not_led_elsewhere",
    ],
    "a page whose name is turned to this machine (H8)": [
        f"{HOSTS}::test_a_rebound_page_reads_nothing_of_serve",
        f"{HOSTS}::test_a_rebound_page_reads_nothing_of_the_gateway",
        f"{HOSTS}::test_hosts",
        f"{HOSTS}::test_one_host_and_no_more",
    ],
    "changes asked for by pages of other origins": [f"{HOSTS}::test_pages_of_others_change_nothing"],
    "made-up X-Forwarded-For and -Proto": [
        f"{HOSTS}::test_only_a_proxy_is_trusted_to_forward",
        f"{HOSTS}::test_no_client_bypasses_the_proxy_in_plain_text",
    ],
    "TLS handshakes that never end, are none, or are asked for again": [
        f"{TLS}::test_who_never_ends_a_handshake_is_counted_and_dropped",
        f"{TLS}::test_handshakes_take_no_more_places_than_there_are",
        f"{TLS}::test_what_is_no_handshake_leaves_nothing_behind",
        f"{TLS}::test_a_client_cannot_ask_for_a_second_handshake",
    ],
    "secrets and ids in the access log": ["tests/listening/test_access_log.py::test_it_has_no_secret_and_no_id"],
    "another site's figures by any address, parameter, header, ETag, event, page, export, metric or error": [
        f"{MATRIX}::test_no_answer_reveals_what_is_hidden",
        f"{MATRIX}::test_hidden_names_are_answered_as_unknown_names",
        f"{MATRIX}::test_an_etag_does_not_change_with_hidden_records",
        f"{MATRIX}::test_no_event_reveals_how_busy_others_are",
    ],
    # And measured at night, in the same file.
    "how long what one may not see takes to be refused": [
        "tests/serving/test_timing.py::test_the_same_lines_run_for_what_is_hidden_and_for_what_is_not_there",
        "tests/serving/test_timing.py::test_a_lookup_that_reveals_something_is_noticed",
    ],
    "figures, people and ids of contacts for all who connect (H7)": [
        "tests/commands/test_listening_options.py::test_off_loopback_serve_wants_a_login_and_tls",
        "tests/serving/test_door.py::test_without_a_token_nothing_is_there",
        f"{MATRIX}::test_no_answer_reveals_what_is_hidden",
    ],
    "cookie theft by script": [
        f"{LOGIN}/test_browser.py::test_scripts_get_at_no_secret",
        f"{LOGIN}/test_login.py::test_the_cookies_are_for_this_host_and_no_script",
        f"{LOGIN}/provider/test_logins.py::test_what_a_browser_keeps_is_out_of_reach_of_scripts_and_of_other_sites",
        f"{LOGIN}/provider/test_logins.py::test_no_token_reaches_a_browser",
    ],
    "CSRF": [
        f"{LOGIN}/test_browser.py::test_other_sites_change_nothing",
        f"{LOGIN}/test_login.py::test_no_other_site_logs_in_or_out",
        f"{LOGIN}/test_kiosk.py::test_only_a_script_of_the_page_can_send_a_ticket",
        f"{LOGIN}/provider/test_logins.py::test_a_login_that_another_browser_began_is_refused",
        f"{HOSTS}::test_pages_of_others_change_nothing",
    ],
    "session fixation": [
        f"{LOGIN}/test_login.py::test_a_session_that_was_planted_is_not_taken_over",
        f"{LOGIN}/provider/test_logins.py::test_a_session_that_was_laid_into_a_browser_is_not_gone_on_with",
        f"{DOOR}::test_a_cookie_of_another_name_is_no_session",
    ],
    "token in an address": [f"{HERE}::test_a_token_in_the_query", f"{DOOR}::test_no_spelling_opens_more"],
    "token in a log": [
        f"{LOGIN}/test_login.py::test_no_secret_is_in_a_log",
        f"{LOGIN}/test_login.py::test_no_secret_is_in_the_access_log",
        f"{LOGIN}/provider/test_provider.py::test_no_log_line_holds_a_token",
        f"{HERE}::test_what_is_not_http_is_not_logged",
        "tests/listening/test_access_log.py::test_it_has_no_secret_and_no_id",
    ],
    "expired and not-yet-valid JWT": [
        f"{TOKENS}::test_access_tokens_with_wrong_claims_are_refused",
        f"{LOGIN}/provider/test_logins.py::test_a_token_ends_in_the_middle_of_what_it_opened",
    ],
    "alg: none": [f"{TOKENS}::test_tokens_without_a_signature_are_refused"],
    "wrong audience": [
        f"{TOKENS}::test_access_tokens_with_wrong_claims_are_refused",
        f"{LOGIN}/provider/test_provider.py::test_programs_show_access_tokens_for_the_configured_audience",
    ],
    "key confusion": [
        f"{TOKENS}::test_a_public_key_is_no_secret",
        f"{TOKENS}::test_keys_that_a_token_brings_along_are_passed_over",
        f"{TOKENS}::test_keys_with_another_purpose_sign_nothing",
    ],
    "rotated keys": [
        f"{TOKENS}::test_keys_are_taken_up_when_the_provider_changes_them",
        f"{LOGIN}/provider/test_provider.py::test_keys_may_change_under_a_session",
    ],
    "open redirect": [
        f"{LOGIN}/test_paths.py::test_all_else_leads_home",
        f"{LOGIN}/test_login.py::test_a_login_leads_to_this_server_alone",
        f"{LOGIN}/provider/test_logins.py::test_a_login_leads_to_this_server_alone",
    ],
    "addresses spelled otherwise, other methods, and headers of proxies": [f"{DOOR}::test_no_spelling_opens_more"],
    "cookies of other names, two of one name, planted sessions": [
        f"{DOOR}::test_a_cookie_of_another_name_is_no_session",
        f"{DOOR}::test_of_two_sessions_neither_is_accepted",
        f"{LOGIN}/test_login.py::test_a_session_that_was_planted_is_not_taken_over",
    ],
    "looks in another's name": [f"{DOOR}::test_no_foreign_page_reads_as_the_user"],
    "a link of a screen at two servers": [f"{LOGIN}/test_kiosk.py::test_two_servers_that_redeem_at_the_same_time_agree"],
    "guessing from many addresses, and which names there are": [
        f"{LOGIN}/test_throttle.py::test_ten_thousand_addresses_cannot_shut_a_user_out",
        f"{LOGIN}/test_login.py::test_errors_do_not_reveal_whether_a_name_exists",
        f"{LOGIN}/test_passwords.py::test_an_unknown_name_takes_as_long_as_a_known_one",
        f"{LOGIN}/test_passwords.py::test_few_are_verified_at_a_time_and_few_wait",
    ],
    "all event streams and scrapes for one account": [
        f"{DOOR}::test_one_account_does_not_take_the_streams_of_all",
        f"{DOOR}::test_one_account_does_not_take_the_scrapes_of_all",
    ],
    "all requests for one account": ["tests/serving/test_door.py::test_the_requests_of_one_account_are_limited"],
    "all silences for one account": [
        "tests/serving/alerting/test_actions.py::test_silences_are_bounded_for_each_account_and_for_all",
    ],
    "logins of elsewhere in the audit of a site": ["tests/serving/audit/test_places.py::test_an_auditor_of_a_part_reads_what_is_of_it"],
    "metrics of gateway, workers and connectors for all who connect": [
        "tests/serving/test_scraping.py::test_without_a_file_this_machine_alone_reads",
        "tests/serving/test_scraping.py::test_with_a_file_a_token_reads",
    ],
    "rows of the audit made up in a note": [f"{DOOR}::test_no_text_begins_a_line_of_a_table"],
    "sessions and screens of another site ended": [f"{DOOR}::test_a_manager_of_one_site_ends_no_session_of_another"],
    "Kafka's TLS host name": [f"{HERE}::test_a_broker_of_another_name", "tests/commands/test_kafka_security.py::TestVariables::test_ssl"],
}


def test_every_row_names_tests_that_are_collected() -> None:
    """A test that is renamed or taken out leaves its row without proof, and this fails."""
    named = sorted({name for names in HELD.values() for name in names})
    files = sorted({name.partition("::")[0] for name in named})
    arguments = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    collected = {line.partition("[")[0] for line in done.stdout.splitlines()}

    assert [name for name in named if name not in collected] == [], done.stdout[-2000:] + done.stderr[-2000:]


# ---- The gateway ---------------------------------------------------------------------------------------------------------------------


async def answer_to(address: str, request: bytes, *, seconds: float = 10) -> bytes:
    """Send bytes and return all that comes back, up to the end of the connection or a pause."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = b""
    try:
        async with asyncio.timeout(seconds):
            while b"\r\n\r\n" not in answer:
                chunk = await reader.read(65_536)
                if not chunk:
                    break
                answer += chunk
            head, _, body = answer.partition(b"\r\n\r\n")
            length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
            if length > len(body):
                answer += await reader.readexactly(length - len(body))
    finally:
        writer.close()
    return answer


def status_of(answer: bytes) -> int:
    """Return the status of an answer, 0 for none."""
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.") else 0


def head(*lines: str, path: str = "/v1/events", token: bool = True) -> bytes:
    """Return the head of a request to the gateway."""
    authorization = [f"Authorization: {CRM['Authorization']}"] if token else []
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *authorization, *lines, "", ""]).encode()


def at_gateway(scenario: Callable[[House], Awaitable[None]], **settings: Any) -> None:
    """Run a scenario with a gateway, which takes a good event at its end."""

    async def run() -> None:
        async with house(**settings) as there:
            await scenario(there)
            assert [event["event_id"] for event in there.published(CONTACTS)] == []
            assert (await there.post(queued("good")))[0] == 200

    asyncio.run(run())


def test_a_token_in_the_query() -> None:
    """It would appear in logs and histories; it is no token."""

    async def scenario(there: House) -> None:
        token = CRM["Authorization"].removeprefix("Bearer ")
        body = json.dumps(queued()).encode()
        for query in (f"token={token}", f"access_token={token}", f"Authorization=Bearer%20{token}"):
            request = head(f"Content-Length: {len(body)}", path=f"/v1/events?{query}", token=False) + body
            assert status_of(await answer_to(there.address, request)) == 401

    at_gateway(scenario)


def test_bodies_in_doubtful_framing() -> None:
    """Both lengths, two lengths, and encodings that are not known: refused, so that no proxy sees another request in it."""
    event = json.dumps(queued()).encode()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(event), event)
    second = head("Content-Length: 0", path="/healthz")

    async def scenario(there: House) -> None:
        for lines, body in (
            (("Content-Length: 5", "Transfer-Encoding: chunked"), chunked),
            (("Transfer-Encoding: chunked", f"Content-Length: {len(chunked)}"), chunked),
            (("Content-Length: 3", f"Content-Length: {len(event)}"), event),
            (("Content-Length: +5",), event),
            (("Content-Length: -1",), event),
            (("Transfer-Encoding: gzip, chunked",), chunked),
            (("Transfer-Encoding: gzip, chunked", "Content-Encoding: gzip"), chunked),
            (("Transfer-Encoding: chunked, identity",), chunked),
            (("Transfer-Encoding: xchunked",), chunked),
            (("Transfer-Encoding : chunked",), chunked),
        ):
            answer = await answer_to(there.address, head(*lines) + body + second)
            assert status_of(answer) in {400, 415, 501}, (lines, answer)

    at_gateway(scenario)


def test_heads_that_are_too_large() -> None:
    """A header of 20 kB is refused; 200 headers do no harm, and count for nothing."""

    async def scenario(there: House) -> None:
        body = json.dumps(queued()).encode()
        large = head("X-Long: " + "y" * 20_000, f"Content-Length: {len(body)}") + body
        assert status_of(await answer_to(there.address, large)) in {400, 431}
        many = head(*(f"X-{number}: y" for number in range(200)), "Content-Length: 0")
        assert status_of(await answer_to(there.address, many)) in {400, 431}

    at_gateway(scenario)


def test_what_is_not_http_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A head that is broken in the middle of a token is refused, and no log line quotes it."""
    broken = head("Content-Length: 0").replace(b"0123456789", b"01234\x0056789")

    async def scenario(there: House) -> None:
        assert status_of(await answer_to(there.address, broken)) == 400

    with caplog.at_level("DEBUG"):
        at_gateway(scenario)
    assert "crm-token" not in caplog.text


def test_a_connection_that_never_asks_is_closed() -> None:
    """A client that connects and sends nothing takes up room for a bounded time."""

    async def scenario(there: House) -> None:
        host, port = there.address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        began = time.monotonic()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        assert time.monotonic() - began < 8
        writer.close()

    at_gateway(scenario, listening=Listening(limits=ConnectionLimits(idle_seconds=1, check_seconds=0.1)))


def test_invalid_names() -> None:
    """Each is refused with its reason and breaks nothing: characters, lengths, depth, times and durations."""
    tomorrow = "2026-03-03T12:00:00Z"
    ringing = {"type": "contact.offered", "agent": "ann"}
    bad = {
        b"NUL": queued(queue="sa\x00les"),
        b"newline": queued(queue="sa\nles"),
        b"10,000 characters": queued(queue="x" * 10_000),
        b"an id of 10,000 characters": queued(conversation_id="x" * 10_000),
        b"a day ahead": queued(occurred_at=tomorrow),
        b"ten years and a second": queued(**ringing, ring_seconds=MAX_SECONDS + 1),
        b"no number": queued(**ringing, ring_seconds="1e999"),
        b"minus": queued(**ringing, ring_seconds=-1),
    }
    values = [json.dumps(event).encode() for event in bad.values()]
    values += [
        rb'{"type":"contact.queued","event_id":"s","occurred_at":"2026-03-02T11:59:59Z","conversation_id":"c","queue":"\ud800"}',
        b'{"type":"contact.queued","event_id":"s","occurred_at":"2026-03-02T11:59:59Z","conversation_id":"c","queue":"\xed\xa0\x80"}',
        b'{"type":"contact.queued","a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"type":"contact.offered","ring_seconds":1e999}',
    ]

    async def scenario(there: House) -> None:
        for value in values:
            status, answer = await there.post(value)
            assert (status, answer["accepted"], answer["rejected"]) == (400, 0, 1), value[:100]
            assert answer["events"][0]["reason"]

    at_gateway(scenario)


# ---- The server of figures -----------------------------------------------------------------------------------------------------------


def at_serve(scenario: Callable[[str], Awaitable[None]]) -> None:
    """Run a scenario with a server of a small center."""

    async def run() -> None:
        connections = Connections()
        server = HttpServer(create_app(Backend.fed(small_center()).serving(connections=connections)), connections, shutdown_timeout=0.1)
        address = await server.start("127.0.0.1", 0)
        try:
            await scenario(address)
            assert status_of(await answer_to(address, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")) == 200
        finally:
            await server.stop()

    asyncio.run(run())


def test_paths_that_lead_elsewhere() -> None:
    """Nine forms of leaving the page's folder find nothing."""
    paths = (
        "/../api.py",
        "/../../../../../../etc/passwd",
        "/..%2fapi.py",
        "/%2e%2e/api.py",
        "/%2e%2e%2fapi.py",
        "/..%5capi.py",
        "/wallboard.js/../../api.py",
        "//etc/passwd",
        "/%00/../api.py",
    )

    async def scenario(address: str) -> None:
        for path in paths:
            answer = await answer_to(address, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert status_of(answer) in {400, 404}, (path, answer)
            assert b"import " not in answer
            assert b"root:" not in answer

    at_serve(scenario)


def test_line_ends_in_parameters() -> None:
    """They make no header of their own, and no second answer."""

    async def scenario(address: str) -> None:
        for path in ("/api/v1/alerts?state=x%0d%0aSet-Cookie:%20a=b", "/api/v1/figures?window=x%0d%0a%0d%0aHTTP/1.1%20200%20OK"):
            answer = await answer_to(address, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert status_of(answer) == 400
            first, _, body = answer.partition(b"\r\n\r\n")
            assert not any(line.lower().startswith((b"set-cookie", b"http/1.1 200")) for line in first.split(b"\r\n"))
            assert b"\r\n" not in body

    at_serve(scenario)


def test_pages_of_other_origins_read_nothing() -> None:
    """No answer permits another origin to read it, not to a preflight either; browsers keep it from pages that embed it."""

    async def scenario(address: str) -> None:
        for method in ("GET", "OPTIONS"):
            for path in ("/api/v1/figures", "/api/v1/events", "/metrics", "/"):
                request = (
                    f"{method} {path} HTTP/1.1\r\nHost: [::1]\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: GET\r\n\r\n"
                )
                answer = (await answer_to(address, request.encode())).lower()
                assert b"access-control-" not in answer
                assert b"cross-origin-resource-policy: same-origin" in answer

    at_serve(scenario)


# ---- Figures, files, webhook and broker ----------------------------------------------------------------------------------------------


def test_customers_linked_in_a_circle() -> None:
    """Keys that are linked in a circle, and one with itself, are one customer, counted once, in a time that is bounded."""
    harness = CustomerHarness()
    for key in ("a", "b", "c"):
        harness.order(key, 0)
    for key, other in (("a", "b"), ("b", "c"), ("c", "a"), ("a", "a"), ("b", "a")):
        harness.link(key, other, 1)
    began = time.monotonic()
    harness.through(2)

    # Three customers with an order each on day 0; one with three of them from day 1 on.
    assert [harness.day(day, "repeat_customer_rate") for day in range(3)] == [(0, 3), (1, 1), (1, 1)]
    assert time.monotonic() - began < 5


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 10)
)


TAGS = ("queues: !!python/object/apply:os.system ['touch taken']\n", "queues: !!binary aaaa\n")


@pytest.mark.parametrize("text", [BOMB, "a: &a [*a]\n", *TAGS], ids=["bomb", "itself", "code", "bytes"])
def test_yaml_that_grows_or_runs(text: str, tmp_path: Path) -> None:
    """Aliases of aliases, one of itself, and tags that name code: refused in seconds and little memory, and nothing is run."""
    (tmp_path / "center.yaml").write_text(text, encoding="utf-8")

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

    arguments = ["-m", "streams", "check", str(tmp_path / "center.yaml")]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        preexec_fn=little,
    )
    assert done.returncode not in {0, -9}
    assert "Traceback" not in done.stderr
    assert not (ROOT / "taken").exists()


def test_the_webhook_is_not_led_elsewhere() -> None:
    """An answer that points to another address is a failure; that address is never asked."""
    asked = []

    async def scenario() -> None:
        async def led_to(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(1)
            writer.close()

        async def receiver(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % elsewhere_port)
            await writer.drain()
            writer.close()

        elsewhere = await asyncio.start_server(led_to, "127.0.0.1", 0)
        elsewhere_port = elsewhere.sockets[0].getsockname()[1]
        first = await asyncio.start_server(receiver, "127.0.0.1", 0)
        webhook = Webhook(f"http://127.0.0.1:{first.sockets[0].getsockname()[1]}/", "a-secret-of-32-characters-0123456")
        record = AlertRecord.model_validate_json(alert()[1])
        async with session_of(webhook) as session:
            answer = await webhook.post(session, record, b"{}", time.time())
        assert (answer.status, answer.accepted) == (307, False)
        first.close()
        elsewhere.close()

    asyncio.run(scenario())
    assert asked == []


def test_a_broker_of_another_name(certificate: Path) -> None:
    """With an authority that is trusted a broker is, too, but under its own name alone."""
    options = kafka_client_options({f"{K}SECURITY_PROTOCOL": "SSL", f"{K}SSL_CAFILE": str(certificate / "ca.pem")})
    context: ssl.SSLContext = options["ssl_context"]
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate / "both.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def broker() -> None:
            for _ in range(2):
                client, _ = listening.accept()
                try:
                    ours.wrap_socket(client, server_side=True).close()
                except (ssl.SSLError, OSError):
                    client.close()

        thread = threading.Thread(target=broker, daemon=True)
        thread.start()
        address = listening.getsockname()
        with socket.create_connection(address, timeout=10) as plain, context.wrap_socket(plain, server_hostname="localhost"):
            pass
        with socket.create_connection(address, timeout=10) as plain, pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            context.wrap_socket(plain, server_hostname="broker.example")
        thread.join(10)
