"""The command of each polling connector is killed three times while its platform changes: Kafka has what an undisturbed one publishes.

The platforms are the fakes of `tests/connectors/live`, written from what is public of each; mails lie on a real Dovecot, files in a real
folder and on OpenSSH's SFTP server. Every step in between, and refused transactions, are in `tests/connectors/live/test_interrupted.py`.
"""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from schemas.topics import topic
from streams.configuration import Configuration
from streams.connectors import live
from streams.connectors.customer_keys import CUSTOMER_KEY_VARIABLE
from streams.connectors.platforms import connector
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.status import RunSettings
from streams.replay import Replay
from streams.worker import create_topics
from tests.connectors.live import going_on, test_interrupted, test_salesforce_service_cloud
from tests.connectors.live.going_on_mail import mailbox
from tests.connectors.live.test_next_engine import NOW
from tests.connectors.live.test_tempostar import sftp_server
from tests.faults.test_product_under_faults import SEED
from tests.support.connector_process import SharedClock
from tests.support.polling import poll_once, serving
from tests.support.services import until
from tests.support.topics import read
from tests.support.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.connectors.live.going_on import Made
    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults]

KILLS: Final = 3
#: Steps of a platform before it is first asked, and while it is.
_BEFORE, _MEANWHILE = 40, 40
_PAUSE_SECONDS: Final = 0.05
SOURCE: Final = "platform"


@dataclass(frozen=True, slots=True)
class Case:
    """A connector, and its platform that changes meanwhile."""

    name: str
    make: Any
    #: Constants of its module: so few records make a page here.
    short: dict[str, Any] = field(default_factory=dict)
    #: Why an event is published again, unchanged and with the same id, without a kill too; empty where each is published once.
    twice: str = ""


def sftp(clock: SharedClock, chance: random.Random, folder: Path, stack: ExitStack) -> Made:
    """TEMPOSTAR's files, by SFTP."""
    routes, step, settings = going_on.tempostar(clock, chance, folder)
    keys = folder / "keys"
    keys.mkdir()
    return routes, step, {**settings, **stack.enter_context(sftp_server(keys))}


_CHANGED: Final = "a record that was changed is published with all its steps"

CASES: Final = [
    Case("next-engine", test_interrupted.next_engine),
    Case("zendesk-export", test_interrupted.zendesk, twice=_CHANGED),
    Case("freshdesk", test_interrupted.freshdesk, {"_PAGE": 8}, _CHANGED),
    Case("oracle-b2c-service", test_interrupted.oracle, twice=_CHANGED),
    Case("salesforce-service-cloud", test_salesforce_service_cloud.going_on, {"_PAGE": 20}, _CHANGED),
    Case("surveymonkey", going_on.surveymonkey, {"_PAGE": 5}),
    Case("typeform", going_on.typeform, {"_PAGE": 8}),
    Case("qualtrics", going_on.qualtrics),
    Case("customerly", going_on.customerly, {"_PAGE": 5}),
    Case("maildealer", going_on.maildealer, twice=_CHANGED),
    Case("tempostar", going_on.tempostar),
    Case("tempostar", sftp),
    Case("twilio-taskrouter", going_on.twilio, twice="what was asked for last is asked for once more"),
    Case("zendesk-talk", going_on.talk, twice="the end of a page is the begin of the next"),
    Case("imap", mailbox, {"_PAGE_MAILS": 3}),
]

#: Connectors that poll, and are killed elsewhere or have no state to continue from → where, or why.
ELSEWHERE: Final = {
    "amazon-connect-contact-events": "SQS: tests/faults/test_amazon_is_killed.py",
    "amazon-connect-contact-records": "Kinesis: tests/faults/test_amazon_is_killed.py",
    "amazon-connect-agent-events": "Kinesis, by the same code as contact records",
    "twilio-event-streams": "Kinesis, by the same code as contact records",
    "genesys-cloud": "SQS, by the same code as contact events; its WebSocket does not repeat what happens meanwhile",
    "rasa": "reads Kafka by offsets that lie in the cursor: tests/connectors/live/test_rasa.py",
}


