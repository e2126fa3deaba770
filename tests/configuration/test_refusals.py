"""What is refused in a configuration: the line, the reason, and what is permitted, each in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.configuration import ConfigurationError, load_configuration

if TYPE_CHECKING:
    from pathlib import Path

#: Problem → the file, and every line of the message.
REFUSALS: dict[str, tuple[str, list[str]]] = {
    "unknown key": (
        "servce_level: {threshold_s: 20}\n",
        ["1: servce_level: unknown key, did you mean service_level?; permitted: default_zone, service_level, definitions,"],
    ),
    "unknown key in a list's neighbor": (
        "teams:\n  a:\n    bussiness: x\n",
        ["3: teams.a.bussiness: unknown key, did you mean business?; permitted: site, business"],
    ),
    "required key": (
        "sites:\n  tokyo:\n    day_start: '05:00'\n",
        ["2: sites.tokyo.zone: required; permitted: IANA names such as UTC, Europe/Berlin or Asia/Tokyo"],
    ),
    "unknown zone": (
        "sites:\n  bonn: {zone: Europe/Bonn}\n",
        ["2: sites.bonn.zone: unknown time zone 'Europe/Bonn'; permitted: IANA names such as UTC, Europe/Berlin or Asia/Tokyo"],
    ),
    "threshold below zero": (
        "service_level:\n  threshold_s: -1\n",
        ["2: service_level.threshold_s: found -1; permitted: a number, above 0, at most 2592000"],
    ),
    "no time for a reply": (
        "queues:\n  sales:\n    reply_target_seconds: 0\n",
        ["3: queues.sales.reply_target_seconds: found 0; permitted: a whole number, 1 to 31536000"],
    ),
    "three decimals": (
        "costs: {currency: EUR, hourly: 1.005}\n",
        ["1: costs.hourly: found 1.005; permitted: a number with at most two decimals"],
    ),
    "no currency": (
        "costs: {currency: yen, hourly: 1}\n",
        ['1: costs.currency: found "yen"; permitted: an ISO 4217 code such as JPY or EUR'],
    ),
    "two currencies": (
        "costs: {currency: EUR, hourly: 20}\nteams:\n  a:\n    costs:\n      currency: JPY\n",
        ["5: teams.a.costs.currency: 'JPY' and 'EUR' would be added up, at least in total; permitted: EUR, or no currency here (line 1)"],
    ),
    "costs of a team alone": (
        "teams:\n  a:\n    costs: {hourly: 20}\n",
        ["3: teams.a.costs: a team's costs count only beside `costs`; permitted: with `costs`, its currency and hourly"],
    ),
    "neither work nor not": (
        "planned_activities:\n  lunch: brake\n",
        ['2: planned_activities.lunch: found "brake"; permitted: work, not_work'],
    ),
    "text for a number": (
        "service_level:\n  threshold_s: '20'\n",
        ['2: service_level.threshold_s: found "20"; permitted: a number, above 0, at most 2592000'],
    ),
    "true for a number": (
        "service_level:\n  threshold_s: true\n",
        ["2: service_level.threshold_s: found true; permitted: a number, above 0, at most 2592000"],
    ),
    "list for keys": (
        "queues:\n  - sales\n",
        ["1: queues: found a list; permitted: keys and values: a text of 1 to 100 characters, each with keys and values, with the keys "],
    ),
    "nothing for keys": (
        "queues:\n  sales:\n",
        ["2: queues.sales: found nothing; permitted: keys and values, with the keys business_hours"],
    ),
    "word in a list": (
        "service_level:\n  flow_out_negative:\n    - timeout\n    - timeuot\n",
        ['4: service_level.flow_out_negative.1: found "timeuot", did you mean timeout?; permitted: timeout, overflow, voicemail,'],
    ),
    "unknown axis": (
        "agent_state_map:\n  presense: {busy: idle}\n",
        ['2: agent_state_map.presense: found "presense", did you mean presence?; permitted: presence, routing, activity'],
    ),
    "unknown preset": (
        "queues:\n  sales:\n    service_level: {preset: genesys}\n",
        ['3: queues.sales.service_level.preset: found "genesys", did you mean genesys-cloud?; permitted: amazon-connect, genesys-default,'],
    ),
    "unknown definition": (
        (
            "definitions: {standard: {}, strict: {}}\ndefault_definitions: [standart]\nqueues:\n  a: {definitions: [standard, strct]}\n"
            "  b:\n    definitions:\n      voice: [strict]\n      chat: [other]\n"
        ),
        [
            "2: default_definitions.0: 'standart' is not among definitions, did you mean standard?; permitted: standard, strict",
            "4: queues.a.definitions.1: 'strct' is not among definitions, did you mean strict?; permitted: standard, strict",
            "8: queues.b.definitions.chat.0: 'other' is not among definitions; permitted: standard, strict",
        ],
    ),
    "definitions of an unknown channel": (
        "definitions: {standard: {}}\nqueues:\n  a: {definitions: {voic: [standard]}}\n",
        ["3: queues.a.definitions: 'voic' is no channel; permitted: voice, mail,"],
    ),
    "five definitions": (
        "definitions: {a: {}, b: {}, c: {}, d: {}, e: {}}\ndefault_definitions: [a, b, c, d, e]\n",
        ["2: default_definitions: found a, b, c, d, e; permitted: 1 to 4 names, each once"],
    ),
    "definitions and a definition of its own": (
        "definitions: {standard: {}}\nqueues:\n  a:\n    service_level: {}\n    definitions: [standard]\n",
        ["5: queues.a.definitions: service_level is given too; permitted: one of the two (line 4)"],
    ),
    "definition of a name that is taken": (
        "definitions:\n  service_level: {}\n",
        ["2: definitions.service_level: 'service_level' is reserved for service_level; permitted: another name"],
    ),
    "versions that do not increase": (
        "definitions:\n  a:\n    - {version: 2}\n    - {version: 2, effective_from: 2027-01-01T00:00:00Z}\n",
        ["4: definitions.a.1.version: version 2 follows version 2; permitted: versions that increase (line 3)"],
    ),
    "versions at one time": (
        "definitions:\n  a:\n    - {effective_from: 2027-01-01T09:00+09:00}\n    - {version: 2, effective_from: 2027-01-01T00:00:00Z}\n",
        ["4: definitions.a.1.effective_from: version 2 is effective at the same time as version 1; permitted: an instant after that"],
    ),
    "version that never takes effect": (
        "definitions:\n  a:\n    - {}\n    - {version: 2}\n",
        ["4: definitions.a.1.effective_from: version 2 needs effective_from; permitted: an instant with an offset, such as 2026"],
    ),
    "instant without an offset": (
        "definitions:\n  a:\n    - {effective_from: 2027-01-01T09:00}\n",
        ["3: definitions.a.0.effective_from: no instant; permitted: an instant with an offset, such as 2026-04-01T00:00:00+09:00; found"],
    ),
    "threshold below zero in a version": (
        "definitions:\n  a:\n    - {}\n    - version: 2\n      threshold_s: -1\n      effective_from: 2027-01-01T00:00:00Z\n",
        ["5: definitions.a.1.threshold_s: found -1; permitted: a number, above 0, at most 2592000"],
    ),
    "handle time without talk": (
        "definitions:\n  a:\n    aht_parts: [hold, wrap_up]\n",
        ["3: definitions.a.0.aht_parts: without talk it is another figure; permitted: talk, with or without hold and wrap_up"],
    ),
    "unknown site and team": (
        "sites:\n  tokyo: {zone: Asia/Tokyo}\nqueues:\n  sales: {site: tokio}\npeople:\n  ann: {team: red}\n",
        [
            "4: queues.sales.site: 'tokio' is not among sites, did you mean tokyo?; permitted: tokyo",
            "6: people.ann.team: 'red' is not among teams; permitted: none, for there are no teams",
        ],
    ),
    "key twice": (
        "queues:\n  sales: {}\n  support: {}\n  sales: {channel: chat}\n",
        ["4: the key 'sales' is here twice, first in line 2; permitted: once"],
    ),
    "overlapping hours": (
        "sites:\n  tokyo:\n    zone: Asia/Tokyo\n    business_hours:\n      mon-fri:\n        - 09:00-12:30\n        - 12:00-17:00\n",
        [
            '7: sites.tokyo.business_hours.mon-fri.1: "12:00-17:00" overlaps "09:00-12:30"; permitted: spans that do not (line 6)',
        ],
    ),
    "overlap past midnight": (
        "queues:\n  night:\n    business_hours:\n      sun: [22:00-02:00]\n      mon: [01:00-05:00]\n",
        ['5: queues.night.business_hours.mon.0: "01:00-05:00" overlaps "22:00-02:00"; permitted: spans that do not (line 4)'],
    ),
    "day twice": (
        "sites:\n  a:\n    zone: UTC\n    business_hours:\n      mon-fri: [09:00-17:00]\n      fri: [09:00-15:00]\n",
        ["6: sites.a.business_hours.fri: fri is in mon-fri already; permitted: each day once (line 5)"],
    ),
    "not a weekday": (
        "sites:\n  a:\n    zone: UTC\n    business_hours: {weekdays: [09:00-17:00]}\n",
        ['4: sites.a.business_hours.weekdays: found "weekdays"; permitted: days such as mon, mon-fri or sat,sun'],
    ),
    "not a span": (
        "sites:\n  a:\n    zone: UTC\n    business_hours:\n      mon: [9-17]\n",
        ['5: sites.a.business_hours.mon.0: found "9-17"; permitted: local times such as "09:00-12:30"; "22:00-02:00" passes midnight,'],
    ),
    "span without length": (
        "sites:\n  a:\n    zone: UTC\n    business_hours:\n      mon: [09:00-09:00]\n",
        ['5: sites.a.business_hours.mon.0: "09:00-09:00" has no length; permitted: two different times,'],
    ),
    "no such date": (
        "sites:\n  a:\n    zone: UTC\n    holidays:\n      - 2026-12-25\n      - 2026-02-30\n",
        ['6: sites.a.holidays.1: no such day; permitted: a date such as "2026-12-25"; found "2026-02-30"'],
    ),
    "closed and open on a date": (
        "sites:\n  a:\n    zone: UTC\n    exceptions: {2026-12-24: [09:00-12:00]}\n    holidays: [2026-12-24]\n",
        ["5: sites.a.holidays.0: 2026-12-24 is among exceptions too; permitted: a date in one of them (line 4)"],
    ),
    "identity of two people": (
        "people:\n  anna:\n    identities: {pbx: [1001]}\n  ben:\n    identities:\n      chat: [1001]\n      pbx: ['1001']\n",
        ["7: people.ben.identities.pbx.0: '1001' of pbx is anna's already; permitted: an id once (line 3)"],
    ),
    "a source in two lists": (
        "joined_sources:\n- [pbx-*, survey]\n- - orders\n  - pbx-tokyo\n  - s*y\n",
        [
            "4: joined_sources.1.1: 'pbx-tokyo' and 'pbx-*' match the same sources in two lists; permitted: a source in one list (line 2)",
            "5: joined_sources.1.2: 's*y' and 'survey' match the same sources in two lists; permitted: a source in one list (line 2)",
        ],
    ),
    "an empty list of joined sources": (
        "joined_sources:\n- []\n",
        ["2: joined_sources.0: found a list; permitted: a list, at least 1: a text of 1 to 100 characters"],
    ),
    "identity that is a name": (
        "people:\n  anna:\n    identities: {pbx: [ben]}\n  ben: {}\n",
        ["3: people.anna.identities.pbx.0: 'ben' is another person's name; permitted: ids that are not (line 4)"],
    ),
    "alert about no figure": (
        "alerts:\n  a: {kpi: service_levl, below: 0.8}\n",
        ["2: alerts.a: unknown kpi 'service_levl', did you mean service_level?; permitted: offered, answered,"],
    ),
    "alert about a window that is not kept": (
        "alerts:\n  a:\n    below: 0.8\n    window: trailing_6m\n",
        ["4: alerts.a.window: 'trailing_6m' is not among the trailing windows, did you mean trailing_60m?; permitted: trailing_5m,"],
    ),
    "alert about a queue that is not there": (
        "queues: {sales: {}}\nalerts:\n  a:\n    below: 0.8\n    scopes:\n      - queue:*\n      - queue:sale\n",
        ["7: alerts.a.scopes.1: 'queue:sale' is not configured, did you mean queue:sales?; permitted: queue:sales"],
    ),
    "alert without a threshold": ("alerts:\n  a: {kpi: waiting}\n", ["2: alerts.a: permitted: either below or above"]),
    "FAQ change without an offset": (
        "faq_changes:\n  - {at: '2026-11-05T09:00:00', category: Returns, name: x, days: 15}\n",
        [
            '2: faq_changes.0.at: no instant; permitted: an instant with an offset, such as 2026-04-01T00:00:00+09:00; found "2026-11',
            "2: faq_changes.0.days: found 15; permitted: a whole number, 1 to 14",
        ],
    ),
    "tab": ("queues:\n\tsales: {}\n", ["2: is not valid YAML: a tab before a key or value; permitted: spaces"]),
    "open bracket": (
        "default_zone: UTC\nqueues: [\n",
        ["3: is not valid YAML: expected the node content, but found '<stream end>'"],
    ),
    "no keys": ("- a\n", ["1: found a list; permitted: keys and values, with the keys default_zone, service_level,"]),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refused_with_line_reason_and_what_is_permitted(what: str, tmp_path: Path) -> None:
    """Each line of the message begins as in the table, and there is no other."""
    text, expected = REFUSALS[what]
    path = tmp_path / "center.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)

    message = str(caught.value).splitlines()
    assert [line[: len(str(path)) + 1 + len(wanted)] for line, wanted in zip(message, expected, strict=True)] == [
        f"{path}:{wanted}" for wanted in expected
    ]
