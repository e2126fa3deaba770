"""Rules that cannot work are refused, with their line and what is permitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.configuration import ConfigurationError, load_configuration

if TYPE_CHECKING:
    from pathlib import Path

CENTER = """\
counting: {trailing_minutes: [5, 15]}
sites:
  bonn: {zone: Europe/Berlin}
queues:
  sales: {channel: voice, site: bonn, target: 0.8}
  care: {channel: mail, department: back}
teams:
  red: {business: acme}
alerts:
  level:
    below: target
"""


def complaint(tmp_path: Path, rule: str) -> str:
    """Return the problems of the center with another rule, without the file's name."""
    file = tmp_path / "center.yaml"
    file.write_text(CENTER + rule, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(file)
    return str(caught.value).removeprefix(f"{file}:")


def test_defaults(tmp_path: Path) -> None:
    """Missing keys of a rule follow from its KPI."""
    file = tmp_path / "center.yaml"
    rules = "  wait: {kpi: longest_wait, above: 60}\n  busy: {kpi: occupancy, above: 0.9}\n  offered: {kpi: offered, above: 100}\n"
    file.write_text(CENTER + rules, encoding="utf-8")
    found = load_configuration(file).alerts

    settings = {name: (rule.kpi, rule.window, rule.minimum_contacts, rule.scopes) for name, rule in found.items()}
    assert settings == {
        "level": ("service_level_live", "trailing_15m", 10, ("queue:*",)),
        "wait": ("longest_wait", None, 0, ("queue:*",)),
        "busy": ("occupancy", "trailing_15m", 0, ("team:*",)),
        "offered": ("offered", "trailing_15m", 0, ("queue:*",)),
    }


@pytest.mark.parametrize(
    ("rule", "permitted"),
    [
        ("kpi: abandon_rate, above: 5", "0 or more, less than 1, or with unit: percent"),
        ("kpi: abandon_rate, above: 1", "less than 1"),
        ("kpi: abandon_rate, above: 101, unit: percent", "less than 1"),
        ("kpi: service_level, below: 80", "above 0, at most 1"),
        ("kpi: service_level, below: 0", "above 0"),
        ("kpi: service_level, below: 0.8, clear_at: 1.2", "0 to 1"),
        ("kpi: asa, below: 0", "above 0"),
        ("kpi: asa, above: -1", "0 or more"),
        ("kpi: asa, above: 5, unit: percent", "no unit"),
    ],
)
def test_what_can_never_fire_is_refused(tmp_path: Path, rule: str, permitted: str) -> None:
    """A share written as a percentage is the usual slip."""
    assert permitted in complaint(tmp_path, f"  slip: {{{rule}}}\n")


def test_shares_may_be_written_in_percent(tmp_path: Path) -> None:
    """5 percent is 0.05, also after it has been read twice."""
    file = tmp_path / "center.yaml"
    rules = "  much: {kpi: abandon_rate, above: 5, clear_at: 4, unit: percent}\n  score: {kpi: nps, below: -10}\n"
    file.write_text(CENTER + rules, encoding="utf-8")
    found = load_configuration(file)

    rule = found.alerts["much"]
    assert (rule.above, rule.clear_at) == (0.05, 0.04)
    assert type(found).model_validate(found.model_dump()).alerts["much"] == rule
    assert found.alerts["score"].below == -10


@pytest.mark.parametrize(
    ("rule", "line", "parts"),
    [
        ("    window: trailing_30m\n", 12, ("alerts.level.window", "trailing_30m", "trailing_5m, trailing_15m")),
        ("    window: day\n", 12, ("alerts.level.window", "'day'", "trailing_5m, trailing_15m")),
        ("    scopes: [queue:sales, queue:sale]\n", 12, ("alerts.level.scopes.1", "queue:sale'", "queue:sales, queue:care")),
        ("    scopes:\n      - queue:sales\n      - site:köln\n", 14, ("alerts.level.scopes.1", "site:köln", "site:bonn")),
        ("    scopes: [queue:care]\n", 11, ("alerts.level.below", "no queue that this rule is about has a target")),
        ("  asa:\n    below: 0.5\n    scopes: [team:red]\n", 14, ("alerts.asa.scopes.0", "service_level_live is not served for teams")),
        ("  busy:\n    kpi: occupancy\n    above: 0.9\n    scopes: [queue:sales]\n", 15, ("alerts.busy.scopes.0", "not served for queues")),
        ("  busy:\n    kpi: occupancy\n    above: 0.9\n    channels: [voice]\n", 12, ("alerts.busy", "has no channels")),
        ("  busy:\n    kpi: occupancy\n    above: 0.9\n    minimum_contacts: 5\n", 12, ("alerts.busy", "is not computed from contacts")),
        ("  wait:\n    kpi: asa\n    below: target\n", 12, ("alerts.wait", "not for asa")),
        ("  wait:\n    kpi: asa\n    above: 60\n    window: null\n", 12, ("alerts.wait", "asa needs a window")),
        ("  who:\n    kpi: agents_by_state\n    above: 3\n", 12, ("alerts.who", "no single figure")),
        ("  wait:\n    kpi: longest_wait\n    above: 60\n    window: trailing_5m\n", 12, ("alerts.wait", "has no window")),
        ("  both: {below: 0.8, above: 0.9}\n", 12, ("alerts.both", "either below or above")),
        ("  clear: {below: 0.8, clear_at: 0.7}\n", 12, ("alerts.clear", "must not be below 0.8")),
    ],
)
def test_the_line(tmp_path: Path, rule: str, line: int, parts: tuple[str, ...]) -> None:
    """Line, place, what is wrong, and those there are."""
    message = complaint(tmp_path, rule)

    assert message.startswith(f"{line}: {parts[0]}")
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("all: [{kpi: waiting, above: 5}]", "at least 2"),
        ("all: [{kpi: waiting, above: 5}, {kpi: asa, above: 60}], kpi: asa", "kpi is beside all; permitted: in each"),
        ("any: [{kpi: waiting, above: 5}, {kpi: asa, above: 60}], above: 5", "above is beside any; permitted: in each"),
        ("any: [{kpi: waiting, above: 5}, {kpi: asa}]", "either below or above"),
        ("any: [{kpi: waiting, above: 5}, {kpi: asa, above: 60, window: day}]", "'day' is not among the trailing windows"),
        ("any: [{kpi: waiting, above: 5}, {kpi: occupancy, above: 0.9}]", "some conditions are about agents"),
        ("all: [{kpi: asa, above: 60}, {below: target}], scopes: [queue:care]", "no queue that this rule is about has a target"),
        ("all: [{kpi: asa, above: 6}, {kpi: asa, above: 60}], any: [{kpi: asa, above: 6}, {kpi: asa, above: 7}]", "either all or any"),
        ("all: [{kpi: occupancy, above: 0.9}, {kpi: occupancy, above: 0.8}], channels: [voice]", "has no channels"),
        ("expected_within_minutes: 30", "either below or above"),
        ("expected_within_minutes: 30, kpi: asa, above: 60", "permitted with expected_within_minutes: kpi: service_level, and below"),
        ("expected_within_minutes: 30, below: 0.8, window: trailing_15m", "no window"),
        ("expected_within_minutes: 30, below: 0.8, clear_at: 0.9", "no clear_at"),
        ("expected_within_minutes: 30, below: 0.8, during: business_hours", "no during"),
        ("expected_within_minutes: 30, below: 0.8, channels: [voice, mail]", "only calls are expected"),
        ("expected_within_minutes: 30, below: 0.8, scopes: [total:all]", "what is expected is not served for totals; permitted: queue"),
        ("expected_within_minutes: 121, below: 0.8", "120"),
        ("below: 0.8, message: {}", "en, ja, or both"),
        ("below: 0.8, message: {en: 'call {who}'}", "{who} is no blank; permitted: {rule}, {severity}"),
        ("below: 0.8, message: {en: '{value:.3f}'}", "{value} is no blank"),
        ("below: 0.8, message: {en: '{value!r}'}", "{value} is no blank"),
        ("below: 0.8, message: {en: '{scope.__class__}'}", "is no blank"),
        ("below: 0.8, message: {ja: '{kpi'}", "a brace without its other one"),
        ("below: 0.8, message: {ja: '{{ $labels.scope }}'}", "two braces together"),
        ('below: 0.8, message: {en: "two\\nlines"}', "one line"),
        ("below: 0.8, message: {de: 'Hallo'}", "de"),
    ],
)
def test_several_figures_what_is_expected_and_messages(tmp_path: Path, rule: str, part: str) -> None:
    """What makes no sense is refused, with what is permitted."""
    assert part in complaint(tmp_path, f"  slip: {{{rule}}}\n")


