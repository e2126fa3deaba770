"""Dockerfile and compose file: pinned, without privileges, and naming only files, ports, variables and commands that exist."""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.cli import COMMANDS
from streams.configuration import load_configuration
from streams.connectors.senders import TOKENS_VARIABLE
from tests.support.kafka import VERSION

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: Services that run a command of ours → the port they listen on.
OURS = {name: service for name, service in SERVICES.items() if "build" in service and "entrypoint" not in service}
#: A whole version for people, and the digest that decides which image that is.
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*@sha256:[0-9a-f]{64}")

# ---- Dockerfile --------------------------------------------------------------------------------------------------------------------------


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their arguments, lines joined, comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def ignored(path: str) -> bool:
    """Return whether .dockerignore keeps a path at the root of the checkout out of the build; the last line that matches decides."""
    kept = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#") and fnmatch.fnmatch(path, line.removeprefix("!").removeprefix("**/")):
            kept = line.startswith("!")
    return not kept


def faults(text: str) -> list[str]:
    """Return what is wrong with a Dockerfile, a word each."""
    steps = instructions(text)
    found = [f"unpinned {rest}" for word, rest in steps if word == "FROM" and not PINNED.fullmatch(rest.partition(" ")[0])]
    found += [f"add {rest}" for word, rest in steps if word == "ADD"]
    for word, rest in steps:
        if word == "COPY" and not rest.startswith("--from="):
            *sources, _ = rest.split()
            found += [f"missing {source}" for source in sources if not (ROOT / source).exists() or ignored(source)]
        if word == "RUN":
            for command in re.findall(r"pip (?:--python \S+ )?install (.*?)(?:&&|$)", rest):
                hashed = "--require-hashes" in command and "--only-binary :all:" in command
                ours = "--no-deps" in command and "--no-index" in command
                found += [] if hashed or ours else [f"unhashed {command}"]
    final = steps[max(number for number, (word, _) in enumerate(steps) if word == "FROM") :]
    words = {word for word, _ in final}
    found += [f"no {word}" for word in ("USER", "HEALTHCHECK", "ENTRYPOINT") if word not in words]
    found += [f"user {rest}" for word, rest in final if word == "USER" and not re.fullmatch(r"[1-9]\d*:[1-9]\d*", rest)]
    found += [f"shell form {rest}" for word, rest in final if word in {"ENTRYPOINT", "CMD"} and not rest.startswith("[")]
    found += [
        f"tools {rest}"
        for word, rest in final
        if word == "RUN" and re.search(r"\b(apt-get|apk|gcc|install)\b", rest.replace("uninstall", ""))
    ]
    last_user = max((number for number, (word, _) in enumerate(final) if word == "USER"), default=len(final))
    found += [f"root {rest}" for word, rest in final[last_user:] if word in {"RUN", "COPY"}]
    return found


DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_image_is_built_as_it_should_be() -> None:
    """Bases are pinned, packages are hashed, sources exist, and the last stage runs our command unprivileged, without tools."""
    assert faults(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("python:3.12.11-slim-bookworm@sha256:", "python:latest@sha256:", "unpinned"),
        ("3.12.11-slim-bookworm@sha256:", "3.12.11-slim-bookworm AS sha256-", "unpinned"),
        ("USER 10001:10001\n", "", "no USER"),
        ("USER 10001:10001", "USER root", "user root"),
        ("COPY streams streams", "COPY streams streems streams", "missing streems"),
        ("COPY streams streams", "COPY tests tests", "missing tests"),
        ("--require-hashes", "--no-cache-dir", "unhashed"),
        ('ENTRYPOINT ["contact-streams"]', "ENTRYPOINT contact-streams", "shell form"),
        ("RUN python -m pip uninstall --yes pip", "RUN apt-get install -y gcc", "tools"),
        ("EXPOSE", "RUN touch /tmp/x\nEXPOSE", "root"),
        ("COPY schemas schemas", "ADD schemas schemas", "add"),
    ],
)
def test_faults_of_the_image_are_seen(before: str, after: str, fault: str) -> None:
    """A Dockerfile with one fault is not clean."""
    assert before in DOCKERFILE

    assert [found for found in faults(DOCKERFILE.replace(before, after)) if found.startswith(fault)]