def test_no_connector_that_asks_is_left_out() -> None:
    """A new one gets a case here, or names where it is killed."""
    asking = {module.name for module in iter_modules(live.__path__) if hasattr(import_module(f"{live.__name__}.{module.name}"), "PULL")}
    assert {case.name for case in CASES} | set(ELSEWHERE) == {import_module(f"{live.__name__}.{name}").PULL.name for name in asking}


def ids_and_figures(events: list[dict[str, Any]]) -> tuple[set[tuple[str, str]], dict[str, Any]]:
    """Return the events by id and type, and the last version of each repeatable one, without when and with which request it was polled."""
    words: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("revision") is not None and event["revision"] >= words.get(event["event_id"], event)["revision"]:
            words[event["event_id"]] = event
    asked = {"occurred_at", "received_at", "revision", "customer_key"}
    return (
        {(event["event_id"], event["type"]) for event in events},
        {name: {key: value for key, value in event.items() if key not in asked and value is not None} for name, event in words.items()},
    )


def counted(events: list[dict[str, Any]]) -> Any:
    """Return the figures that come of events."""
    replay = Replay(Configuration(), figures_only=True)
    for event in sorted(events, key=lambda each: (each["occurred_at"], each["event_id"])):
        replay.add(
            orjson.dumps(event | {"received_at": event["occurred_at"]}), "customer" if event["type"].startswith("order.") else "contact"
        )
    return replay.finish()["totals"]


async def committed(bootstrap: str, prefix: str) -> list[dict[str, Any]]:
    """Return what is committed in every topic of events but the signs of life."""
    names = [topic(name).full_name(prefix) for name in ("contact-events.v1", "agent-events.v1", "customer-events.v1")]
    records = [record for name in names for record in await read(bootstrap, name)]
    return [event for event in (orjson.loads(record.value) for record in records) if event["type"] != "source.heartbeat"]


