"""A configuration file that changes under a running worker and server: applied without a loss, or refused and reported."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml

from schemas.events import parse_agent_event, parse_contact_event
from schemas.times import format_ms
from schemas.topics import topic
from streams.configuration import load_configuration
from streams.configuration.file import configuration_hash
from streams.demo.broker import EmbeddedBroker
from streams.demo.simulator.load import load_events
from streams.worker import create_topics
from tests.integration.test_replay_equals_kafka import publish
from tests.oracle.recount import recount
from tests.properties.compare import differences
from tests.serving.audit.topics import recorded_in
from tests.support.product import CONFIGURATION
from tests.support.product_load import final_ms
from tests.support.recount import last_values
from tests.support.require import require_embedded_broker
from tests.support.services import Services, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.embedded

PREFIX = "equal"
EVENTS, SEED = 1_800, 23
VALID = "contact_center_configuration_valid"
CHANGED = "contact_center_configuration_changed_timestamp_seconds"


def written(file: Path, **changes: Any) -> None:
    """Write the demo's configuration with changes, in one step as careful tools do."""
    content = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    content["queues"]["Orders 注文受付"]["target"] = changes.pop("target", 0.8)
    content |= changes
    beside = file.with_suffix(".new")
    beside.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    beside.replace(file)


async def latest_of(bootstrap: str) -> dict[str, dict[str, Any]]:
    """Return the latest records."""
    entry = topic("queue-metrics-latest.v1")
    values = await last_values(bootstrap, entry.full_name(PREFIX), range(entry.partitions))
    return {key.decode(): orjson.loads(value) for (_, key), value in values.items() if value is not None}


async def stable_latest(bootstrap: str, at: str) -> dict[str, dict[str, Any]]:
    """Return the latest records once they are complete through an instant and stay the same."""
    before: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(60):
        while True:
            now = await latest_of(bootstrap)
            progress = [now.get(f"progress|{number}", {}) for number in range(topic("queue-metrics-latest.v1").partitions)]
            if now == before and all(each.get("as_of") == each.get("complete_through") == at for each in progress):
                return now
            before = now
            await asyncio.sleep(0.4)


def test_a_changed_file_under_a_running_worker(tmp_path: Path) -> None:
    """A refused change changes nothing and is reported everywhere; a valid one is applied in place, and every event counts once."""
    require_embedded_broker()
    file = tmp_path / "center.yaml"
    written(file)
    with EmbeddedBroker() as broker, Services(tmp_path, broker.bootstrap_servers, PREFIX, file) as services:
        asyncio.run(change_it(file, broker.bootstrap_servers, services))


def spoil(file: Path) -> int:
    """Put a threshold in that is none; return its line."""
    text = file.read_text(encoding="utf-8").replace("threshold_s: 20", "threshold_s: -20")
    file.write_text(text, encoding="utf-8")
    return next(number for number, each in enumerate(text.splitlines(), 1) if "threshold_s: -20" in each)


def remove(file: Path) -> None:
    """Take the file away."""
    file.unlink()