def test_the_image_starts_our_command_and_asks_it() -> None:
    """The entry point is the project's script, and the health check is Python that compiles and asks /healthz."""
    steps = dict(instructions(DOCKERFILE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert json.loads(steps["ENTRYPOINT"])[0] in project["scripts"]
    check = json.loads(steps["HEALTHCHECK"].partition("CMD ")[2])
    assert check[:2] == ["python", "-c"]
    compile(check[2], "HEALTHCHECK", "exec")
    assert "/healthz" in check[2]


def test_the_build_sees_no_secrets() -> None:
    """Of all that lies in a checkout, only what the Dockerfile copies goes to the build."""
    assert ignored(".git")
    assert ignored(".venv")
    assert ignored("deploy")
    assert not ignored("streams")


def test_build_requirements_are_in_the_lock() -> None:
    """The line that the Dockerfile cuts from the lock is one requirement with hashes, as pip wants it."""
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lock) if line.startswith("setuptools=="))
    end = next(number for number in range(start + 1, len(lock)) if not lock[number].endswith("\\"))

    assert all("--hash=sha256:" in line for line in lock[start + 1 : end + 1])
    assert 'requires = ["setuptools' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


# ---- compose.yaml ------------------------------------------------------------------------------------------------------------------------


def published(service: dict[str, Any]) -> list[str]:
    """Return the ports of a service that this machine shows."""
    ports: list[str] = service.get("ports", [])
    return ports


def option(service: dict[str, Any], name: str) -> str:
    """Return the value of an option in a service's command."""
    command: list[str] = service["command"]
    return command[command.index(name) + 1]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_services_can_do_no_more_than_they_must(name: str) -> None:
    """Read-only, without capabilities, no new privileges, with limits, and reachable from this machine only."""
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["pids_limit"] > 0
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "user"}
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published(service))
    assert "/tmp" in [mount.partition(":")[0] for mount in service["tmpfs"]]  # noqa: S108 - a mount, not a file of ours


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned(name: str) -> None:
    """Each image has a whole version and its digest; ours is that of the project and is built from this checkout."""
    image = SERVICES[name]["image"]
    assert ("build" in SERVICES[name]) != (PINNED.fullmatch(image) is not None)
    if "build" in SERVICES[name]:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
        assert image == f"contact-streams:{version}"
        build = SERVICES[name]["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_kafka_is_the_one_that_tests_run_on() -> None:
    """The broker has the version that the tests use."""
    assert SERVICES["kafka"]["image"].partition("@")[0] == f"apache/kafka:{VERSION}"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_mounts_exist(name: str) -> None:
    """Files and folders that are mounted exist and cannot be written; volumes are declared."""
    for mount in SERVICES[name].get("volumes", []):
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            assert (DEPLOY / source).exists(), mount
            assert rest.endswith(":ro"), mount
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_commands_are_real(name: str) -> None:
    """The command line is understood: its subcommand exists and takes these options, and its configuration is mounted."""
    command = OURS[name]["command"]
    assert command[0] in COMMANDS
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"streams.commands.{command[0]}").add_parser(parser.add_subparsers())

    options = parser.parse_args(command)

    assert options.bootstrap == "kafka:9092"
    if getattr(options, "config", None):
        # The folder: a file that an editor replaces would stay the one of before in the container.
        assert f"./configuration:{Path(options.config).parent}:ro" in OURS[name]["volumes"]
        assert (DEPLOY / "configuration" / Path(options.config).name).is_file()


