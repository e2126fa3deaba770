"""Every platform reports the same calls and tickets in its own form, and the same figures result: the matrix platform x figure.

``pytest tests/connectors/test_expected.py -rP -k matrix`` prints it; `tests/support/platforms.py` has the stories, and how figures follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from schemas.events import CONTACT_KINDS
from streams.connectors.kit.model import COUNTED_OF
from streams.connectors.platforms import connector
from tests.support.platforms import FIXTURES, SHARED, Row, counted, figures, three_calls, translated, two_tickets
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from schemas.base import Event
    from tests.support.platforms import Table

SEEDS = (1, 2, 3, 4, 5)

#: Of an agent's desktop: the unanswered call 2 is not seen, nor the agent who transferred call 3.
_SEEN_AT_AGENTS: dict[tuple[str, str], float | None] = {
    (scope, figure): None
    for scope in ("support", "billing", "all")
    for figure in ("offered", "abandoned", "service_level", "time_to_abandon", "transfer_rate")
}
#: And where only A's is reported, B's part of call 3 neither.
_SEEN_AT_ONE_AGENT = {
    ("support", "answered"): 1,
    ("support", "handled"): 1,
    ("support", "asa"): 10,
    ("support", "att"): 150,
    ("support", "average_hold"): 30,
    ("support", "acw"): 30,
    ("support", "aht"): 210,
    ("support", "first_response_time"): 10,
    ("billing", "first_response_time"): 10,
    ("all", "asa"): 10,
    ("all", "att"): (150 + 120) / 2,
    ("all", "average_hold"): 15,
    ("all", "acw"): (30 + 15) / 2,
    ("all", "aht"): (210 + 135) / 2,
    ("all", "first_response_time"): 10,
}

#: Of a transferred call Talk reports the last group alone: call 3 is billing's, with both its legs.
_BY_LAST_GROUP: dict[tuple[str, str], float | None] = {
    ("support", "offered"): 2,
    ("support", "answered"): 1,
    ("support", "handled"): 1,
    ("support", "service_level"): 1 / 2,
    ("support", "asa"): 10,
    ("support", "non_response"): 1,
    ("support", "att"): 150,
    ("support", "average_hold"): 30,
    ("support", "acw"): 30,
    ("support", "aht"): 150 + 30 + 30,
    ("support", "transfer_rate"): 0,
    ("support", "first_response_time"): 20,
    ("billing", "service_level"): 0,
    ("billing", "asa"): 30,
    ("billing", "handled"): 2,
    ("billing", "non_response"): 1,
    ("billing", "acw"): (20 + 15) / 2,
    ("billing", "aht"): (140 + 135) / 2,
    ("billing", "transfer_rate"): 1 / 2,
    ("billing", "first_response_time"): 35,
}
#: And without legs it has one agent, for as long as all of them.
_BY_CALLS_ALONE: dict[tuple[str, str], float | None] = {
    **{(scope, figure): None for scope in ("support", "billing", "all") for figure in ("non_response", "transfer_rate")},
    ("billing", "handled"): 1,
    ("billing", "att"): 240,
    ("billing", "acw"): 35,
    ("billing", "aht"): 275,
}

#: A record has one queue, the first, and one talk, from the first answer to the end: of call 3 billing's wait of 10 s is in it.
_BY_RECORDS_OF_CALLS: dict[tuple[str, str], float | None] = {
    **{("billing", figure): None for figure in three_calls()["billing"]},
    **{(scope, "transfer_rate"): None for scope in ("support", "billing", "all")},
    ("support", "att"): (180 + 250) / 2,
    ("all", "att"): (180 + 250) / 2,
}

_OURS = {"support": "Care", "billing": "Accounts"}

#: One for each platform (or way of it) and story; add yours.
ROWS: tuple[Row, ...] = (
    Row(
        connector="freeswitch-callcenter",
        files=("three-calls.txt",),
        shared=("DERIVED.freeswitch.callcenter-info.lifecycle.txt",),
        expected=three_calls(hold=False, wrap_up=False, arrival=False),
        settings={"queues": {"support@default": "support", "billing@default": "billing"}},
    ),
    Row(
        connector="asterisk-ami",
        files=("three-calls.txt",),
        shared=("DERIVED.asterisk.ami.queue-lifecycle.txt",),
        expected=three_calls(wrap_up=False, arrival=False),
    ),
    Row(
        connector="amazon-connect-agent-events",
        files=("three-calls.jsonl",),
        expected=three_calls(arrival=False),
        but=_SEEN_AT_AGENTS,
        queues={"support": "Care", "billing": "Accounts"},
    ),
    Row(
        connector="amazon-connect-agent-events",
        title="amazon-connect-agent-events of one agent",
        files=("one-agent.jsonl",),
        shared=("DERIVED.amazon-connect.agent-events.lifecycle.jsonl",),
        expected=three_calls(arrival=False),
        but=_SEEN_AT_AGENTS | _SEEN_AT_ONE_AGENT,
    ),
    Row(
        connector="amazon-connect-contact-records",
        files=("three-calls.jsonl",),
        shared=("DERIVED.amazon-connect.ctr.lifecycle.jsonl",),
        expected=three_calls(ring=False),
        settings={"queues": {"q-care-01": "support", "q-acc-02": "billing"}},
    ),
    Row(
        connector="amazon-connect-contact-events",
        files=("three-calls.jsonl",),
        shared=("DERIVED.amazon-connect.contact-events.lifecycle.jsonl",),
        expected=three_calls(hold=False, ring=False),
        # The ARN alone is reported; the names are ours.
        settings={
            "queues": {"q-care-01": "support", "q-acc-02": "billing"}
            | {f"aaaaaaaa-0000-0000-0000-00000000000{number}": name for number, name in ((1, "support"), (2, "billing"))}
        },
    ),
    Row(
        connector="3cx-cdr",
        files=("three-calls.txt",),
        expected=three_calls(hold=False, wrap_up=False, arrival=False),
        but=_BY_RECORDS_OF_CALLS,
    ),
    Row(
        connector="zendesk",
        files=("two-tickets.jsonl",),
        shared=("DERIVED.zendesk.webhook.ticket-lifecycle.jsonl",),
        expected=two_tickets(csat=False),
    ),
    Row(
        connector="zendesk-export",
        files=("ticket-events.json", "ticket-metric-events.json", "satisfaction-ratings.json"),
        shared=(
            "DERIVED.zendesk.incremental.ticket-events.lifecycle.json",
            "DERIVED.zendesk.incremental.ticket-metric-events.lifecycle.json",
            "DERIVED.zendesk.satisfaction-ratings.json",
        ),
        expected=two_tickets(),
        # Good and bad are no marks: one of two is good.
        but={("all", "csat"): None},
    ),
    # Zendesk's own times of replies, without the tickets they are about.
    Row(
        connector="zendesk-export",
        title="zendesk-export: metric events",
        files=("ticket-metric-events.json",),
        shared=("DERIVED.zendesk.incremental.ticket-metric-events.lifecycle.json",),
        settings={"replies": "metric_events"},
        expected={"all": {"offered": 2, "first_response_time": (600 + 1200) / 2, "average_response_time": (600 + 600 + 900 + 1200) / 4}},
    ),
    Row(
        connector="intercom",
        files=("two-tickets.jsonl",),
        shared=("DERIVED.intercom.conversation-lifecycle.jsonl",),
        expected=two_tickets(),
    ),
    Row(
        connector="chatwoot",
        files=("two-tickets.jsonl",),
        shared=("DERIVED.chatwoot.webhook.conversation-lifecycle.jsonl",),
        expected=two_tickets(),
    ),
    # Asked once, at the end: the second resolution of T1 alone, and of its replies the first and the last.
    Row(
        connector="freshdesk",
        title="freshdesk, asked once",
        files=("tickets.json", "satisfaction-ratings.json"),
        shared=("DERIVED.freshdesk.tickets-with-stats.json", "DERIVED.freshdesk.satisfaction-ratings.json"),
        expected=two_tickets(reopened=False),
        but={
            ("all", "resolution_time"): (4500 + 1200) / 2,
            ("all", "average_response_time"): (600 + 900 + 1200) / 3,
            ("all", "exchanges_per_contact"): (2 + 1) / 2,
        },
    ),
    Row(
        connector="freshdesk",
        title="freshdesk, asked on every update",
        files=("tickets-as-asked.jsonl", "satisfaction-ratings.json"),
        expected=two_tickets(),
    ),
    # ROQL has no threads: nothing is known of replies, and of a reopening that was not seen.
    Row(
        connector="oracle-b2c-service",
        title="oracle-b2c-service: ROQL",
        files=("roql.json",),
        shared=("DERIVED.oracle-service-cloud.rest.roql-incidents.json", "DERIVED.oracle-service-cloud.rest.incident.json"),
        expected=two_tickets(reopened=False, messages=False),
        but={("all", "first_response_time"): None},
    ),
    Row(
        connector="oracle-b2c-service",
        title="oracle-b2c-service, with threads",
        files=("incidents-as-asked.jsonl",),
        expected=two_tickets(),
    ),
    Row(
        connector="genesys-cloud",
        files=("three-calls.jsonl",),
        shared=("DERIVED.genesys-cloud.eventbridge.detail-events.lifecycle.jsonl",),
        expected=three_calls(),
        settings={
            "queues": {"q-care": "support", "q-accounts": "billing"}
            | {f"e0000000-0000-0000-0000-00000000000{number}": name for number, name in ((1, "support"), (2, "billing"))}
        },
    ),
    Row(
        connector="twilio-event-streams",
        files=("three-calls.json",),
        expected=three_calls(hold=False, arrival=False),
        queues=_OURS,
    ),
    Row(
        connector="twilio-taskrouter",
        files=("three-calls.form.txt",),
        shared=("DERIVED.twilio-taskrouter.event-callbacks.lifecycle.form.txt",),
        expected=three_calls(hold=False, arrival=False),
        queues=_OURS,
    ),
    Row(
        connector="twilio-taskrouter",
        title="twilio-taskrouter by REST",
        files=("three-calls.rest.json",),
        expected=three_calls(hold=False, arrival=False),
        queues=_OURS,
    ),
    Row(
        connector="zendesk-talk",
        files=("three-calls.calls.json", "three-calls.legs.json"),
        shared=("DERIVED.zendesk.talk.incremental-calls.json", "DERIVED.zendesk.talk.incremental-legs.json"),
        expected=three_calls(),
        but=_BY_LAST_GROUP,
        settings={"queues": {"11": "support", "12": "billing", "1": "support", "2": "billing"}},
    ),
    Row(
        connector="zendesk-talk",
        title="zendesk-talk, calls alone",
        files=("three-calls.calls.json",),
        shared=("DERIVED.zendesk.talk.incremental-calls.json",),
        expected=three_calls(),
        but=_BY_LAST_GROUP | _BY_CALLS_ALONE,
        settings={"queues": {"11": "support", "12": "billing", "1": "support", "2": "billing"}, "legs": False},
        unknown=("ring", "transfer"),
    ),
    Row(
        connector="salesforce-service-cloud",
        files=("two-tickets.jsonl",),
        settings={"automated_users": ["005IU000000AutoYAK"]},
        expected=two_tickets(csat=False),
    ),
    # Of the customer's words only those that open a mail again are known, as its status.
    Row(
        connector="maildealer",
        files=("mails-as-asked.jsonl",),
        settings={
            "fields": {
                "id": "mail_no",
                "received_at": "recv_dt",
                "status": "state",
                "updated_at": "upd_dt",
                "replied_at": "reply_dt",
                "completed_at": "done_dt",
                "folder": "folder_name",
                "agent": "staff",
                "customer": "from_addr",
            }
        },
        expected=two_tickets(csat=False),
        but={("all", "average_response_time"): (600 + 900 + 1200) / 3, ("all", "exchanges_per_contact"): (1 + 1 + 1) / 3},
    ),
    Row(
        connector="imap",
        files=("two-tickets.jsonl",),
        expected=two_tickets(csat=False),
    ),
)


def rows(*which: bool) -> pytest.MarkDecorator:
    """Return the parameters of a test that is about all rows, or about those of which something holds."""
    chosen = [row for row, chosen in zip(ROWS, which or [True] * len(ROWS), strict=True) if chosen]
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in chosen])


def bodies(paths: Iterable[Path]) -> list[tuple[str, bytes]]:
    """Return origin and content of files."""
    return [(path.name, path.read_bytes()) for path in paths]


def tabulated(row: Row, paths: list[Path], seed: int | None = None) -> Table:
    """Return the figures of files; no record of them may be rejected."""
    platform = connector(row.connector)
    done = translated(platform, bodies(paths), settings=row.settings, seed=seed)
    assert done.events
    assert not done.rejected, done.rejected[0]
    # Configured as `connectors show` describes; a row may lack more than its platform.
    silent = [*platform.not_reported, *(figure for part in row.unknown for figure in COUNTED_OF[part])]
    result = counted(done.events, {**row.configuration, "sources": {done.events[0].source: {"not_reported": silent}}})
    assert result["late_events"] == 0
    assert not result["dead_letters"], result["dead_letters"][0]
    if platform.family == "telephone":
        # No event is inconsistent: an end without a beginning, a hold of no leg.
        assert result["totals"]["events_uncounted"]["value"] == 0
    queues = {} if SHARED in next(iter(paths)).parents else row.queues
    return figures(result, row.wanted(), queues)


def canonical_file(path: Path) -> list[Event]:
    """Return the events of a file of canonical events of contacts."""
    models = {str(model.model_fields["type"].default): model for model in CONTACT_KINDS}
    return [models[orjson.loads(line)["type"]].model_validate_json(line) for line in path.read_bytes().splitlines()]


def check(row: Row, found: Table) -> None:
    """Hold figures against what the row wants."""
    for scope, wanted in row.wanted().items():
        assert found[scope] == pytest.approx(wanted), scope


def fixtures(row: Row) -> list[Path]:
    """Return the files of a row that are ours."""
    return [FIXTURES / row.connector / name for name in row.files]


def samples(row: Row) -> list[Path]:
    """Return the files of a row that were collected."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    return [SHARED / name for name in row.shared]


