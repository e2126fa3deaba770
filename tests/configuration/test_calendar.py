"""Holiday calendars, calendar exceptions and begins of days in the configuration: what is taken, and what is refused with which words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.configuration import ConfigurationError, load_configuration

if TYPE_CHECKING:
    from pathlib import Path

CENTER = """\
sites:
  tokyo: {zone: Asia/Tokyo}
queues:
  support: {site: tokyo}
  5001: {site: tokyo}
"""

#: Problem → the begin of the file, the remaining text, and the message.
REFUSALS = {
    "unknown calendar": (
        "",
        "sites:\n  tokyo:\n    zone: Asia/Tokyo\n    holiday_calendar: JPN\n",
        "4: sites.tokyo.holiday_calendar: unknown holiday calendar 'JPN', did you mean JP?; permitted: AD, AE, AF,",
    ),
    "unknown part of a country": (
        "",
        "sites:\n  bonn:\n    zone: Europe/Berlin\n    holiday_calendar: DE-XX\n",
        "4: sites.bonn.holiday_calendar: unknown holiday calendar 'DE-XX', did you mean DE-",
    ),
    "a kind that is none": (
        CENTER,
        "calendar_exceptions:\n  - {name: x, kind: typhoon, from: 2026-11-21T13:00, sites: [tokyo]}\n",
        '7: calendar_exceptions.0.kind: found "typhoon"; permitted: closed, outage',
    ),
    "a time that is none": (
        CENTER,
        "calendar_exceptions:\n  - {name: x, kind: closed, from: 2026-11-31T13:00, sites: [tokyo]}\n",
        '7: calendar_exceptions.0.from: no such time; permitted: a local time such as 2026-11-21T13:00; found "2026-11-31T13:00"',
    ),
    "a date for a time": (
        CENTER,
        "calendar_exceptions:\n  - {name: x, kind: closed, from: 2026-11-21, sites: [tokyo]}\n",
        '7: calendar_exceptions.0.from: found "2026-11-21"; permitted: a local time such as 2026-11-21T13:00',
    ),
    "a year out of range": (
        CENTER,
        "calendar_exceptions:\n  - {name: x, kind: closed, from: 2026-11-21T13:00, to: 9999-12-31T23:59, sites: [tokyo]}\n",
        '7: calendar_exceptions.0.to: found "9999-12-31T23:59"; permitted: a local time such as 2026-11-21T13:00',
    ),
    "end before start": (
        CENTER,
        "calendar_exceptions:\n  - {name: x, kind: closed, from: 2026-11-21T13:00, to: 2026-11-21T13:00, sites: [tokyo]}\n",
        '7: calendar_exceptions.0.to: "2026-11-21T13:00" is not after "2026-11-21T13:00"; permitted: a later time, or none ',
    ),
    "unknown site": (
        CENTER,
        "calendar_exceptions:\n  - name: x\n    kind: closed\n    from: 2026-11-21T13:00\n    sites: [tokio]\n",
        "10: calendar_exceptions.0.sites.0: 'tokio' is not among sites, did you mean tokyo?; permitted: tokyo",
    ),
    "unknown queue": (
        CENTER,
        "calendar_exceptions:\n  - name: x\n    kind: outage\n    from: 2026-11-21T13:00\n    queues: [5001, suport]\n",
        "10: calendar_exceptions.0.queues.1: 'suport' is not among queues, did you mean support?; permitted: support, 5001",
    ),
    "overlap": (
        CENTER,
        """\
calendar_exceptions:
  - {name: x, kind: outage, from: 2026-11-21T13:00, queues: [support]}
  - {name: y, kind: outage, from: 2026-11-20T13:00, to: 2026-11-21T13:01, queues: [5001, support]}
""",
        "8: calendar_exceptions.1.from: overlaps another exception of support; permitted: times that do not (line 7)",
    ),
    "begin of a day within a cell": (
        "",
        "sites:\n  tokyo:\n    zone: Asia/Tokyo\n    day_start: 05:05\n",
        '4: sites.tokyo.day_start: found "05:05"; permitted: a local time, HH:MM, on the quarter hour, such as "05:00", or any 5 minutes ',
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(tmp_path: Path, name: str) -> None:
    """File, line, reason and what is permitted."""
    path = tmp_path / "center.yaml"
    head, rest, message = REFUSALS[name]
    path.write_text(head + rest, encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert f"{path}:{message}" in str(caught.value)


def test_taken(tmp_path: Path) -> None:
    """Exceptions one after the other, of a site and at the same time of one of its queues, named in Japanese; days at any 5 minutes."""
    path = tmp_path / "center.yaml"
    path.write_text(
        CENTER
        + "  night: {site: tokyo, holiday_calendar: JP, clock: business}\n"
        + "calendar_exceptions:\n"
        + "  - {name: Typhoon 台風, kind: closed, from: 2026-11-21T13:00, to: 2026-11-21T20:00, sites: [tokyo]}\n"
        + "  - {name: Typhoon 台風, kind: closed, from: 2026-11-21T20:00, sites: [tokyo]}\n"
        + "  - {name: carrier, kind: outage, from: 2026-11-21T14:00, queues: [5001]}\n"
        + "counting: {interval_minutes: [5, 60], attribution: [offer, outcome]}\n",
        encoding="utf-8",
    )
    found = load_configuration(path)

    assert [(each.name, each.kind, each.begins, each.ends) for each in found.calendar_exceptions] == [
        ("Typhoon 台風", "closed", "2026-11-21T13:00", "2026-11-21T20:00"),
        ("Typhoon 台風", "closed", "2026-11-21T20:00", None),
        ("carrier", "outage", "2026-11-21T14:00", None),
    ]
    assert (found.queues["night"].holiday_calendar, found.queues["night"].clock, found.queues["support"].clock) == (
        "JP",
        "business",
        "calendar",
    )

    path.write_text("sites: {tokyo: {zone: Asia/Tokyo, day_start: 05:05}}\ncounting: {interval_minutes: [5]}\n", encoding="utf-8")
    assert load_configuration(path).sites["tokyo"].day_start == "05:05"
