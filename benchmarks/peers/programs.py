"""Programs that count five figures with other engines: how each is built, and how it is run.

Dependencies are fetched once, by Maven or pip in the versions listed beside this file, into ``~/.cache/contact-streams/peers``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PEERS", "Peer", "Run", "UnavailableError"]

_HERE: Final = Path(__file__).parent
_FETCH_SECONDS: Final = 900
#: As much as Kafka Streams needs for 1,500,000 events without constant garbage collection.
_JVM: Final = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC")


_MAVEN: Final = ("mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DincludeScope=runtime")
_STREAMS: Final = "java/kafka-streams-pom.xml"


class UnavailableError(Exception):
    """A peer cannot be built here; the message states why."""


@dataclass(frozen=True, slots=True)
class Run:
    """Options of a program. Its topics exist; that of contributions is empty."""

    bootstrap: str
    source: str
    contributions: str
    output: str
    #: Records in the source.
    events: int
    #: Between two commits, and two publications.
    commit_ms: int

    def options(self, identity: str) -> list[str]:
        """Return the options of a command; ``identity`` is the consumer group."""
        options_by_name: Mapping[str, object] = {
            "id": identity,
            "bootstrap": self.bootstrap,
            "source": self.source,
            "contributions": self.contributions,
            "output": self.output,
            "events": self.events,
            "commit-ms": self.commit_ms,
        }
        return [argument for name, value in options_by_name.items() for argument in (f"--{name}", str(value))]


@dataclass(frozen=True, slots=True)
class Peer:
    """A program of another engine."""

    id: str
    name: str
    #: The main class of a Java program, or the file of a Python program.
    program: str
    #: The file with the versions it needs.
    needs: str
    #: The most events to count: more would take too long.
    most_events: int | None = None

    def prepare(self) -> list[str]:
        """Return the command that runs it, after building what is not there yet.

        Raises:
            UnavailableError: a tool is missing, or something could not be fetched.
        """
        return _java(self) if self.needs.endswith(".xml") else _python(self)


PEERS: Final = (
    Peer("kafka-streams", "Kafka Streams, Processor API, in memory, exactly-once", "peers.KafkaStreamsProcessor", _STREAMS),
    Peer("kafka-streams-dsl", "Kafka Streams, DSL, in memory, exactly-once", "peers.KafkaStreamsDsl", _STREAMS),
    Peer("flink", "Flink, heap, exactly-once", "peers.FlinkHeap", "java/flink-pom.xml"),
    Peer("bytewax", "Bytewax, batches folded by hand, at least once", "python/bytewax_figures.py", "python/requirements-bytewax.txt"),
    Peer("quix", "Quix Streams, exactly-once", "python/quix_figures.py", "python/requirements-quix.txt"),
    Peer("faust", "Faust as documented, at least once", "python/faust_figures.py", "python/requirements-faust.txt", most_events=50_000),
)


def _java(peer: Peer) -> list[str]:
    for tool in ("java", "javac"):
        if shutil.which(tool) is None:
            raise UnavailableError(f"{tool} (Java 17 or newer) is not on the path")
    pom = _HERE / peer.needs
    jars = _fetched(
        pom,
        "mvn",
        lambda folder: [[*_MAVEN, f"--file={pom}", f"-DoutputDirectory={folder}"]],
    )
    shared = [path for path in sorted((_HERE / "java" / "peers").glob("*.java")) if not _of_another(path, peer)]
    classes = _cache() / f"{peer.needs.removeprefix('java/').removesuffix('-pom.xml')}-classes-{_digest(*shared)}"
    if not (classes / ".complete").exists():
        classes.mkdir(parents=True, exist_ok=True)
        _ran(["javac", "-nowarn", "-d", str(classes), "-cp", f"{jars}/*", *map(str, shared)])
        (classes / ".complete").touch()
    return ["java", *_JVM, *_OPENED, "-cp", f"{classes}:{jars}/*", peer.program]


#: What Flink reads of the JDK's own objects.
_OPENED: Final = ("--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED")


def _of_another(source: Path, peer: Peer) -> bool:
    flink, streams = source.name.startswith("Flink"), "Streams" in source.name
    return streams if "flink" in peer.needs else flink


def _python(peer: Peer) -> list[str]:
    needs = _HERE / peer.needs
    folder = _fetched(
        needs,
        sys.executable,
        lambda folder: [
            [sys.executable, "-m", "venv", str(folder)],
            [str(folder / "bin" / "pip"), "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", str(needs)],
        ],
    )
    return [str(folder / "bin" / "python"), str(_HERE / peer.program)]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contact-streams" / "peers"


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def _fetched(needs: Path, tool: str, commands: Callable[[Path], list[list[str]]]) -> Path:
    folder = _cache() / f"{needs.stem}-{_digest(needs)}"
    if (folder / ".complete").exists():
        return folder
    if shutil.which(tool) is None:
        raise UnavailableError(f"{tool} is not on the path; it is needed once, to fetch what {needs.name} names")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"Fetching what {needs.name} names into {folder} …", file=sys.stderr, flush=True)
    for command in commands(folder):
        _ran(command)
    (folder / ".complete").touch()
    return folder


def _ran(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False)
    if done.returncode:
        raise UnavailableError(f"{' '.join(command[:3])} failed: {(done.stderr or done.stdout).strip()[-500:]}")
