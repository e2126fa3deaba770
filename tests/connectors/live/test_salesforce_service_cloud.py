"""Salesforce is polled by SOQL: cases and their history, mails, comments, work and presence.

The org is a fake, written from public descriptions of the REST API: a token for client credentials, `query` with pages that the answer
names, and the history of cases, in which a change of owner has two rows: one of names and one of ids.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from schemas.other import SourceHeartbeat
from streams.configuration import Configuration
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.failures import PollError
from streams.replay import Replay
from tests.support.polling import Clock, poll_once, serving

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable
    from pathlib import Path

    from tests.connectors.live.going_on import Made

NOW = datetime(2026, 4, 6, 9, tzinfo=UTC)
QUEUE, OTHER_QUEUE, AKI, BEN = (f"{kind}5g00000{name:0>8}" for kind, name in (("00G", "1"), ("00G", "2"), ("005", "A"), ("005", "B")))
SETTINGS = {"client_id": "key", "client_secret": "secret", "queues": {QUEUE: "billing", OTHER_QUEUE: "returns"}}
_QUESTION = re.compile(
    r"SELECT (?P<fields>[\w, .]+) FROM (?P<name>\w+) WHERE (?P<by>\w+) >= (?P<since>\S+?)(?P<more> AND .+?)? "
    r"ORDER BY (?P=by), Id LIMIT (?P<limit>\d+) OFFSET (?P<offset>\d+)"
)
_HISTORY = re.compile(
    r"SELECT [\w, .]+ FROM CaseHistory WHERE CaseId IN \((?P<ids>[\w', ]+)\) AND Field IN \([\w', ]+\) ORDER BY CreatedDate, Id"
)


def formatted(at: datetime) -> str:
    """Return a time as Salesforce writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


class Salesforce:
    """The fake."""

    def __init__(self, page: int = 2_000) -> None:
        self.page = page
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.tokens: set[str] = set()
        self.questions: list[str] = []
        self._rest: list[list[dict[str, Any]]] = []

    def put(self, name: str, number: str, at: datetime, **fields: Any) -> None:
        """Make a row or change it."""
        row = self.objects.setdefault(name, {}).setdefault(number, {"Id": number, "CreatedDate": formatted(at)})
        row.update(fields, SystemModstamp=formatted(at))

    def case(self, number: int, at: datetime, owner: str = QUEUE, **fields: Any) -> str:
        """Make a case."""
        case = f"5005g0000{number:06}"
        closed = {"IsClosed": False, "IsEscalated": False, "Status": "New", "ContactId": None, "SuppliedEmail": "anna@example.net"}
        self.put("Case", case, at, OwnerId=owner, Origin="Email", **closed | fields)
        return case

    def change(self, case: str, at: datetime, field: str, value: Any) -> None:
        """Change a case, with its history."""
        row, name = self.objects["Case"][case], {"Owner": "OwnerId"}.get(field, field)
        before = row[name]
        self.put("Case", case, at, **{name: value})
        pairs = [(before, value)] if field != "Owner" else [(f"name of {before}", f"name of {value}"), (before, value)]
        for old, new in pairs:
            number = f"0175g0000{len(self.objects.get('CaseHistory', {})):06}"
            history = {"CaseId": case, "Case": {"Origin": row["Origin"]}, "Field": field, "OldValue": old, "NewValue": new}
            self.put("CaseHistory", number, at, **history)

    async def token(self, request: web.Request) -> web.Response:
        """Give a token for the client's credentials."""
        form = await request.post()
        if (form["grant_type"], form["client_id"], form["client_secret"]) != ("client_credentials", "key", "secret"):
            return web.json_response({"error": "invalid_client"}, status=400)
        self.tokens.add(token := f"00D{len(self.tokens)}!token")
        return web.json_response({"access_token": token, "token_type": "Bearer"})

    async def query(self, request: web.Request) -> web.Response:
        """Answer SOQL as far as it is asked."""
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.json_response([{"errorCode": "INVALID_SESSION_ID"}], status=401)
        question = request.query["q"]
        self.questions.append(question)
        if "FROM CaseStatus" in question:
            return self._answer("CaseStatus", [{"Id": "01J", "ApiName": "Closed"}])
        if found := _HISTORY.fullmatch(question):
            ids = set(re.findall(r"'(\w+)'", found["ids"]))
            assert len(ids) <= 200
            rows = [row for row in self.objects.get("CaseHistory", {}).values() if row["CaseId"] in ids]
            return self._answer("CaseHistory", sorted(rows, key=lambda row: (row["CreatedDate"], row["Id"])))
        found = _QUESTION.fullmatch(question)
        assert found is not None, question
        since = formatted(datetime.fromisoformat(found["since"]))
        assert int(found["offset"]) <= 2_000
        rows = [row for row in self.objects.get(found["name"], {}).values() if row[found["by"]] >= since]
        rows.sort(key=lambda row: (row[found["by"]], row["Id"]))
        begin = int(found["offset"])
        return self._answer(found["name"], rows[begin : begin + int(found["limit"])])

    async def more(self, request: web.Request) -> web.Response:
        """Answer the page that an answer named."""
        assert request.headers["Authorization"].removeprefix("Bearer ") in self.tokens
        return self._page(self._rest[int(request.match_info["number"])])

    def _answer(self, name: str, rows: Iterable[dict[str, Any]]) -> web.Response:
        return self._page([{"attributes": {"type": name, "url": "/"}, **row} for row in rows])

    def _page(self, rows: list[dict[str, Any]]) -> web.Response:
        answer: dict[str, Any] = {"totalSize": len(rows), "done": len(rows) <= self.page, "records": rows[: self.page]}
        if not answer["done"]:
            answer["nextRecordsUrl"] = f"/services/data/v61.0/query/01g-{len(self._rest)}"
            self._rest.append(rows[self.page :])
        return web.json_response(answer)

    def routes(self, app: web.Application) -> None:
        """Add the addresses."""
        app.router.add_post("/services/oauth2/token", self.token)
        app.router.add_get("/services/data/v61.0/query", self.query)
        app.router.add_get(r"/services/data/v61.0/query/01g-{number:\d+}", self.more)