class Followed:
    """A platform that changes, and the process that polls it."""

    def __init__(self, case: Case, kafka: Cluster, folder: Path, workers: Workers, stack: ExitStack) -> None:
        self.chance = random.Random(SEED)
        self.clock = SharedClock(folder / "clock", NOW)
        extra = (stack,) if case.make in (sftp, mailbox) else ()
        self.routes, self.step, self.settings = case.make(self.clock, self.chance, folder, *extra)
        self.since = self.clock.now - timedelta(hours=1)
        self.case, self.kafka, self.workers = case, kafka, workers
        self.folder, self.progress = folder, folder / "progress"
        self.prefix = f"killed-{SEED}-{CASES.index(case)}"
        self.steps = 0

    def go_on(self) -> None:
        """Have something happen."""
        self.steps += 1
        self.step()

    @property
    def pages(self) -> int:
        """How many pages were read so far, by all processes."""
        return self.progress.stat().st_size if self.progress.exists() else 0

    def start(self, environment: pytest.MonkeyPatch, url: str) -> None:
        """Start the command for the first time."""
        platform = connector(self.case.name)
        names = {each.name for each in platform.credentials}
        known = {each.name for each in platform.settings}
        settings = {name: value for name, value in self.settings.items() if name not in names}
        if "url" in known:
            settings["url"] = url
        credentials = {name: {"env": f"OF_{name.upper()}"} for name in names & set(self.settings)}
        for name in credentials:
            environment.setenv(f"OF_{name.upper()}", str(self.settings[name]))
        environment.setenv(CUSTOMER_KEY_VARIABLE, "a-key-of-tests-that-is-long-enough-for-all")
        asked = {"since": self.since.isoformat(), "poll_seconds": 1}
        file = self.folder / "connectors.json"
        entry = {"connector": self.case.name, "settings": {**settings, **asked}, "credentials": credentials}
        file.write_bytes(orjson.dumps({"connectors": {SOURCE: entry}}))
        command = ["connector", "run", SOURCE, "--connectors", str(file), "--bootstrap", self.kafka.bootstrap, "--prefix", self.prefix]
        given = {"arguments": command, "platform": self.case.name.replace("-", "_"), "short": self.case.short}
        paced = {"clock": str(self.folder / "clock"), "progress": str(self.progress), "pause_seconds": _PAUSE_SECONDS}
        self.workers.start("connector", {**given, **paced})

    async def read_on(self, pages: int, *, going_on: bool) -> None:
        """Wait until ``pages`` more pages were read; the platform changes meanwhile."""
        last = first = self.pages
        for _ in range(3_000):
            if self.pages >= first + pages:
                return
            assert self.workers.alive("connector"), self.workers.log("connector")[-3000:]
            if self.pages > last and going_on and self.steps < _BEFORE + _MEANWHILE and self.chance.random() < 0.5:
                self.go_on()
            last = self.pages
            await asyncio.sleep(0.01)
        raise TimeoutError(self.workers.log("connector")[-3000:])


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id="tempostar-sftp" if case.make is sftp else case.name, marks=() if case.name == "freshdesk" else pytest.mark.nightly
        )
        for case in CASES
    ],
)
def test_killed_while_its_platform_changes(case: Case, kafka: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Must-show 6: nothing is lost, nothing counts twice, and the last word on each is the same."""

    async def scenario(followed: Followed) -> None:
        chance, workers = followed.chance, followed.workers
        await create_topics(kafka.bootstrap, followed.prefix)
        for _ in range(_BEFORE):
            followed.go_on()
        async with serving(lambda app: _unlimited(app, followed.routes)) as url:
            followed.start(monkeypatch, url)
            there: list[int] = []
            for _ in range(KILLS):
                await followed.read_on(chance.randint(1, 6), going_on=True)
                while len(there) == KILLS - 1 and not await committed(kafka.bootstrap, followed.prefix):
                    await followed.read_on(2, going_on=True)
                await asyncio.sleep(chance.uniform(0, 2 * _PAUSE_SECONDS))
                workers.kill("connector")
                there.append(len(await committed(kafka.bootstrap, followed.prefix)))
                followed.go_on()
                if len(there) < KILLS:
                    workers.start("connector")
            while followed.steps < _BEFORE + _MEANWHILE or followed.steps % 2:
                followed.go_on()
            followed.clock.now += timedelta(hours=1)
            clean = MemoryLedger(SOURCE)
            run = RunSettings(since=followed.since)
            await poll_once(case.name, {**followed.settings, "url": url}, clean, followed.clock, run=run)
            wanted = [event for event in map(_as_sent, clean.events) if event["type"] != "source.heartbeat"]
            workers.start("connector")
            events: list[dict[str, Any]] = []

            async def is_complete() -> bool:
                events[:] = await committed(kafka.bootstrap, followed.prefix)
                return ids_and_figures(events) == ids_and_figures(wanted)

            def missing() -> str:
                lost, more = (
                    ids_and_figures(wanted)[0] - ids_and_figures(events)[0],
                    ids_and_figures(events)[0] - ids_and_figures(wanted)[0],
                )
                return f"lost: {sorted(lost)[:5]}, more: {sorted(more)[:5]}\n{workers.log('connector')[-3000:]}"

            await until(is_complete, 40, missing)
            # What comes again would come now.
            await followed.read_on(2, going_on=False)
            assert workers.terminate("connector") == 0, workers.log("connector")[-3000:]
            assert await is_complete(), missing()
        again: dict[str, list[bytes]] = {}
        for event in events:
            if event.get("revision") is None:
                again.setdefault(event["event_id"], []).append(orjson.dumps({**event, "received_at": None}))
        most = max(map(len, again.values()), default=1)
        print(
            f"\nseed {SEED}: {case.name}: {len(wanted)} events; {there} at the kills; {followed.pages} pages; most often published {most}"
        )
        # It was killed while it worked, not before or after.
        assert there == sorted(there)
        assert 0 < there[-1] < len(events)
        assert len(wanted) > 20
        # Repeats of an event are equal.
        assert {name: words for name, words in again.items() if len(set(words)) > 1} == {}
        assert counted(events) == counted(wanted)
        assert most == 1 or case.twice

    with ExitStack() as stack, Workers(tmp_path, "tests.support.connector_process") as workers:
        asyncio.run(scenario(Followed(case, kafka, tmp_path, workers, stack)))


def _as_sent(event: Any) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(event.model_dump_json())
    return content


def _unlimited(app: Any, routes: Callable[[Any], None]) -> None:
    """Add a platform that wants no waits: how those are kept is tested with a clock that is set."""

    async def without(_: Any, response: Any) -> None:
        for name in [each for each in response.headers if "ratelimit" in each.lower()]:
            del response.headers[name]

    app.on_response_prepare.append(without)
    routes(app)
