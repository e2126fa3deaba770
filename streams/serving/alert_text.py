"""An alert as a sentence, in English and Japanese."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.times import parse_time
from schemas.visible import visible
from streams.catalogue import KPI_BY_ID, LANGUAGES, WORDS
from streams.catalogue.percent import percent
from streams.serving.alerts import lasted_ms
from streams.serving.clock_text import zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from schemas.alerts import AlertConditionRecord, AlertRecord
    from streams.catalogue.words import Language

__all__ = ["figure_text", "texts_of"]

_UNITS = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))


def texts_of(alert: AlertRecord, zone: ZoneInfo) -> dict[str, str]:
    """Return ``text_en``, ``text_ja``, and both on two lines as ``text``; times are in ``zone``."""
    texts = {f"text_{language}": _Writer(language).text(alert, zone) for language in LANGUAGES}
    return {"text": "\n".join(texts.values()), **texts}


def figure_text(kpi: str, value: float | None, language: Language, limit: float | None = None) -> str:
    """Return a KPI's value as text; rounding does not move it across ``limit``."""
    if value is None:
        return "–"
    unit = KPI_BY_ID[kpi].unit if kpi in KPI_BY_ID else ""
    if unit == "ratio":
        return f"{percent(value, limit)}{'%' if language == 'ja' else ' %'}"
    if unit == "seconds":
        minutes, seconds = divmod(round(value), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{round(value, 2):g}"


def _beyond(condition: AlertRecord | AlertConditionRecord, alert: AlertRecord) -> str:
    """Return the prefix of "below" or "above": an alert fires until its figure has recovered for long enough."""
    if condition.value is None or alert.expected_at is not None:
        return ""
    is_above = condition.above is not None and condition.value > condition.above
    if is_above or (condition.below is not None and condition.value < condition.below):
        return ""
    # With "any", only the condition that fired first is known to have been breached.
    return "was_" if alert.combined != "any" or (condition.kpi, condition.window) == (alert.kpi, alert.window) else "not_"


class _Writer:
    def __init__(self, language: Language) -> None:
        self._language = language
        self._labels = WORDS[language]
        self._comma = "、" if language == "ja" else ", "

    def text(self, alert: AlertRecord, zone: ZoneInfo) -> str:
        """Return the rule's own message while the alert fires, else the sentence."""
        template = None if alert.message is None or alert.state == "cleared" else getattr(alert.message, self._language)
        return self.sentence(alert, zone) if template is None else self.filled(template, alert)

    def filled(self, template: str, alert: AlertRecord) -> str:
        """Return a message with its placeholders filled; the configuration has checked them."""
        threshold = alert.above if alert.below is None else alert.below
        return template.format(
            rule=visible(alert.rule),
            severity=self._label(f"alert.{alert.severity}"),
            scope=self._label("scope.total") if alert.scope_kind == "total" else visible(alert.scope),
            channel="" if alert.channel is None else self._labels.get(f"channel.{alert.channel}", alert.channel),
            kpi=self._name(alert.kpi, alert),
            value=figure_text(alert.kpi, alert.value, self._language, threshold),
            threshold=figure_text(alert.kpi, threshold, self._language),
        )

    def sentence(self, alert: AlertRecord, zone: ZoneInfo) -> str:
        """Return severity, scope, figures and duration."""
        shown: Sequence[AlertRecord | AlertConditionRecord] = alert.conditions or [alert]
        figures = [self._facts(condition, alert) for condition in shown]
        joint = self._label(f"alert.{alert.combined}") if alert.combined else ""
        facts = [joint.join(self._comma.join(texts) for texts in figures)]
        if alert.expected_at is not None:
            facts.append(self._label("alert.expected", time=f"{parse_time(alert.expected_at).astimezone(zone):%H:%M}"))
        if alert.state == "cleared":
            head = self._label("alert.cleared")
            facts.append(self._label(f"alert.{alert.cleared_because or 'recovered'}"))
            if (lasted := lasted_ms(alert)) is not None:
                facts.append(self._label("alert.lasted", age=self._age(lasted)))
        else:
            head = self._label(f"alert.{alert.severity}")
            since = parse_time(alert.since).astimezone(zone)
            facts.append(self._label("alert.since", time=f"{since:%Y-%m-%d %H:%M} {zone_of(since)}"))
        facts.append(self._label("alert.rule", name=visible(alert.rule)))
        return f"{head}: {self._scope(alert)} – {self._comma.join(facts)}"

    def _facts(self, condition: AlertRecord | AlertConditionRecord, alert: AlertRecord) -> list[str]:
        """Return the texts about one figure."""
        kpi = KPI_BY_ID.get(condition.kpi)
        side, threshold = ("above", condition.above) if condition.below is None else ("below", condition.below)
        facts = [f"{self._name(condition.kpi, alert)} {figure_text(condition.kpi, condition.value, self._language, threshold)}"]
        if condition.denominator is not None and condition.numerator is not None and kpi is not None and kpi.unit == "ratio":
            facts.append(self._label("alert.of", numerator=f"{condition.numerator:g}", denominator=f"{condition.denominator:g}"))
        if condition.window is not None:
            facts.append(self._label("alert.last", n=condition.window.removeprefix("trailing_").removesuffix("m")))
        if alert.state != "cleared":
            limit = figure_text(condition.kpi, threshold, self._language)
            facts.append(self._label(f"alert.{_beyond(condition, alert)}{side}", value=limit))
        return facts

    def _name(self, kpi: str, alert: AlertRecord) -> str:
        definition = KPI_BY_ID.get(kpi)
        return kpi if definition is None else definition.name(self._language, alert.channel)

    def _scope(self, alert: AlertRecord) -> str:
        kind = self._label(f"scope.{alert.scope_kind}")
        scope = kind if alert.scope_kind == "total" else f"{kind} {visible(alert.scope)}"
        if alert.channel is None:
            return scope
        channel = self._labels.get(f"channel.{alert.channel}", alert.channel)
        return f"{scope}（{channel}）" if self._language == "ja" else f"{scope} ({channel})"

    def _age(self, ms: int) -> str:
        seconds = max(0, ms // 1000)
        unit, length = next(((unit, length) for unit, length in _UNITS if seconds >= length), _UNITS[-1])
        return self._label(unit, n=f"{seconds // length}")

    def _label(self, name: str, /, **blanks: str) -> str:
        return self._labels[name].format(**blanks)