def going_on(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Cases come, some are seen late, go from one to another and are closed; mails and comments are written; agents take work."""
    org = Salesforce(page=3)

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(1, 40))
        for _ in range(chance.randint(1, 4)):
            case = org.case(len(org.objects.get("Case", {})), clock.now - timedelta(seconds=chance.choice([0, 1, chance.randint(0, 100)])))
            org.put(
                "EmailMessage", f"02s{case[3:]}", clock.now, ParentId=case, Incoming=True, MessageDate=formatted(clock.now), CreatedById=AKI
            )
        case = chance.choice(sorted(org.objects["Case"]))
        row = org.objects["Case"][case]
        org.change(case, clock.now, "Owner", chance.choice([each for each in (QUEUE, OTHER_QUEUE, AKI, BEN) if each != row["OwnerId"]]))
        if row["Status"] == "New":
            org.change(case, clock.now, "Status", chance.choice(["Working", "Closed"]))
        work = f"0Bz{case[3:]}"
        if work in org.objects.get("AgentWork", {}):
            org.put("AgentWork", work, clock.now, CloseDateTime=formatted(clock.now), Status="Closed")
        else:
            began = {"AssignedDateTime": formatted(clock.now), "AcceptDateTime": formatted(clock.now), "Status": "Opened"}
            org.put("AgentWork", work, clock.now, WorkItemId=case, UserId=AKI, OriginalQueueId=QUEUE, **began)

    return org.routes, step, SETTINGS


def ask(org: Salesforce, ledger: MemoryLedger, clock: Clock, *, rounds: int = 1, **changes: Any) -> None:
    """Ask the org as the connector does."""

    async def scenario() -> None:
        async with serving(org.routes) as url:
            await poll_once("salesforce-service-cloud", {**SETTINGS, "url": url, **changes}, ledger, clock, rounds=rounds)

    asyncio.run(scenario())


def events(ledger: MemoryLedger) -> list[tuple[float, str]]:
    """Return the published events but heartbeats, each once, in the order of time: seconds since NOW and the type."""
    found = {event.event_id: event for event in ledger.events if not isinstance(event, SourceHeartbeat)}
    return sorted(((event.occurred_at - NOW).total_seconds(), event.type) for event in found.values())


def life(org: Salesforce) -> str:
    """A mail to billing: to returns after a minute, Aki takes it after two, replies after five, closes it after ten."""
    case = org.case(1, NOW)
    for seconds, field, value in ((60, "Owner", OTHER_QUEUE), (120, "Owner", AKI), (120, "Status", "Working"), (600, "Status", "Closed")):
        org.change(case, NOW + timedelta(seconds=seconds), field, value)
    for number, seconds, incoming in ((1, 0, True), (2, 300, False)):
        at = NOW + timedelta(seconds=seconds)
        org.put("EmailMessage", f"02s5g000000000{number}", at, ParentId=case, Incoming=incoming, MessageDate=formatted(at), CreatedById=AKI)
    return case


LIFE = [
    (0.0, "contact.arrived"),
    (0.0, "contact.message"),
    (0.0, "contact.queued"),
    (60.0, "contact.queued"),
    (60.0, "contact.transferred"),
    (120.0, "contact.assigned"),
    (120.0, "contact.status_changed"),
    (300.0, "contact.message"),
    (600.0, "contact.status_changed"),
]


def test_a_case_that_ended_before_it_was_polled() -> None:
    """Its first owner and status are in the history alone. First reply after 300 s, resolved after 600 s."""
    org, ledger, clock = Salesforce(), MemoryLedger("desk"), Clock(NOW + timedelta(hours=1))
    life(org)
    ask(org, ledger, clock)

    assert events(ledger) == LIFE
    moved = [event.model_dump() for event in ledger.events if event.type == "contact.transferred"]
    assert [(event["from_queue"], event["to_queue"]) for event in moved] == [("billing", "returns")]
    replay = Replay(Configuration(), figures_only=True)
    for event in sorted(ledger.events, key=lambda each: each.occurred_at):
        if event.type.startswith("contact."):
            replay.add(event.model_dump_json(exclude_none=True).encode(), "contact")
    totals = replay.finish()["totals"]
    assert totals["first_response_time"]["value"] == 300.0
    assert totals["resolution_time"]["value"] == 600.0


def test_polled_again_and_again_it_publishes_the_same() -> None:
    """Polled after each change, in pages of one row, the published events are the same; no personal value is among them."""
    org, ledger, clock = Salesforce(page=1), MemoryLedger("desk"), Clock(NOW)
    case = org.case(1, NOW)
    org.put("EmailMessage", "02s5g0000000001", NOW, ParentId=case, Incoming=True, MessageDate=formatted(NOW), CreatedById=AKI)
    ask(org, ledger, clock)
    for seconds, field, value in ((60, "Owner", OTHER_QUEUE), (120, "Owner", AKI), (120, "Status", "Working"), (600, "Status", "Closed")):
        clock.now = NOW + timedelta(seconds=seconds)
        org.change(case, clock.now, field, value)
        ask(org, ledger, clock)
        if seconds == 120:
            clock.now = NOW + timedelta(seconds=300)
            org.put(
                "EmailMessage",
                "02s5g0000000002",
                clock.now,
                ParentId=case,
                Incoming=False,
                MessageDate=formatted(clock.now),
                CreatedById=AKI,
            )
            ask(org, ledger, clock)
    ask(org, ledger, clock)

    assert events(ledger) == LIFE
    # The customer's key is derived from the address; here it is the address.
    assert "anna" not in "".join(event.model_dump_json(exclude={"customer_key"}) for event in ledger.events)


def test_more_rows_than_a_page_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty-five cases of five seconds in pages of ten: each is published, also those that share the second in which a page ends."""
    monkeypatch.setattr("streams.connectors.live.salesforce_service_cloud._PAGE", 10)
    org, ledger, clock = Salesforce(), MemoryLedger("desk"), Clock(NOW + timedelta(hours=1))
    for number in range(25):
        org.case(number, NOW + timedelta(seconds=number // 5))
    ask(org, ledger, clock)

    assert [each for each in events(ledger) if each[1] == "contact.arrived"] == [(float(n // 5), "contact.arrived") for n in range(25)]


def test_an_org_without_omni_channel_is_not_polled_for_it() -> None:
    """Such an org refuses a question about objects that it does not have."""
    org, ledger, clock = Salesforce(), MemoryLedger("desk"), Clock(NOW)
    ask(org, ledger, clock, omni_channel=False)
    assert not [question for question in org.questions if "AgentWork" in question or "UserServicePresence" in question]
    ask(org, ledger, clock)
    assert [question for question in org.questions if "AgentWork" in question]


def test_a_wrong_secret_is_reported_without_it(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is published, and no log holds the secret."""
    org, ledger, clock = Salesforce(), MemoryLedger("desk"), Clock(NOW)
    life(org)
    with pytest.raises(PollError, match="400") as refused:
        ask(org, ledger, clock, client_secret="another-secret")

    assert events(ledger) == []
    assert "another-secret" not in caplog.text + str(refused.value)