@pytest.mark.parametrize(
    ("file", "story", "tickets"), [("three-calls", three_calls(), 0), ("two-tickets", two_tickets(), 2)], ids=["calls", "tickets"]
)
def test_story(file: str, story: Table, tickets: int) -> None:
    """In canonical events, the stories give the figures worked out by hand: what is compared is no invention of ours."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    events = canonical_file(SHARED / f"expected.{file}.canonical.jsonl")
    assert sum(event.type == "contact.status_changed" for event in events) >= tickets
    found = figures(counted(events), story, {})
    for scope, wanted in story.items():
        assert found[scope] == pytest.approx(wanted), scope


@rows()
def test_fixture(row: Row) -> None:
    """Our own files of the platform give the figures that were worked out by hand."""
    check(row, tabulated(row, fixtures(row)))


@rows(*(bool(row.shared) for row in ROWS))
def test_sample(row: Row) -> None:
    """So do the files that were collected."""
    check(row, tabulated(row, samples(row)))


@rows()
@pytest.mark.parametrize("seed", SEEDS)
def test_shuffled_and_repeated(row: Row, seed: int) -> None:
    """In any order, and with each record up to three times, they are the same."""
    check(row, tabulated(row, fixtures(row), seed))
    if SHARED.is_dir() and row.shared:
        check(row, tabulated(row, samples(row), seed))


def test_matrix() -> None:
    """Print platform x figure, as our own files give it; what is not compared there is left blank."""
    tables = [(row.name, tabulated(row, fixtures(row))) for row in ROWS]
    names = list(dict.fromkeys(figure for _, table in tables for values in table.values() for figure in values))
    lines = [["", "", *names]]
    for name, found in tables:
        lines += [[name, scope, *(_cell(values, figure) for figure in names)] for scope, values in found.items()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print(*(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))  # noqa: T201 - it is for people to read


def _cell(found: dict[str, float | None], figure: str) -> str:
    if figure not in found:
        return ""
    value = found[figure]
    return "null" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
