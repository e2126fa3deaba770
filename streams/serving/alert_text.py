"""An alert as a sentence for people, in English and Japanese."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from schemas.times import parse_time, parse_time_ms
from schemas.visible import visible
from streams.catalogue import KPI_BY_ID, LANGUAGES, WORDS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from schemas.alerts import AlertRecord
    from streams.catalogue.words import Language

__all__ = ["texts_of"]

_UNITS = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))


def texts_of(alert: AlertRecord, zone: ZoneInfo) -> dict[str, str]:
    """Return ``text_en``, ``text_ja``, and both on two lines as ``text``; times are those of the zone."""
    texts = {f"text_{language}": _Speaker(language).sentence(alert, zone) for language in LANGUAGES}
    return {"text": "\n".join(texts.values()), **texts}


class _Speaker:
    def __init__(self, language: Language) -> None:
        self._language = language
        self._words = WORDS[language]
        self._comma = "、" if language == "ja" else ", "

    def sentence(self, alert: AlertRecord, zone: ZoneInfo) -> str:
        kpi = KPI_BY_ID.get(alert.kpi)
        name = alert.kpi if kpi is None else getattr(kpi, self._language)
        facts = [f"{name} {self._figure(alert, alert.value)}"]
        if alert.denominator is not None and alert.numerator is not None and kpi is not None and kpi.unit == "ratio":
            facts.append(self._word("alert.of", numerator=f"{alert.numerator:g}", denominator=f"{alert.denominator:g}"))
        if alert.window is not None:
            facts.append(self._word("alert.last", n=alert.window.removeprefix("trailing_").removesuffix("m")))
        if alert.state == "cleared":
            head = self._word("alert.cleared")
            facts.append(self._word(f"alert.{alert.cleared_because or 'recovered'}"))
            if alert.cleared_at is not None:
                facts.append(self._word("alert.lasted", age=self._age(parse_time_ms(alert.cleared_at) - parse_time_ms(alert.since))))
        else:
            head = self._word(f"alert.{alert.severity}")
            side, threshold = ("above", alert.above) if alert.below is None else ("below", alert.below)
            facts.append(self._word(f"alert.{side}", value=self._figure(alert, threshold)))
            since = parse_time(alert.since).astimezone(zone)
            facts.append(self._word("alert.since", time=f"{since:%Y-%m-%d %H:%M %Z}"))
        facts.append(self._word("alert.rule", name=visible(alert.rule)))
        return f"{head}: {self._scope(alert)} – {self._comma.join(facts)}"

    def _scope(self, alert: AlertRecord) -> str:
        kind = self._word(f"scope.{alert.scope_kind}")
        scope = kind if alert.scope_kind == "total" else f"{kind} {visible(alert.scope)}"
        if alert.channel is None:
            return scope
        channel = self._words.get(f"channel.{alert.channel}", alert.channel)
        return f"{scope}（{channel}）" if self._language == "ja" else f"{scope} ({channel})"

    def _figure(self, alert: AlertRecord, value: float | None) -> str:
        if value is None:
            return "–"
        unit = KPI_BY_ID[alert.kpi].unit if alert.kpi in KPI_BY_ID else ""
        if unit == "ratio":
            # Cut, not rounded, as on the page: 79.96 % has not reached 80 %.
            return f"{math.floor(value * 1000 + 1e-9) / 10:.1f}{'%' if self._language == 'ja' else ' %'}"
        if unit == "seconds":
            minutes, seconds = divmod(round(value), 60)
            hours, minutes = divmod(minutes, 60)
            return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
        return f"{round(value, 2):g}"

    def _age(self, ms: int) -> str:
        seconds = max(0, ms // 1000)
        unit, length = next(((unit, length) for unit, length in _UNITS if seconds >= length), _UNITS[-1])
        return self._word(unit, n=f"{seconds // length}")

    def _word(self, name: str, /, **blanks: str) -> str:
        return self._words[name].format(**blanks)
