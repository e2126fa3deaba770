"""The demo: the whole product on one machine with a simulated contact center, as separate processes over an embedded broker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final

import aiohttp
import orjson

from schemas.times import format_ms
from schemas.topics import DEFAULT_PREFIX, TOPICS
from streams.configuration import load_configuration
from streams.connectors.customer_keys import CUSTOMER_KEY_VARIABLE
from streams.connectors.senders import TOKENS_VARIABLE, new_token
from streams.demo.broker import BrokerError, EmbeddedBroker
from streams.demo.day import OPEN_HOURS, configuration_text, opening_ms
from streams.demo.feeder import CAUGHT_UP, DRAINED, TOKEN_VARIABLE
from streams.demo.platforms import SIGNED_WITH, connectors_text
from streams.demo.processes import Child, ending, free_port, stop_all, tail
from streams.demo.recounting import Comparison, compare, load_oracle, read_events, record_counts, recount_events
from streams.demo.report import alerts, missing_figures, table
from streams.demo.scrape import Scrape
from streams.engine.topics import TopicSpec, ensure_topics
from streams.listening.tokens import hash_of
from streams.worker import FLOWS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["DemoSettings", "run_demo"]

_PREFIX: Final = DEFAULT_PREFIX
_READY_SECONDS: Final = 30.0
#: How long the feeder may take to publish its last heartbeats, and the figures to reach them.
_LAST_HEARTBEATS_SECONDS: Final = 30.0
_ARRIVAL_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.25
_REPORT_SECONDS: Final = 2.0
_CAUGHT_UP_SECONDS: Final = 10.0
_CATCH_UP_SECONDS: Final = 240.0
_SHOWN_DIFFERENCES: Final = 12

#: Topics that stay empty when all is well, or that the demo has no source for.
_DEAD_LETTERS: Final = {entry.dead_letters for entry in TOPICS if entry.dead_letters}
_MAY_BE_EMPTY: Final = frozenset(
    {
        "access-devices.v1",
        "alert-actions.v1",
        "alerts.v1",
        "alerts-latest.v1",
        "audit.v1",
        "connector-state.v1",
        "customer-facts.v1",
        *_DEAD_LETTERS,
    }
)

#: Windows of /metrics: the default ones, the day for the table at the end, and those about customers and forecasts.
_WINDOWS: Final = ("trailing_5m", "trailing_15m", "trailing_30m", "trailing_60m", "interval_30m", "day", "customers_day", "customers_month")

_INTERRUPTED: Final = 130

#: Parts without which the demo continues, and which it restarts after a while, as a supervisor would; and the effect meanwhile.
_DISPENSABLE: Final = {
    "gateway": "events of its senders wait for it, and the page shows that nothing arrives from them",
    "serve": "there is no page, and counting continues",
}
_RESTART_SECONDS: Final = 90.0
#: A restarted part that ends this soon does not work.
_MIN_LIFE_SECONDS: Final = 3.0
_LAST_LINES: Final = 5
#: A center that has been open for less is for quick trials: it has no day before, and so no forecast.
_LONG_OPEN_HOURS: Final = 3.0


class DemoError(RuntimeError):
    """The demo failed; the message states what failed and where to look."""

    def __init__(self, message: str, children: Sequence[Child] = ()) -> None:
        super().__init__(message)
        self.children = children


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """Settings of the demo; a port of 0 takes a free one."""

    #: End this long after the figures have caught up, with the recount; None: run until interrupted.
    seconds: float | None = None
    page_port: int = 0
    gateway_port: int = 0
    worker_port: int = 0
    seed: int = 1
    rate: int = 1
    open_hours: float = OPEN_HOURS
    #: Queues, teams, sites, alert rules and other entries to add to the demo's configuration.
    configuration: Path | None = None


def run_demo(settings: DemoSettings) -> int:
    """Run the demo; return the exit code: 0 success, 1 failure, 130 interrupted before it was up."""
    folder = Path(tempfile.mkdtemp(prefix="contact-streams-demo-"))
    try:
        code = asyncio.run(_run(settings, folder))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if code == 1:
        print(f"The logs of all processes are in {folder}.", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return code


async def _run(settings: DemoSettings, folder: Path) -> int:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
    demo = _Demo(settings, folder)
    try:
        async with EmbeddedBroker() as broker, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            try:
                return await demo.run(broker.bootstrap_servers, session)
            finally:
                # Before the broker stops: its clients would fill their logs with errors.
                demo.stop()
    except asyncio.CancelledError:
        print("\nStopped." if demo.is_up else "\nStopped before everything was up.", flush=True)
        return 0 if demo.is_up else _INTERRUPTED
    except BrokerError as error:
        print(f"FAILED: {error}", flush=True)
    except DemoError as error:
        print(f"\nFAILED: {error}", flush=True)
        for child in error.children:
            print(f"  The end of {child.log.name}:\n{tail(child.log)}", flush=True)
    return 1


def _command() -> str:
    """Return the command line of the command: its name only where a shell finds it."""
    installed = Path(sys.executable).with_name("contact-streams")
    if shutil.which("contact-streams") is not None or not installed.is_file():
        return "contact-streams"
    return os.path.relpath(installed)


class _Demo:
    def __init__(self, settings: DemoSettings, folder: Path) -> None:
        self.is_up = False
        self._settings = settings
        self._folder = folder
        self._began = time.monotonic()
        self._children: list[Child] = []
        #: Name → arguments; name → last start and number of starts; name → time of the next start of stopped parts.
        self._arguments: dict[str, list[str]] = {}
        self._started: dict[str, tuple[float, int]] = {}
        self._restart_at: dict[str, float] = {}
        #: Names of processes that are being stopped.
        self._stopping: set[str] = set()
        #: The gateway's metrics before it was stopped.
        self._gateway_scrape: Scrape | None = None
        self._page = f"http://127.0.0.1:{settings.page_port or free_port()}"
        self._gateway = f"http://127.0.0.1:{settings.gateway_port or free_port()}"
        self._worker = f"http://127.0.0.1:{settings.worker_port or free_port()}"
        # New at each start: the token of the gateway, the secret of platforms, and the key of customers.
        self._token = new_token()
        self._secrets = {TOKEN_VARIABLE: self._token, SIGNED_WITH: token_hex(32), CUSTOMER_KEY_VARIABLE: token_hex(32)}
        self._senders_file, self._connectors_file = folder / "senders.yaml", folder / "connectors.yaml"

    def stop(self) -> None:
        """End all processes."""
        stop_all(self._children)

    async def run(self, bootstrap: str, session: aiohttp.ClientSession) -> int:
        """Run to the end; raise DemoError."""
        self._try_ports()
        opened_ms = opening_ms(time.time_ns() // 1_000_000, self._settings.open_hours)
        configuration_file = self._folder / "configuration.yaml"
        configuration_file.write_text(configuration_text(opened_ms, self._settings.configuration), encoding="utf-8")
        specs = [TopicSpec(entry.full_name(_PREFIX), entry.partitions, 1, entry.config()) for entry in TOPICS]
        await ensure_topics(bootstrap, specs)
        self._start_all(bootstrap, configuration_file, opened_ms)
        print(
            f"A simulated contact center, open since {format_ms(opened_ms)[:16]}Z: starting the gateway, a worker and the server ...",
            flush=True,
        )
        await self._wait_until_up(session)
        print(
            f"  page     {self._page}/\n  metrics  {self._page}/metrics\n"
            f"  gateway  {self._gateway}/v1/events, with the header Authorization: Bearer {self._token}\n  kafka    {bootstrap}\n"
            f'  ask why  {_command()} explain "Orders 注文受付" service_level --url {self._page}',
            flush=True,
        )
        print(f"Up after {time.monotonic() - self._began:.1f} s; Ctrl-C ends it.", flush=True)
        self.is_up = True
        await self._watch(session)
        final_ms = await self._stop_sources(session)
        return await self._check_figures(bootstrap, session, configuration_file, final_ms)

    # ---- Starting ----------------------------------------------------------------------------------------------------------------

    def _try_ports(self) -> None:
        """Raise DemoError if a requested port is taken, before anything is started."""
        chosen = {
            "--port": self._settings.page_port,
            "--gateway-port": self._settings.gateway_port,
            "--worker-port": self._settings.worker_port,
        }
        for option, port in chosen.items():
            if port:
                try:
                    with socket.create_server(("127.0.0.1", port)):
                        pass
                except (OSError, OverflowError) as error:
                    raise DemoError(f"cannot listen on port {port}: {error}. Choose another {option}, 0 for a free one.") from error

    def _start_all(self, bootstrap: str, configuration_file: Path, opened_ms: int) -> None:
        config = ["--config", str(configuration_file)]
        kafka = ["--bootstrap", bootstrap]

        def port(url: str) -> list[str]:
            return ["--port", url.rpartition(":")[2]]

        # While the day so far is published nothing arrives through the gateway, which must not report heartbeats for later senders.
        self._senders_file.write_text("senders: {}\n", encoding="utf-8")
        self._connectors_file.write_text("connectors: {}\n", encoding="utf-8")
        files = ["--senders", str(self._senders_file), "--connectors", str(self._connectors_file)]
        self._start("gateway", ["-m", "streams", "gateway", *kafka, *port(self._gateway), *files])
        # Static membership: the embedded broker expires no member. It holds all records in memory, so they are compressed.
        worker = ["-m", "streams", "worker", *kafka, *config, *port(self._worker), "--instance-id", "demo", "--compression", "zstd"]
        self._start("worker", worker)
        self._start(
            "serve",
            ["-m", "streams", "serve", *kafka, *config, *port(self._page), "--windows", ",".join(_WINDOWS), "--explain", "--agents"],
        )
        feeder = ["-m", "streams.demo.feeder", *kafka, "--gateway", self._gateway, "--start-ms", str(opened_ms)]
        feeder += ["--seed", str(self._settings.seed), "--rate", str(self._settings.rate)]
        feeder += ["--record", str(self._folder / "events.jsonl"), "--summary", str(self._folder / "summary.json")]
        feeder += ["--day-before"] if self._settings.open_hours >= _LONG_OPEN_HOURS else []
        feeder += ["--wait-for-gateway"] if self._settings.seconds is None else []
        self._start("feeder", feeder)

    def _start(self, name: str, arguments: list[str]) -> None:
        number = self._started.get(name, (0.0, 0))[1] + 1
        self._arguments[name], self._started[name] = arguments, (time.monotonic(), number)
        log = self._folder / (f"{name}.log" if number == 1 else f"{name}-{number}.log")
        # Tokens of the user's environment would lock the feeder out of the demo's gateway.
        self._children.append(Child(name, arguments, log, {TOKENS_VARIABLE: "", **self._secrets}))

    def _open_gateway(self) -> None:
        """Permit senders and platforms: the gateway loads its changed files within seconds."""
        sender = f'senders:\n  demo:\n    tokens: [{{name: demo, hash: "{hash_of(self._token)}"}}]\n    sources: ["*"]\n'
        for file, text in ((self._senders_file, sender), (self._connectors_file, connectors_text(self._gateway))):
            complete = file.with_suffix(".new")
            complete.write_text(text, encoding="utf-8")
            complete.replace(file)

    def _child(self, name: str) -> Child:
        return next(child for child in self._children if child.name == name)

    def _supervise(self) -> None:
        """Print the feeder's output, and restart dispensable parts; raise DemoError if another process has ended."""
        for line in self._child("feeder").new_lines():
            print(f"  {line}", flush=True)
            if line.startswith(CAUGHT_UP):
                self._open_gateway()
            elif line == DRAINED:
                self._child("gateway").ask_to_stop()
        ended_children = [(child, child.code) for child in self._children if child.code is not None and child.name not in self._stopping]
        if not all(self._is_dispensable(child) for child, _ in ended_children):
            endings = "; ".join(f"the {child.name} {ending(code)}" for child, code in ended_children)
            raise DemoError(f"{endings}.", [child for child, _ in ended_children])
        for child, code in ended_children:
            self._children.remove(child)
            child.stop()
            self._restart_at[child.name] = time.monotonic() + _RESTART_SECONDS
            print(
                f"\nThe {child.name} {ending(code)}. The end of its log:\n{tail(child.log, _LAST_LINES)}\n"
                f"  The demo continues without it and restarts it in {_RESTART_SECONDS:g} s: {_DISPENSABLE[child.name]}.",
                flush=True,
            )
        for name in [name for name, at in self._restart_at.items() if time.monotonic() >= at]:
            del self._restart_at[name]
            self._start(name, self._arguments[name])
            print(f"The {name} is restarted.", flush=True)

    def _is_dispensable(self, child: Child) -> bool:
        """Return whether the demo continues without a process: not while it starts or proves figures, nor if it ends again at once."""
        at, number = self._started[child.name]
        works = number == 1 or time.monotonic() - at > _MIN_LIFE_SECONDS
        return self.is_up and self._settings.seconds is None and child.name in _DISPENSABLE and works

    async def _until(self, seconds: float, done: Callable[[], Awaitable[bool]]) -> bool:
        """Return whether ``done`` became true in time."""
        deadline = time.monotonic() + seconds
        while not await done():
            self._supervise()
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    async def _wait_until_up(self, session: aiohttp.ClientSession) -> None:
        async def up() -> bool:
            return await _answers(session, f"{self._page}/") and await _answers(session, f"{self._gateway}/readyz")

        if not await self._until(_READY_SECONDS, up):
            raise DemoError(f"page and gateway did not answer within {_READY_SECONDS:g} s.", self._children)

    # ---- Running -----------------------------------------------------------------------------------------------------------------

    async def _watch(self, session: aiohttp.ClientSession) -> None:
        """Supervise the processes until the time is over, which begins when the figures have caught up."""
        seconds = self._settings.seconds
        caught_up: float | None = None
        reported = 0.0
        while seconds is None or caught_up is None or time.monotonic() - caught_up < seconds:
            self._supervise()
            if seconds is not None and caught_up is None and time.monotonic() - self._began > _CATCH_UP_SECONDS:
                raise DemoError(f"the figures did not catch up within {_CATCH_UP_SECONDS:g} s.", self._children)
            if caught_up is None and time.monotonic() - reported >= _REPORT_SECONDS:
                reported = time.monotonic()
                as_of = await self._as_of(session)
                if as_of is not None:
                    if time.time() - as_of < _CAUGHT_UP_SECONDS:
                        caught_up = time.monotonic()
                    note = " ..." if caught_up is None else ": caught up." if seconds is None else f": caught up; it ends in {seconds:g} s."
                    print(f"  Figures as of {format_ms(int(as_of * 1000))[11:19]} UTC{note}", flush=True)
            await asyncio.sleep(_POLL_SECONDS)

    async def _scrape(self, session: aiohttp.ClientSession, url: str) -> Scrape | None:
        try:
            async with session.get(f"{url}/metrics", headers={"Accept": "text/plain"}) as response:
                return Scrape(await response.text()) if response.ok else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def _as_of(self, session: aiohttp.ClientSession) -> float | None:
        scrape = await self._scrape(session, self._page)
        return None if scrape is None else scrape.value("contact_center_as_of_timestamp_seconds")

    # ---- Ending ------------------------------------------------------------------------------------------------------------------

    async def _stop_sources(self, session: aiohttp.ClientSession) -> int:
        """Stop the feeder; return the instant through which it published everything."""
        print("Time is over: stopping the sources ...", flush=True)
        feeder, gateway = self._child("feeder"), self._child("gateway")
        self._gateway_scrape = await self._scrape(session, self._gateway)
        self._stopping = {feeder.name, gateway.name}
        feeder.ask_to_stop()

        async def ended() -> bool:
            return feeder.code is not None

        if not await self._until(_LAST_HEARTBEATS_SECONDS, ended):
            raise DemoError(f"the feeder did not end within {_LAST_HEARTBEATS_SECONDS:g} s.", [feeder])
        self._supervise()
        if feeder.code != 0:
            raise DemoError(f"the feeder {ending(feeder.code or 0)}.", [feeder])
        summary = orjson.loads((self._folder / "summary.json").read_bytes())
        final_ms: int = summary["final_ms"]
        return final_ms

    async def _check_figures(self, bootstrap: str, session: aiohttp.ClientSession, configuration_file: Path, final_ms: int) -> int:
        scrape: Scrape | None = None

        async def has_arrived() -> bool:
            nonlocal scrape
            scrape = await self._scrape(session, self._page)
            names = ("contact_center_as_of_timestamp_seconds", "contact_center_complete_through_timestamp_seconds")
            return scrape is not None and all(round((scrape.value(name) or 0) * 1000) == final_ms for name in names)

        if not await self._until(_ARRIVAL_SECONDS, has_arrived):
            as_of = "nothing" if scrape is None else f"{scrape.value('contact_center_as_of_timestamp_seconds')}"
            message = f"the served figures did not reach {format_ms(final_ms)} within {_ARRIVAL_SECONDS:g} s; the page served: {as_of}."
            raise DemoError(message, [self._child("worker"), self._child("serve")])

        problems: list[str] = []
        oracle = load_oracle()
        comparison: Comparison | None = None
        if oracle is None:
            problems.append("NOT RECOUNTED: tests/oracle is not importable here; run the demo from a checkout of the repository.")
        else:
            print("Reading all events back from the topics and recounting them ...", flush=True)
            configuration = load_configuration(configuration_file)
            events = await read_events(bootstrap, _PREFIX)
            recount = await asyncio.to_thread(recount_events, oracle, events, configuration)
            if recount.as_of_ms != final_ms or recount.complete_through_ms != final_ms:
                problems.append(
                    f"the topics end at {recount.as_of_ms} and are complete through {recount.complete_through_ms}, not at {final_ms}."
                )

            async def equal() -> bool:
                nonlocal scrape, comparison
                scrape = await self._scrape(session, self._page)
                if scrape is not None:
                    comparison = await asyncio.to_thread(compare, scrape, recount, configuration)
                return comparison is not None and not comparison.differences

            # The last windows may arrive after as-of.
            await self._until(_ARRIVAL_SECONDS / 3, equal)
            if comparison is not None:
                problems += _differences(comparison)
        if scrape is None:
            raise DemoError("the server does not answer any more.", [self._child("serve")])
        print(f"\n{table(scrape)}\n\n{alerts(scrape)}", flush=True)
        if comparison is not None:
            number = sum(map(len, events.values()))
            print(
                f"Recounted {number:,} records: {comparison.equal:,} served figures equal, {len(comparison.differences):,} not.", flush=True
            )
        problems += missing_figures(scrape)
        problems += await self._idle_stages(bootstrap, session, scrape)
        if problems:
            raise DemoError("\n  ".join(problems), [self._child("worker")])
        print("All is well: every stage processed events, and every served figure equals the recount.", flush=True)
        return 0

    async def _idle_stages(self, bootstrap: str, session: aiohttp.ClientSession, scrape: Scrape) -> list[str]:
        """Return a sentence for each stage that processed nothing or refused something."""
        problems = []
        gateway = self._gateway_scrape
        worker = await self._scrape(session, self._worker)
        accepted = 0 if gateway is None else gateway.total("contact_center_gateway_events_accepted_total")
        refused = 0 if gateway is None else gateway.total("contact_center_gateway_events_rejected_total")
        if accepted <= 0:
            problems.append("the gateway accepted no event.")
        if refused:
            problems.append(f"the gateway refused {refused:.0f} events.")
        counts = await record_counts(bootstrap, _PREFIX)
        problems += [f"topic {name} has no record." for name, number in counts.items() if number == 0 and name not in _MAY_BE_EMPTY]
        problems += [f"topic {name} holds {number} dead letters." for name, number in counts.items() if number and "dead-letters" in name]
        processed = {flow: 0 if worker is None else worker.total("contact_center_events_processed_total", {"flow": flow}) for flow in FLOWS}
        # There is no data of an earlier release.
        idle = [flow for flow, number in processed.items() if number <= 0 and flow != "customers-before"]
        problems += [f"the worker's flow {flow} processed nothing." for flow in idle]
        figures = len(scrape.figures())
        if not figures:
            problems.append("the server serves no figure.")
        print(
            f"Stages: gateway accepted {accepted:,.0f} events; worker processed "
            + ", ".join(f"{number:,.0f} ({flow})" for flow, number in processed.items())
            + f" records; {counts['queue-metrics.v1']:,} metric records; {figures:,} figures served.",
            flush=True,
        )
        return problems


def _differences(comparison: Comparison) -> list[str]:
    shown = comparison.differences[:_SHOWN_DIFFERENCES]
    more = len(comparison.differences) - len(shown)
    return shown + ([f"... and {more:,} more differences."] if more else [])


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(url) as response:
            return response.ok
    return False