def test_the_gateway_worker_and_serve_are_there() -> None:
    """A whole product: the test above did not pass because nothing was there."""
    assert sorted(OURS) == ["gateway", "serve", "worker", "worker-2"]
    assert [option(OURS[name], "--instance-id") for name in ("worker", "worker-2")] == ["worker-1", "worker-2"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_ports_agree(name: str) -> None:
    """What a process listens on is what its health check asks, Prometheus scrapes, the image exposes and this machine shows."""
    service = OURS[name]
    port = option(service, "--port")
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    name, *_ = name.split("-")
    scraped = {job["job_name"]: job["dns_sd_configs"][0] for job in prometheus["scrape_configs"]}[f"contact-streams-{name}"]

    assert option(service, "--host") == "0.0.0.0"  # noqa: S104 - in its container
    assert service["environment"]["CONTACT_STREAMS_HEALTH_PORT"] == port
    assert (scraped["names"], scraped["port"]) == ([name], int(port))
    assert port in dict(instructions(DOCKERFILE))["EXPOSE"].split()
    assert published(service) in ([], [f"127.0.0.1:{port}:{port}"])


def test_alerts_find_their_way() -> None:
    """Prometheus knows the Alertmanager, and that the receiver, by names and ports of services."""
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    receivers = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8"))["receivers"]
    host, _, port = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0].partition(":")

    assert host in SERVICES
    assert published(SERVICES[host]) == [f"127.0.0.1:{port}:{port}"]
    assert receivers[0]["webhook_configs"][0]["url"] == f"http://alert-log:{SERVICES['alert-log']['command'][1]}/"
    script = SERVICES["alert-log"]["entrypoint"][1]
    assert f"./alertmanager/alert_log.py:{script}:ro" in SERVICES["alert-log"]["volumes"]


def test_variables_are_required() -> None:
    """Every variable is empty in example.env, and is one that is read; a required one that is missing names the fix."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    variables = re.findall(r"\$\{(\w+):([?-])([^}]*)\}", text)
    asked = {name: advice for name, kind, advice in variables if kind == "?"}
    example = [line for line in (DEPLOY / "example.env").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]

    assert sorted(example) == sorted(f"{name}=" for name, _, _ in variables)
    assert re.findall(r"\$\{?(\w+)", text) == [name for name, _, _ in variables]
    assert all(default == "" for _, kind, default in variables if kind == "-")
    assert all("example.env" in advice for advice in asked.values())
    assert TOKENS_VARIABLE in asked


def test_secrets_are_not_committed() -> None:
    """Git ignores deploy/.env."""
    assert subprocess.run(["git", "check-ignore", "--quiet", "deploy/.env"], cwd=ROOT, check=False).returncode == 0


def test_the_configuration_is_read() -> None:
    """The mounted configuration, as it is and with its examples uncommented, is one that worker and serve take."""
    path = DEPLOY / "configuration" / "contact-center.yaml"
    assert load_configuration(path).service_level.threshold_s == 20


def test_the_examples_in_the_configuration_are_read(tmp_path: Path) -> None:
    """Uncommented, the examples in the configuration are taken too."""
    text = (DEPLOY / "configuration" / "contact-center.yaml").read_text(encoding="utf-8")
    path = tmp_path / "contact-center.yaml"
    path.write_text(re.sub(r"^# (?=\s|\w+:$)", "", text, flags=re.MULTILINE), encoding="utf-8")

    found = load_configuration(path)

    assert found.queues["sales"].site == "berlin"
    assert found.queues["sales"].target == 0.8


def test_health_checks_use_the_interpreter_of_the_image() -> None:
    """The receiver of alerts needs nothing but Python: it starts without anything installed."""
    script = str(DEPLOY / "alertmanager" / "alert_log.py")
    code = f"import runpy; runpy.run_path({script!r}, run_name='alert_log')"

    assert subprocess.run([sys.executable, "-I", "-S", "-c", code], check=False).returncode == 0