def test_defaults_of_several_figures(tmp_path: Path) -> None:
    """Each condition has the defaults of its KPI, the rule those of what it is about; read twice it is the same."""
    file = tmp_path / "center.yaml"
    rules = """\
  busy: {all: [{kpi: occupancy, above: 90, unit: percent}, {kpi: occupancy, window: trailing_5m, above: 0.8}]}
  soon: {expected_within_minutes: 30, below: target, message: {en: "{scope}: {value}, {threshold} to reach"}}
  flood: {any: [{kpi: waiting, above: 5}, {below: target}], severity: critical}
"""
    file.write_text(CENTER + rules, encoding="utf-8")
    found = load_configuration(file)
    busy, soon, flood = (found.alerts[name] for name in ("busy", "soon", "flood"))

    assert (busy.scopes, busy.about_people) == (("team:*",), True)
    assert [(each.window, each.above, each.minimum_contacts) for each in busy.conditions] == [
        ("trailing_15m", 0.9, 0),
        ("trailing_5m", 0.8, 0),
    ]
    assert (soon.kpi, soon.window, soon.minimum_contacts, soon.is_expected) == ("service_level", None, 10, True)
    assert [(each.kpi, each.window, each.minimum_contacts) for each in flood.conditions] == [
        ("waiting", None, 0),
        ("service_level_live", "trailing_15m", 10),
    ]
    assert type(found).model_validate(found.model_dump()).alerts == found.alerts


@pytest.mark.parametrize("scope", ["queue:anything *", "site:bonn", "department:back", "business:acme", "total:all", "site:k*"])
def test_scopes_that_may_come(tmp_path: Path, scope: str) -> None:
    """A pattern with a wildcard may fit what is found later; a configured scope is one."""
    file = tmp_path / "center.yaml"
    file.write_text(f"{CENTER}  other: {{kpi: asa, above: 60, scopes: [{scope!r}]}}\n", encoding="utf-8")

    assert load_configuration(file).alerts["other"].scopes == (scope,)
