"""A real Prometheus and a real Alertmanager beside the running demo: dashboards have data, rules work, an alert arrives and goes."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.watched import DEPLOY, EVERY, JOBS, Watched, get, watched_demo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.embedded, pytest.mark.faults]

BOARDS = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Run the demo, Prometheus, the Alertmanager and its receiver while the tests of this file run."""
    with watched_demo(tmp_path_factory.mktemp("watched"), "--open-hours", "1.5") as running:
        assert running.demo.prints(": caught up.", 60), running.demo.output
        yield running


def until(seconds: float, seen: Callable[[], Any]) -> Any:
    """Return the first answer that holds, or the last one when the time is over."""
    deadline = time.monotonic() + seconds
    while not (answer := seen()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return answer


def queries() -> list[tuple[dict[str, Any], str, str]]:
    """Return dashboard, title of the panel and PromQL of every query of every panel."""
    return [(board, panel["title"], target["expr"]) for board in BOARDS for panel in board["panels"] for target in panel.get("targets", ())]


def substituted(watched: Watched, board: dict[str, Any], expression: str) -> Iterator[str]:
    """Yield the query with the values that the dashboard would offer at this moment; of what is chosen one at a time, with each."""
    choices: dict[str, list[str]] = {"$__rate_interval": [f"{4 * int(EVERY.rstrip('s'))}s"]}
    for variable in board["templating"]["list"]:
        name = f"${variable['name']}"
        if variable["type"] == "custom":
            choices[name] = [option["value"] for option in variable["options"]]
        elif variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert asked
            # Variables of variables: whatever is chosen there.
            metric = re.sub(r'=~?"\$\w+"', '=~".+"', asked[1])
            values = watched.ask(f"label/{asked[2]}/values", **{"match[]": metric})
            # Grafana joins several by | and escapes each, for a pattern in a text.
            choices[name] = ["|".join(re.escape(value) for value in values).replace("\\", "\\\\")] if variable["multi"] else values
    used = [name for name in choices if name in expression]
    for values in itertools.product(*(choices[name] for name in used)):
        filled = expression
        for name, value in zip(used, values, strict=True):
            filled = filled.replace(name, value)
        assert "$" not in filled
        yield filled


#: Metrics, and parts of queries, without data in the demo, where all events count, agents dial no calls, and surveys have the usual scales:
#: tests/serving/golden.prom has the samples that their queries ask for.
EMPTY_IN_THE_DEMO = (
    "contact_center_csat_other_scales",
    "contact_center_events_uncounted",
    "contact_center_outbound_reach_ratio",
    "contact_center_outbound_talk_time",
    # Levels of queues without a target: those of the demo have one. promtool evaluates these in tests/deploy/test_grafana.py.
    " unless ",
)


def test_every_query_of_every_dashboard_has_data(watched: Watched) -> None:
    """Each query of each panel returns at least one sample of the demo, with a choice that its dashboard offers."""
    missing = [each for each in queries() if not any(metric in each[2] for metric in EMPTY_IN_THE_DEMO)]
    assert len(missing) > 90

    def all_seen() -> bool:
        # At one moment no contact may wait, or nothing be in the backlog: each query is repeated until it has had data once.
        missing[:] = [(b, title, q) for b, title, q in missing if not any(watched.series(each) for each in substituted(watched, b, q))]
        return not missing

    until(60, all_seen)

    assert [f"{board['title']}, {title}: {query}" for board, title, query in missing] == []


def test_every_rule_works(watched: Watched) -> None:
    """Prometheus evaluates each rule of deploy/ on what the demo exports, without an error."""

    def unhealthy() -> list[dict[str, Any]]:
        return [rule for group in watched.ask("rules")["groups"] for rule in group["rules"] if rule["health"] != "ok"]

    until(20, lambda: not unhealthy())

    assert unhealthy() == []
    in_files = sum(
        len(re.findall(r"^ +- (?:alert|record):", path.read_text(encoding="utf-8"), re.MULTILINE))
        for path in (DEPLOY / "prometheus" / "rules").glob("*.yml")
    )
    assert sum(len(group["rules"]) for group in watched.ask("rules")["groups"]) == in_files > 30


def test_alerts_compare_with_the_targets_of_the_configuration(watched: Watched) -> None:
    """Each queue of the demo's configuration has its target in Prometheus, on the channel that it is of."""

    def targets() -> dict[tuple[str, str], float]:
        series = watched.series("queue_channel:contact_center_service_level_target:max")
        return {(each["metric"]["scope"], each["metric"]["channel"]): float(each["value"][1]) for each in series}

    until(20, lambda: len(targets()) >= 7)

    assert targets() == {
        ("Orders 注文受付", "voice"): 0.8,
        ("Returns 返品交換", "voice"): 0.8,
        ("Tariffs 料金相談", "voice"): 0.8,
        ("Outages 停電故障", "voice"): 0.9,
        ("Shop chat 通販チャット", "chat"): 0.85,
        ("Billing chat 請求チャット", "chat"): 0.85,
        ("Billing mail 請求メール", "mail"): 0.9,
    }


def test_the_lag_of_each_partition_is_known_and_small(watched: Watched) -> None:
    """A worker that has caught up has next to no lag, in each of the 8, 8, 8, 4, 4, 1 and 1 partitions that it reads."""
    lags: list[dict[str, Any]] = []

    def small() -> bool:
        lags[:] = watched.series("contact_center_consumer_lag_records < 500")
        return len(lags) == 34

    assert until(30, small), lags
    topics = {each["metric"]["topic"] for each in lags}
    read = ("contact-events.v1", "agent-events.v1", "customer-events.v1", "queue-panes.v1")
    customers = ("customer-facts.v2", "customer-links.v1", "customer-facts.v1")
    assert topics == {f"contactcenter.{name}" for name in (*read, *customers)}


@pytest.mark.parametrize("job", JOBS)
def test_promtool_accepts_the_live_metrics(watched: Watched, job: str) -> None:
    """``promtool check metrics`` has no complaint about what the running process exports."""
    exposed = get(f"http://{watched.addresses[job]}/metrics")
    done = subprocess.run(["promtool", "check", "metrics"], input=exposed, capture_output=True, text=True, check=False)

    assert exposed.count("# TYPE ") > 4
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_alert_is_pending_fires_is_delivered_and_resolved(watched: Watched) -> None:
    """Serve is paused: the alert waits its time, fires, reaches the receiver; serve continues: the receiver gets the end of the alert."""
    alert, job = "ContactCenterServiceDown", "contact-streams-serve"
    line = f"critical No process of {job} answers. ({alert}, docs/runbooks/down.md)\n"
    states: list[set[str]] = []

    def fires() -> bool:
        states.append(watched.states(alert, job=job))
        return states[-1] == {"firing"}

    assert until(30, lambda: not watched.states(alert, job=job))
    serve = watched.process("serve")
    os.kill(serve, signal.SIGSTOP)
    try:
        until(40, fires)
        assert until(20, lambda: f"firing {line}" in watched.notified), watched.notified
        # Long enough that the lesser alert would have been sent too. When the fault is over, either may be the first to be resolved.
        time.sleep(6)
        notified_while_down = list(watched.notified)
    finally:
        os.kill(serve, signal.SIGCONT)

    assert [state for state, _ in itertools.groupby(states)] in ([set(), {"pending"}, {"firing"}], [{"pending"}, {"firing"}])
    assert until(30, lambda: not watched.states(alert, job=job))
    assert until(30, lambda: f"resolved {line}" in watched.notified), watched.notified
    assert watched.notified.index(f"firing {line}") < watched.notified.index(f"resolved {line}")
    # One fault, one call: of the same process, the lesser alert is inhibited.
    assert not [each for each in notified_while_down if "ContactCenterInstanceDown" in each]
    assert watched.demo.process.poll() is None