async def change_it(file: Path, bootstrap: str, services: Services) -> None:
    """Spoil the file, fix it with other settings and take it away, while events flow."""
    await create_topics(bootstrap, PREFIX)
    services.run("worker", "--instance-id", "the-worker")
    services.run("serve")
    events = list(load_events(EVENTS, SEED, rate=1))
    third = EVENTS // 3
    await services.ready("worker", "serve")
    process = services.pid("worker")
    running = (await services.ask("worker", "/readyz"))[1]["configuration"]
    assert running.startswith("running with ")
    changed_at = await services.counter("worker", CHANGED)

    # An invalid threshold: line, reason and what is permitted, once; everything continues.
    line = spoil(file)
    os.kill(process, signal.SIGHUP)  # the server finds it by itself
    await publish(bootstrap, events[:third], final_ms(events[third - 1]))
    for name in ("worker", "serve"):
        await until(lambda name=name: has_value(services, name, VALID, 0), 30)  # type: ignore[misc]
        for page in ("/healthz", "/readyz"):
            status, answer = await services.ask(name, page)
            assert (status, answer["configuration"][:22]) == (200, "refused, running with "), (name, page, answer)
        assert (await services.ask(name, "/readyz"))[1]["configuration"].partition(", ")[2][:26] == running[:26]
        assert services.log(name).count("is refused") == 1
        assert f"{file}:{line}: definitions.standard.0.threshold_s: found -20; permitted: a number, above 0" in services.log(name)
    assert await services.counter("worker", CHANGED) > changed_at
    assert (await services.ask("serve", "/api/v1/figures"))[1]["targets"]["Orders 注文受付"] == 0.8

    # Mended otherwise than it was: another default, target and rule, while events flow.
    rules = {"any-contact": {"kpi": "offered", "above": 0, "for_seconds": 0, "scopes": ["queue:Orders*"]}}
    written(file, default_definitions=["strict"], target=0.7, alerts=rules)
    for each in ("worker", "serve"):
        os.kill(services.pid(each), signal.SIGHUP)
    await publish(bootstrap, events[third : 2 * third], final_ms(events[2 * third - 1]))
    await until(lambda: "The configuration has changed" in services.log("worker"), 30)
    await publish(bootstrap, events[2 * third :], final_ms(events[-1]))
    latest = await stable_latest(bootstrap, format_ms(final_ms(events[-1])))
    await services.ready("worker", "serve")
    assert services.pid("worker") == process
    assert services.log("worker").count("The configuration has changed") == 1
    assert not services.ended
    for name in ("worker", "serve"):
        assert await has_value(services, name, VALID, 1)
        assert (await services.ask(name, "/healthz"))[1]["configuration"][:13] == "running with "
        assert (await services.ask(name, "/healthz"))[1]["configuration"][:26] != running[:26]
    assert (await services.ask("serve", "/api/v1/figures"))[1]["targets"]["Orders 注文受付"] == 0.7
    judged = (await services.ask("serve", "/api/v1/targets"))[1]["targets"]
    assert {each["target"] for each in judged if each["of_queue"] and each["scope"] == "Orders 注文受付"} == {0.7}
    firing = (await services.ask("serve", "/api/v1/alerts?state=firing"))[1]["alerts"]
    assert {each["rule"] for each in firing} == {"any-contact"}

    equal_to_the_recount(latest, events, file)
    (recorded,) = await recorded_in(bootstrap, PREFIX)
    assert (recorded.action, recorded.actor.kind, recorded.actor.name) == ("configuration_changed", "process", "worker")
    assert (recorded.about.file, recorded.about.hash_after) == (file.name, configuration_hash(load_configuration(file)))
    assert running.startswith(f"running with {recorded.about.hash_before} ")

    # The file is gone: refused, and still running; a worker that ends now ends in order.
    remove(file)
    os.kill(process, signal.SIGHUP)
    await until(lambda: has_value(services, "worker", VALID, 0), 20)
    await until(lambda: "cannot be read: No such file or directory" in services.log("worker"), 10)
    assert services.terminate("worker") == 0


def equal_to_the_recount(latest: dict[str, dict[str, Any]], events: list[Any], file: Path) -> None:
    """Hold every figure against the independent recount of all events."""
    parsed = [
        (parse_agent_event if each.destination == "agent-events" else parse_contact_event)(orjson.dumps(each.event)) for each in events
    ]
    final = final_ms(events[-1])
    assert differences(latest, recount(parsed, load_configuration(file), final, final)) == []


async def has_value(services: Services, name: str, gauge: str, value: float) -> bool:
    """Return whether a gauge is there and has a value."""
    _, text = await services.ask(name, "/metrics")
    return any(line == f"{gauge} {value:.1f}" for line in (text or "").splitlines())
