"""What all tests share: the fixtures, the markers that follow from them, and the account of which tests ran on which broker."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.kafka import VERSION
from tests.support.keycloak import VERSION as KEYCLOAK_VERSION

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from _pytest.terminal import TerminalReporter

pytest_plugins = ["tests.support.fixtures"]

# How long an example takes depends on what else the machine does.
settings.register_profile("contact-streams", deadline=None)
settings.load_profile("contact-streams")

#: Where a test ran, by marker; a test with none of them is pure. The first match counts.
SURROUNDINGS = ("kafka", "provider", "browser", "asterisk", "embedded")

#: The property of a report that names where its test ran, and whether it injects faults.
RAN_ON = "ran on"

#: A test that takes one of these fixtures has the marker, whether its author thought of it or not.
MARKER_OF_FIXTURE = {"kafka": "kafka", "kafka3": "kafka", "keycloak": "provider"}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test by the fixtures that it takes."""
    for fixture in getattr(item, "fixturenames", ()):
        if fixture in MARKER_OF_FIXTURE:
            item.add_marker(MARKER_OF_FIXTURE[fixture])


@pytest.hookimpl(trylast=True)  # after they were put in a random order
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: where several run at once, none is waited for at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Add to each report where its test ran: a report knows no markers, and comes from another process where several run tests."""
    for item in session.items:
        place = next((name for name in SURROUNDINGS if item.get_closest_marker(name)), "pure")
        item.user_properties.append((RAN_ON, (place, item.get_closest_marker("faults") is not None)))


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around all others, so that this comes last
def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> Generator[None]:
    """Print how many tests passed on what, so that a green run that skipped the brokers does not look like one that used them."""
    yield
    passed = [dict(report.user_properties).get(RAN_ON, ("pure", False)) for report in terminalreporter.stats.get("passed", [])]
    terminalreporter.write_line(ran_on(passed))
    if skipped := terminalreporter.stats.get("skipped"):
        terminalreporter.write_line(f"not run: {len(skipped)} tests, for the reasons above; in CI they would fail")


def ran_on(passed: Iterable[tuple[str, bool]]) -> str:
    """Return the line that counts the passed tests by what they ran on; ``passed`` holds (surroundings, injects faults)."""
    outcomes = list(passed)
    counts = Counter(place for place, _ in outcomes)
    parts = [
        f"pure {counts['pure']} tests",
        f"embedded broker {counts['embedded']} tests",
        f"Apache Kafka {VERSION} {counts['kafka']} tests",
    ]
    if counts["provider"]:
        parts.append(f"Keycloak {KEYCLOAK_VERSION} {counts['provider']} tests")
    if counts["browser"]:
        parts.append(f"browser {counts['browser']} tests")
    if counts["asterisk"]:
        parts.append(f"Asterisk {counts['asterisk']} tests")
    faults = sum(injects for _, injects in outcomes)
    return f"ran on: {', '.join(parts)}" + (f"; {faults} of them injected faults" if faults else "")
