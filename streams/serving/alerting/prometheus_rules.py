"""The alert rules of the configuration as rules of Prometheus, so that both judge the same figures by the same terms."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.catalogue import KPI_BY_ID, WORDS, metrics_of
from streams.serving.alert_text import figure_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.catalogue.words import Language
    from streams.configuration.alert_conditions import AlertCondition
    from streams.configuration.alerts import AlertRule

__all__ = ["prometheus_rules"]

_GROUP: Final = "contact-streams-configured"
_CONNECTED: Final = "and on (job, instance) contact_center_reader_connected == 1"
_TARGETS: Final = 'max without (instance) (contact_center_service_level_target_ratio{scope_kind="queue"})'
#: How Prometheus is to show a value, by unit.
_SHOWN: Final = {"ratio": " | humanizePercentage", "seconds": " | humanizeDuration"}
_STALE: Final = "and on () (max(contact_center_source_stale) == 1)"


def prometheus_rules(rules: Mapping[str, AlertRule]) -> tuple[dict[str, Any], list[str]]:
    """Return the document of a rule file, and what of the rules Prometheus cannot judge, in a sentence each."""
    found, left_out = [], []
    for name, rule in rules.items():
        hidden = [each.kpi for each in rule.conditions if not metrics_of(KPI_BY_ID[each.kpi])]
        if hidden:
            left_out.append(f"{name}: {', '.join(hidden)} is not exported to Prometheus")
        elif rule.is_expected:
            left_out.append(f"{name}: what is expected is not exported to Prometheus")
        elif rule.during != "always":
            left_out.append(f"{name}: open hours are not exported to Prometheus")
        else:
            found.append(_rule(name, rule))
    return {"groups": [{"name": _GROUP, "rules": found}]}, left_out


def _rule(name: str, rule: AlertRule) -> dict[str, Any]:
    firing = f'ALERTS{{alertname={_quoted(name)}, alertstate="firing"}}'
    places = "scope_kind, scope" if rule.about_people else "scope_kind, scope, channel"
    goes_on = f"and on ({places}) {firing}"
    if len(rule.conditions) == 1:
        whole, figure = _alone(rule, goes_on)
    else:
        whole, figure = _several(rule, places, goes_on)
    # While a source is silent what fires goes on: silence is no good news.
    whole = f"{whole}\nor\n({figure} {goes_on} {_STALE})"
    told: dict[str, Any] = {"alert": name, "expr": whole, "for": f"{rule.for_seconds}s"}
    if rule.clear_for_seconds:
        told["keep_firing_for"] = f"{rule.clear_for_seconds}s"
    told["labels"] = {"severity": rule.severity}
    told["annotations"] = _annotations(name, rule)
    return told


def _alone(rule: AlertRule, goes_on: str) -> tuple[str, str]:
    """Return when a rule of one figure is beyond, and its figure."""
    figure, side = _figure(rule, rule, "value"), _side(rule)
    if rule.below == "target":
        beyond = [f"{figure}\n{side} ignoring (window) group_left () {_TARGETS}"]
    else:
        threshold = rule.threshold(None)
        beyond = [f"{figure} {side} {threshold!r}"]
        if rule.clear_at is not None and rule.clear_at != threshold:
            beyond.append(f"({figure} {side} {rule.clear_at!r} {goes_on})")
    whole = "\nor\n".join(beyond)
    if rule.minimum_contacts:
        whole = f"({whole})\nand {_figure(rule, rule, 'denominator')} >= {rule.minimum_contacts}"
    return whole, figure


def _several(rule: AlertRule, places: str, goes_on: str) -> tuple[str, str]:
    """Return when a rule of several figures is beyond, and any of its figures; all with the labels of places alone."""
    joint = "\nand\n" if rule.any is None else "\nor\n"

    def one(condition: AlertCondition, part: str) -> str:
        return f"max by ({places}) ({_figure(rule, condition, part)})"

    def beyond(condition: AlertCondition, *, still: bool) -> str:
        if condition.below == "target":
            whole = f"{one(condition, 'value')} < on ({places}) max by ({places}) ({_TARGETS})"
        else:
            threshold = condition.clear_at if still and condition.clear_at is not None else condition.threshold(None)
            whole = f"{one(condition, 'value')} {_side(condition)} {threshold!r}"
        if condition.minimum_contacts:
            whole = f"{whole} and {one(condition, 'denominator')} >= {condition.minimum_contacts}"
        return f"({whole})"

    found = joint.join(beyond(each, still=False) for each in rule.conditions)
    if any(each.clear_at is not None for each in rule.conditions):
        still = joint.join(beyond(each, still=True) for each in rule.conditions)
        found = f"({found})\nor\n(({still}) {goes_on})"
    if rule.any is not None and rule.of_a_target:
        found = f"({found})\nand on ({places}) {_TARGETS}"
    return f"({found})", f"({' or '.join(one(each, 'value') for each in rule.conditions)})"


def _side(condition: AlertCondition) -> str:
    return "<" if condition.above is None else ">"


def _annotations(name: str, rule: AlertRule) -> dict[str, str]:
    kpis = [KPI_BY_ID[each.kpi] for each in rule.conditions]
    channel = "" if rule.about_people else " ({{ $labels.channel }})"
    english, japanese = " / ".join(each.en for each in kpis), " / ".join(each.ja for each in kpis)
    told = {
        "summary": f"{english}: {{{{ $labels.scope_kind }}}} {{{{ $labels.scope }}}}{channel} – {{{{ $value }}}}",
        "summary_ja": f"{japanese}: {{{{ $labels.scope }}}}{channel} – {{{{ $value }}}}",
    }
    keys: dict[Language, str] = {"en": "description", "ja": "description_ja"}
    for language, key in keys.items():
        template = None if rule.message is None else getattr(rule.message, language)
        if template is not None:
            told[key] = template.format(**_blanks(name, rule, language))
    return told


def _blanks(name: str, rule: AlertRule, language: Language) -> dict[str, str]:
    """Return what fills the blanks of a message, for Prometheus to fill in the rest."""
    first = rule.conditions[0]
    shown = _SHOWN.get(KPI_BY_ID[first.kpi].unit, "")
    threshold = first.threshold(None)
    words = WORDS[language]
    return {
        "rule": name.replace("{{", "{ {"),
        "severity": words[f"alert.{rule.severity}"],
        "scope": "{{ $labels.scope }}",
        "channel": "" if rule.about_people else "{{ $labels.channel }}",
        "kpi": str(getattr(KPI_BY_ID[first.kpi], language)),
        "value": f"{{{{ $value{shown} }}}}",
        "threshold": words["alert.its_target"] if threshold is None else figure_text(first.kpi, threshold, language),
    }


def _figure(rule: AlertRule, condition: AlertCondition, part: str) -> str:
    kpi = KPI_BY_ID[condition.kpi]
    metric = next(each.name for each in metrics_of(kpi) if each.part == part)
    selectors = " or ".join(f"{metric}{{{labels}}}" for labels in _selections(rule, condition))
    whole = f"max without (instance) (({selectors}) {_CONNECTED})"
    return f"sum without ({kpi.label}) ({whole})" if kpi.label is not None else whole


def _selections(rule: AlertRule, condition: AlertCondition) -> list[str]:
    """Return the label matchers of the rule's scopes, one for each kind of scope."""
    names: dict[str, list[str]] = defaultdict(list)
    for scope in rule.scopes:
        kind, _, name = scope.partition(":")
        names[kind].append(".*".join(map(re.escape, name.split("*"))))
    common = []
    if condition.window is not None:
        common.append(f"window={_quoted(condition.window.removeprefix('trailing_'))}")
    if rule.channels is not None and not rule.about_people:
        common.append(f"channel=~{_quoted('|'.join(map(re.escape, rule.channels)))}")
    found = []
    for kind, patterns in names.items():
        matchers = [f"scope_kind={_quoted(kind)}", *common]
        if ".*" not in patterns:
            matchers.insert(1, f"scope=~{_quoted('|'.join(patterns))}")
        found.append(", ".join(matchers))
    return found


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()
