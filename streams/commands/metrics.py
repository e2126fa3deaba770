"""``contact-streams metrics``: list every figure of the catalogue."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, get_args

from streams.catalogue import DIMENSIONS, KPI_BY_ID, KPIS, LANGUAGES, WORDS, Kpi, Subject, Unit, describe, metrics_of
from streams.catalogue.formulas_ja import formula_ja
from streams.columns import aligned
from streams.commands.common import fail, write_json
from streams.configuration.consistency import nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from streams.catalogue.words import Language

__all__ = ["add_parser", "run"]

_COLUMNS: Final = ("id", "name", "unit", "good", "windows", "by")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "metrics",
        description="Lists the figures that are served, as GET /api/v1/catalogue and docs/metrics.md do.",
    )
    parser.add_argument("--id", metavar="ID", help="print everything about one figure")
    parser.add_argument("--subject", choices=get_args(Subject), help="only figures about these")
    parser.add_argument("--unit", choices=get_args(Unit), help="only figures in this unit")
    parser.add_argument("--by", choices=DIMENSIONS, help="only figures that are served by this")
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="language of names and meanings (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, in both languages")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the selected figures."""
    if args.id is not None and args.id not in KPI_BY_ID:
        return fail(f"metrics: no figure {args.id!r}{nearest(args.id, KPI_BY_ID)}; contact-streams metrics lists them")
    chosen = [kpi for kpi in KPIS if _is_selected(kpi, args)]
    if args.json:
        write_json({"kpis": [describe(kpi) for kpi in chosen]})
    elif args.id is not None and chosen:
        sys.stdout.writelines(f"{line}\n" for line in _about(chosen[0], args.lang))
    else:
        heading = [WORDS[args.lang][f"catalogue.{name}"] for name in _COLUMNS]
        sys.stdout.write(aligned([heading, *(_row(kpi, args.lang) for kpi in chosen)], left=len(_COLUMNS)) + "\n")
    return 0


def _is_selected(kpi: Kpi, args: argparse.Namespace) -> bool:
    return (
        args.id in {None, kpi.id}
        and args.subject in {None, kpi.subject}
        and args.unit in {None, kpi.unit}
        and (args.by is None or args.by in kpi.dimensions)
    )


def _row(kpi: Kpi, language: Language) -> list[str]:
    words = WORDS[language]
    name = kpi.name(language)
    return [kpi.id, name, words[f"unit.{kpi.unit}"], words[f"good.{kpi.direction}"], *_served(kpi, language)]


def _served(kpi: Kpi, language: Language) -> tuple[str, str]:
    words = WORDS[language]
    windows = ", ".join(words[f"windows.{kind}"] for kind in kpi.windows)
    return windows, ", ".join(words[f"by.{dimension}"] for dimension in kpi.dimensions)


def _about(kpi: Kpi, language: Language) -> Iterator[str]:
    words = WORDS[language]
    yield f"{kpi.id}: {kpi.en} / {kpi.ja}"
    yield kpi.meaning_ja if language == "ja" else kpi.meaning_en
    windows, by = _served(kpi, language)
    facts = {
        "formula": formula_ja(kpi) if language == "ja" else kpi.text,
        "unit": words[f"unit.{kpi.unit}"],
        "good": words[f"good.{kpi.direction}"],
        "parts": ", ".join(kpi.parts),
        "windows": windows,
        "by": by,
        "definition": words["yes"] if kpi.definition_dependent else words["no"],
        "horizon": kpi.horizon or "–",
        "source": kpi.source,
        "prometheus": ", ".join(metric.name for metric in metrics_of(kpi)) or "–",
    }
    yield from aligned([[f"  {words[f'catalogue.{name}']}", text] for name, text in facts.items()], left=2).splitlines()
