"""The rules that the peers in Python share agree with the recount, and a peer whose tools are missing names them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from benchmarks.peers import programs
from benchmarks.peers.programs import PEERS, Run, UnavailableError
from benchmarks.peers.recount import Recount, difference
from streams.demo.simulator.load import load_events

if TYPE_CHECKING:
    from types import ModuleType


def _rules() -> ModuleType:
    """Return the rules, which the programs import from beside themselves."""
    spec = importlib.util.spec_from_file_location("rules", Path(programs.__file__).parent / "python" / "rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_rules_of_the_peers_and_the_recount_agree() -> None:
    """Over 20,000 events of a simulated center, which hold answers, abandons and transfers, out of order here and there."""
    rules, recount = _rules(), Recount()
    states: dict[str, Any] = {}
    windows: dict[str, Any] = {}
    for emission in load_events(20_000, 7, rate=1):
        if emission.destination != "contact-events":
            continue
        recount.take(emission.event)
        if emission.event["type"] not in rules.KINDS:
            continue
        states[emission.key], contributions = rules.take(states.get(emission.key), emission.event)
        for scope, at, amounts in contributions:
            windows.setdefault(scope, rules.Windows()).add(at, amounts)
    published = {key: orjson.loads(value) for scope, each in windows.items() for key, value in each.records(scope)}

    expected = recount.records()
    assert difference(expected, published) == []
    totals = [sum(record[name] for record in expected.values()) for name in ("answered", "abandoned", "handle_ms")]
    assert all(totals), "Nothing was compared."


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.id)
def test_a_peer_names_its_missing_tools(peer: programs.Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Java, Maven and an index nothing is fetched, and nothing is left behind as if it were complete."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda _tool: None)
    with pytest.raises(UnavailableError, match=r"not on the path"):
        peer.prepare()
    assert not list(tmp_path.rglob(".complete"))


def test_a_program_gets_every_option() -> None:
    """Names and values by turns, as both the Java and the Python programs read them."""
    options = Run("127.0.0.1:9092", "events", "between", "figures", 1_000, 250).options("me")
    assert dict(zip(options[::2], options[1::2], strict=True)) == {
        "--id": "me",
        "--bootstrap": "127.0.0.1:9092",
        "--source": "events",
        "--contributions": "between",
        "--output": "figures",
        "--events": "1000",
        "--commit-ms": "250",
    }
