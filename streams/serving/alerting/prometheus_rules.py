"""Translate the configured alert rules into Prometheus rules, so that both evaluate the same figures alike."""

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
#: How Prometheus shows a value, by unit.
_SHOWN: Final = {"ratio": " | humanizePercentage", "seconds": " | humanizeDuration"}
_STALE: Final = "and on () (max(contact_center_source_stale) == 1)"


def prometheus_rules(rules: Mapping[str, AlertRule]) -> tuple[dict[str, Any], list[str]]:
    """Return the document of a rule file, and a sentence for each rule that Prometheus cannot evaluate."""
    translated, left_out = [], []
    for name, rule in rules.items():
        hidden = [each.kpi for each in rule.conditions if not metrics_of(KPI_BY_ID[each.kpi])]
        if hidden:
            left_out.append(f"{name}: {', '.join(hidden)} is not exported to Prometheus")
        elif rule.is_expected:
            left_out.append(f"{name}: what is expected is not exported to Prometheus")
        elif rule.during != "always":
            left_out.append(f"{name}: open hours are not exported to Prometheus")
        else:
            translated.append(_rule(name, rule))
    return {"groups": [{"name": _GROUP, "rules": translated}]}, left_out


def _rule(name: str, rule: AlertRule) -> dict[str, Any]:
    firing = f'ALERTS{{alertname={_quoted(name)}, alertstate="firing"}}'
    labels = "scope_kind, scope" if rule.about_people else "scope_kind, scope, channel"
    still_firing = f"and on ({labels}) {firing}"
    if len(rule.conditions) == 1:
        expression, figure = _single(rule, still_firing)
    else:
        expression, figure = _several(rule, labels, still_firing)
    # While a source is silent an alert keeps firing: silence is no recovery.
    expression = f"{expression}\nor\n({figure} {still_firing} {_STALE})"
    document: dict[str, Any] = {"alert": name, "expr": expression, "for": f"{rule.for_seconds}s"}
    if rule.clear_for_seconds:
        document["keep_firing_for"] = f"{rule.clear_for_seconds}s"
    document["labels"] = {"severity": rule.severity}
    document["annotations"] = _annotations(name, rule)
    return document


def _single(rule: AlertRule, still_firing: str) -> tuple[str, str]:
    """Return the breach of a rule of one figure, and the figure, as expressions."""
    figure, side = _figure(rule, rule, "value"), _side(rule)
    if rule.below == "target":
        beyond = [f"{figure}\n{side} ignoring (window) group_left () {_TARGETS}"]
    else:
        threshold = rule.threshold(None)
        beyond = [f"{figure} {side} {threshold!r}"]
        if rule.clear_at is not None and rule.clear_at != threshold:
            beyond.append(f"({figure} {side} {rule.clear_at!r} {still_firing})")
    expression = "\nor\n".join(beyond)
    if rule.minimum_contacts:
        expression = f"({expression})\nand {_figure(rule, rule, 'denominator')} >= {rule.minimum_contacts}"
    return expression, figure


def _several(rule: AlertRule, labels: str, still_firing: str) -> tuple[str, str]:
    """Return the breach of a rule of several figures, and any of its figures, as expressions with these labels alone."""
    joint = "\nand\n" if rule.any is None else "\nor\n"

    def one(condition: AlertCondition, part: str) -> str:
        return f"max by ({labels}) ({_figure(rule, condition, part)})"

    def beyond(condition: AlertCondition, *, still: bool) -> str:
        if condition.below == "target":
            expression = f"{one(condition, 'value')} < on ({labels}) max by ({labels}) ({_TARGETS})"
        else:
            threshold = condition.clear_at if still and condition.clear_at is not None else condition.threshold(None)
            expression = f"{one(condition, 'value')} {_side(condition)} {threshold!r}"
        if condition.minimum_contacts:
            expression = f"{expression} and {one(condition, 'denominator')} >= {condition.minimum_contacts}"
        return f"({expression})"

    breach = joint.join(beyond(each, still=False) for each in rule.conditions)
    if any(each.clear_at is not None for each in rule.conditions):
        still = joint.join(beyond(each, still=True) for each in rule.conditions)
        breach = f"({breach})\nor\n(({still}) {still_firing})"
    if rule.any is not None and rule.of_a_target:
        breach = f"({breach})\nand on ({labels}) {_TARGETS}"
    return f"({breach})", f"({' or '.join(one(each, 'value') for each in rule.conditions)})"


def _side(condition: AlertCondition) -> str:
    return "<" if condition.above is None else ">"


def _annotations(name: str, rule: AlertRule) -> dict[str, str]:
    kpis = [KPI_BY_ID[each.kpi] for each in rule.conditions]
    channel = "" if rule.about_people else " ({{ $labels.channel }})"
    english, japanese = " / ".join(each.en for each in kpis), " / ".join(each.ja for each in kpis)
    annotations = {
        "summary": f"{english}: {{{{ $labels.scope_kind }}}} {{{{ $labels.scope }}}}{channel} – {{{{ $value }}}}",
        "summary_ja": f"{japanese}: {{{{ $labels.scope }}}}{channel} – {{{{ $value }}}}",
    }
    keys: dict[Language, str] = {"en": "description", "ja": "description_ja"}
    for language, key in keys.items():
        template = None if rule.message is None else getattr(rule.message, language)
        if template is not None:
            annotations[key] = template.format(**_blanks(name, rule, language))
    return annotations


def _blanks(name: str, rule: AlertRule, language: Language) -> dict[str, str]:
    """Return the values for the blanks of a message; Prometheus fills in the labels and the value."""
    first = rule.conditions[0]
    shown = _SHOWN.get(KPI_BY_ID[first.kpi].unit, "")
    threshold = first.threshold(None)
    texts = WORDS[language]
    return {
        "rule": name.replace("{{", "{ {"),
        "severity": texts[f"alert.{rule.severity}"],
        "scope": "{{ $labels.scope }}",
        "channel": "" if rule.about_people else "{{ $labels.channel }}",
        "kpi": str(getattr(KPI_BY_ID[first.kpi], language)),
        "value": f"{{{{ $value{shown} }}}}",
        "threshold": texts["alert.its_target"] if threshold is None else figure_text(first.kpi, threshold, language),
    }


def _figure(rule: AlertRule, condition: AlertCondition, part: str) -> str:
    kpi = KPI_BY_ID[condition.kpi]
    metric = next(each.name for each in metrics_of(kpi) if each.part == part)
    selectors = " or ".join(f"{metric}{{{labels}}}" for labels in _selections(rule, condition))
    expression = f"max without (instance) (({selectors}) {_CONNECTED})"
    return f"sum without ({kpi.label}) ({expression})" if kpi.label is not None else expression


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
    selections = []
    for kind, patterns in names.items():
        matchers = [f"scope_kind={_quoted(kind)}", *common]
        if ".*" not in patterns:
            matchers.insert(1, f"scope=~{_quoted('|'.join(patterns))}")
        selections.append(", ".join(matchers))
    return selections


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()
