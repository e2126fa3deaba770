"""The demo, watched by a real Prometheus with the rules of deploy/ and a real Alertmanager that notifies deploy/'s own receiver."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.demo.test_run import Demo, descendants
from tests.support.require import require, require_embedded_broker

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JOBS", "Watched", "get", "watched_demo"]

DEPLOY = Path(__file__).parents[2] / "deploy"
JOBS = ("contact-streams-serve", "contact-streams-worker", "contact-streams-gateway")

#: What replaces the intervals of the configuration and the `for` of alerts, so that a test need not wait as long as people may.
EVERY = "2s"
FOR, FOR_THE_LESSER = "6s", "9s"


def free_ports(number: int) -> list[int]:
    """Return ports that were free a moment ago, each another."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def get(url: str, **parameters: str) -> str:
    """Return what an address answers; raise OSError without a listener."""
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    with urllib.request.urlopen(url + query, timeout=10) as answer:  # noqa: S310 - our own
        return str(answer.read().decode())


@dataclass
class Watched:
    """The running demo and what watches it."""

    demo: Demo
    #: The address of each job's `/metrics`.
    addresses: dict[str, str]
    prometheus: str
    #: The lines that the receiver of notifications printed.
    notified: list[str] = field(default_factory=list)

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of Prometheus."""
        answer = json.loads(get(f"{self.prometheus}/api/v1/{path}", **parameters))
        assert answer["status"] == "success", answer
        return answer["data"]

    def series(self, expression: str) -> list[dict[str, Any]]:
        """Return what a query returns at this moment, as series; a scalar is one of them."""
        data = self.ask("query", query=expression)
        return [{"value": data["result"]}] if data["resultType"] == "scalar" else list(data["result"])

    def states(self, alert: str, **labels: str) -> set[str]:
        """Return the states of an alert with these labels: pending, firing, both or none."""
        alerts = self.ask("alerts")["alerts"]
        return {each["state"] for each in alerts if {"alertname": alert, **labels}.items() <= each["labels"].items()}

    def process(self, command: str) -> int:
        """Return the process of the demo that runs a command of the command line."""
        children = descendants(self.demo.process.pid)
        found = [pid for pid, line in children.items() if f" -m streams {command} " in line and "guard.py" not in line]
        assert len(found) == 1, children
        return found[0]


def quick_rules(text: str) -> str:
    """Return a file of rules whose alerts fire after seconds instead of minutes."""
    rules = yaml.safe_load(text)
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "for" in rule:
                # What waits longer still does: a lesser alert comes after the one that silences it.
                rule["for"] = FOR if rule["for"] in {"30s", "1m"} else FOR_THE_LESSER
    return str(yaml.safe_dump(rules, sort_keys=False))


def prometheus_configuration(addresses: dict[str, str], alertmanager: str) -> str:
    """Return deploy/'s configuration of Prometheus with the addresses of this machine and short intervals, else as it is."""
    configuration = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    configuration["global"] |= {"scrape_interval": EVERY, "evaluation_interval": EVERY}
    [managers] = configuration["alerting"]["alertmanagers"]
    managers["static_configs"] = [{"targets": [alertmanager]}]
    jobs = configuration["scrape_configs"]
    assert {job["job_name"] for job in jobs} == set(addresses)
    for job in jobs:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [addresses[job["job_name"]]]}]
    return str(yaml.safe_dump(configuration, sort_keys=False))


def alertmanager_configuration(receiver: str) -> str:
    """Return deploy/'s configuration of the Alertmanager with the receiver's address on this machine and short waits, else as it is."""
    text = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    assert "http://alert-log:8094/" in text
    text = text.replace("alert-log:8094", receiver)
    return re.sub(r"(group_wait|group_interval): \d+[sm]", lambda match: f"{match[1]}: 1s", text)


@contextlib.contextmanager
def running(name: str, command: list[str], folder: Path) -> Iterator[None]:
    """Run a program until the end of the block; its log is in the folder."""
    with (folder / f"{name}.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def receiving(address: str, notified: list[str]) -> Iterator[None]:
    """Run the receiver of deploy/ and collect the lines that it prints."""
    host, _, port = address.partition(":")
    command = [sys.executable, "-u", str(DEPLOY / "alertmanager" / "alert_log.py"), host, port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = process.stdout
        assert lines is not None
        reading = threading.Thread(target=lambda: notified.extend(iter(lines.readline, "")), daemon=True)
        reading.start()
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)
            reading.join(5)


def until_ready(url: str, log: Path) -> None:
    """Wait until an address answers, for twenty seconds."""
    deadline = time.monotonic() + 20
    while True:
        try:
            get(url)
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer:\n{log.read_text(encoding='utf-8')}"
            time.sleep(0.1)
        else:
            return


@contextlib.contextmanager
def watched_demo(folder: Path, *arguments: str) -> Iterator[Watched]:
    """Start everything, and end it with the block."""
    for tool in ("prometheus", "prometheus-alertmanager", "promtool"):
        require(shutil.which(tool), f"{tool} watches the demo: apt-get install prometheus prometheus-alertmanager")
    require_embedded_broker()
    serve, worker, gateway, own, manager, receiver = free_ports(6)
    addresses = dict(zip(JOBS, (f"127.0.0.1:{port}" for port in (serve, worker, gateway)), strict=True))
    (folder / "rules").mkdir()
    for path in (DEPLOY / "prometheus" / "rules").glob("*.yml"):
        (folder / "rules" / path.name).write_text(quick_rules(path.read_text(encoding="utf-8")), encoding="utf-8")
    configuration = prometheus_configuration(addresses, f"127.0.0.1:{manager}")
    (folder / "prometheus.yml").write_text(configuration, encoding="utf-8")
    (folder / "alertmanager.yml").write_text(alertmanager_configuration(f"127.0.0.1:{receiver}"), encoding="utf-8")
    demo = Demo("--port", str(serve), "--gateway-port", str(gateway), "--worker-port", str(worker), *arguments)
    watched = Watched(demo, addresses, f"http://127.0.0.1:{own}")
    prometheus_command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{own}",
    ]
    manager_command = [
        "prometheus-alertmanager",
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{manager}",
        "--cluster.listen-address=",
    ]
    try:
        assert demo.prints("Ctrl-C ends it", 30), demo.output
        with (
            receiving(f"127.0.0.1:{receiver}", watched.notified),
            running("alertmanager", manager_command, folder),
            running("prometheus", prometheus_command, folder),
        ):
            until_ready(f"http://127.0.0.1:{manager}/-/ready", folder / "alertmanager.log")
            until_ready(f"http://127.0.0.1:{own}/-/ready", folder / "prometheus.log")
            yield watched
    finally:
        demo.process.terminate()
        try:
            demo.ends(30)
        except subprocess.TimeoutExpired:
            demo.process.kill()
            demo.process.wait()
        assert demo.process.stdout is not None
        demo.process.stdout.close()
