"""The alert rules of the configuration as rules of Prometheus, so that both judge the same figures by the same terms."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.catalogue import KPI_BY_ID, metrics_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.catalogue.kpis import Kpi
    from streams.configuration.alerts import AlertRule

__all__ = ["prometheus_rules"]

_GROUP: Final = "contact-streams-configured"
_CONNECTED: Final = "and on (job, instance) contact_center_reader_connected == 1"
_STALE: Final = "and on () (max(contact_center_source_stale) == 1)"


def prometheus_rules(rules: Mapping[str, AlertRule]) -> tuple[dict[str, Any], list[str]]:
    """Return the document of a rule file, and what of the rules Prometheus cannot judge, in a sentence each."""
    found, left_out = [], []
    for name, rule in rules.items():
        kpi = KPI_BY_ID[rule.kpi]
        if not metrics_of(kpi):
            left_out.append(f"{name}: {rule.kpi} is not exported to Prometheus")
        elif rule.during != "always":
            left_out.append(f"{name}: open hours are not exported to Prometheus")
        else:
            found.append(_rule(name, rule, kpi))
    return {"groups": [{"name": _GROUP, "rules": found}]}, left_out


def _rule(name: str, rule: AlertRule, kpi: Kpi) -> dict[str, Any]:
    figure = _figure(rule, kpi, "value")
    side = "<" if rule.above is None else ">"
    firing = f'ALERTS{{alertname={_quoted(name)}, alertstate="firing"}}'
    places = "scope_kind, scope" if kpi.subject == "people" else "scope_kind, scope, channel"
    goes_on = f"and on ({places}) {firing}"
    if rule.below == "target":
        targets = 'max without (instance) (contact_center_service_level_target_ratio{scope_kind="queue"})'
        beyond = [f"{figure}\n{side} ignoring (window) group_left () {targets}"]
    else:
        threshold = rule.above if rule.below is None else rule.below
        beyond = [f"{figure} {side} {threshold!r}"]
        if rule.clear_at is not None and rule.clear_at != threshold:
            beyond.append(f"({figure} {side} {rule.clear_at!r} {goes_on})")
    whole = "\nor\n".join(beyond)
    if rule.minimum_contacts:
        whole = f"({whole})\nand {_figure(rule, kpi, 'denominator')} >= {rule.minimum_contacts}"
    # While a source is silent what fires goes on: silence is no good news.
    whole = f"{whole}\nor\n({figure} {goes_on} {_STALE})"
    told: dict[str, Any] = {"alert": name, "expr": whole, "for": f"{rule.for_seconds}s"}
    if rule.clear_for_seconds:
        told["keep_firing_for"] = f"{rule.clear_for_seconds}s"
    told["labels"] = {"severity": rule.severity}
    channel = "" if kpi.subject == "people" else " ({{ $labels.channel }})"
    told["annotations"] = {
        "summary": f"{kpi.en}: {{{{ $labels.scope_kind }}}} {{{{ $labels.scope }}}}{channel} – {{{{ $value }}}}",
        "summary_ja": f"{kpi.ja}: {{{{ $labels.scope }}}}{channel} – {{{{ $value }}}}",
    }
    return told


def _figure(rule: AlertRule, kpi: Kpi, part: str) -> str:
    metric = next(each.name for each in metrics_of(kpi) if each.part == part)
    selectors = " or ".join(f"{metric}{{{labels}}}" for labels in _selections(rule, kpi))
    whole = f"max without (instance) (({selectors}) {_CONNECTED})"
    return f"sum without ({kpi.label}) ({whole})" if kpi.label is not None else whole


def _selections(rule: AlertRule, kpi: Kpi) -> list[str]:
    """Return the label matchers of the rule's scopes, one for each kind of scope."""
    names: dict[str, list[str]] = defaultdict(list)
    for scope in rule.scopes:
        kind, _, name = scope.partition(":")
        names[kind].append(".*".join(map(re.escape, name.split("*"))))
    common = []
    if rule.window is not None:
        common.append(f"window={_quoted(rule.window.removeprefix('trailing_'))}")
    if rule.channels is not None and kpi.subject != "people":
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
