"""``contact-streams faq-changes``: compare self-service before and after each configured change of the FAQ."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError

from streams.catalogue import KPI_BY_ID, LANGUAGES
from streams.catalogue.percent import percent
from streams.commands.common import add_kafka_options, add_log_option, fail, start_logging, write_json
from streams.commands.kafka_security import KafkaSecurityError, kafka_client_options
from streams.configuration import ConfigurationError, load_configuration
from streams.connectors.publishing import kafka_trouble
from streams.serving.broker import TopicError
from streams.serving.history import days_of_total
from streams.windows.faq_changes import faq_answers
from streams.windows.labels import RATES
from streams.windows.slices import DAY_MS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = ["add_parser", "lines", "run"]

#: A day's record is written at most a day after its end, and the day of an instant begins at most a day before it.
_AROUND_DAYS: Final = 2

_TEXTS: Final = {
    "en": {
        "head": "{name} ({category}), {at}",
        "span": "  {days} days before and after:",
        "none": "  no complete day on both sides yet",
        "rate": "    {kpi}: {before} → {after}",
        "nothing": "No FAQ change is configured (faq_changes).",
    },
    "ja": {
        "head": "{name}（{category}）{at}",
        "span": "  変更前後 各{days}日間：",
        "none": "  前後に集計済みの日がまだありません",
        "rate": "    {kpi}：{before} → {after}",
        "nothing": "FAQの変更（faq_changes）が設定されていません。",
    },
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "faq-changes",
        description="Reads the days of queue-metrics and shows for each of faq_changes in the configuration "
        "how many sessions of its category were contained and solved in equal spans before and after.",
    )
    parser.add_argument("--config", type=Path, required=True, help="configuration file (YAML) that names the changes")
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    add_kafka_options(parser)
    add_log_option(parser)
    parser.set_defaults(run=run, log_level="WARNING")


def run(args: argparse.Namespace) -> int:
    """Read, compare, print."""
    start_logging(args.log_level)
    try:
        configuration = load_configuration(args.config)
        changes = configuration.faq_changes
        records: list[dict[str, Any]] = []
        if changes:
            since = min(change.at_ms - (change.days + _AROUND_DAYS) * DAY_MS for change in changes)
            records = asyncio.run(days_of_total(args.bootstrap, args.prefix, max(0, since), kafka_client_options()))
    except (ConfigurationError, KafkaSecurityError) as error:
        return fail(error)
    except TopicError as error:
        return fail(error, code=1)
    except (KafkaError, OSError, TimeoutError) as error:
        return fail(kafka_trouble(args.bootstrap, error), code=1)
    answers = faq_answers(configuration, records)
    if args.json:
        write_json(answers)
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(answers, args.lang))
    return 0


def lines(answers: list[dict[str, Any]], language: str) -> Iterator[str]:
    """Yield the answer as text."""
    texts = _TEXTS[language]
    if not answers:
        yield texts["nothing"]
    for answer in answers:
        yield texts["head"].format_map(answer)
        if answer["days"] is None:
            yield texts["none"]
            continue
        yield texts["span"].format_map(answer)
        for kpi in RATES:
            name = getattr(KPI_BY_ID[kpi], language)
            yield texts["rate"].format(kpi=name, before=_figure(answer["before"][kpi]), after=_figure(answer["after"][kpi]))


def _figure(figure: dict[str, Any]) -> str:
    if figure["numerator"] is None:
        return "–"
    parts = f"({figure['numerator']}/{figure['denominator']})"
    return f"– {parts}" if figure["value"] is None else f"{percent(figure['value'])}% {parts}"
