"""Write ``docs/metrics.md`` and the formulas of ``docs/counting.md`` from the catalogue, or check that they are current."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.generated import keep_current, options
from streams.catalogue.fields import FIELD_BY_ID
from streams.catalogue.formulas import Count
from streams.catalogue.kpis import DIMENSIONS, KPIS, Kpi
from streams.catalogue.model import DATED, NOW, TRAILING, WINDOWS
from streams.catalogue.prometheus import SERVING_METRICS, labels_of, metrics_of
from streams.catalogue.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.catalogue.quantities import Field

__all__ = ["COUNTING", "PAGE", "formulas", "main", "page"]

_COMMAND = "streams.catalogue.docs"

#: The page in a checkout.
PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
#: The page whose table of formulas is between two marks.
COUNTING = PAGE.with_name("counting.md")
_BEGIN = "<!-- formulas: written by `python -m streams.catalogue.docs` -->"
_END = "<!-- end of formulas -->"
_ONLY = {TRAILING: "W only", DATED: "D only", ("customers_day",): "customers_day only", ("customers_month",): "customers_month only"}

_DIRECTIONS = {"up": "higher is better", "down": "lower is better", "none": "–"}

_INTRODUCTION = """<!-- Written by `python -m streams.catalogue.docs` from `streams/catalogue/`: change that. -->

# Figures and metrics

Every figure that Contact Streams serves, under the names used everywhere: metric topics, API, pages and Prometheus.
How each is counted, event by event, is in [counting.md](counting.md), which is normative.
`contact-streams metrics` and `GET /api/v1/catalogue` give the same as this page.

## Reading them

- **Unknown is not zero.** An unknown figure is null in records and in the API,
  "–" on pages, and has no sample in Prometheus.
- **No ratio without its parts.** Ratios and means travel with numerator and denominator; an empty denominator makes the figure null.
- **Coverage** is the measured share of what a figure is about. Below 1, some sources do not report what it needs.
- **Trailing windows** count by outcome, **intervals and days** by when the contact was offered.
- **By label**: where a figure is the sum over reasons or categories, window records have these parts under `by_label`, at most 100 by
  name and the others as `(other)`. Complaints, rates of self-service and, of the rate of
  gratitude, the numerator have their categories there too.
- **As of**: figures hold for `as_of`. Events after `complete_through` may still arrive.
"""

_DETAILS = """
### How they are served

*Definition*: computed by a definition of the configuration, which records name with its version. *Provisional for*: how long after
its window a figure may still change by its own nature. Figures without a Prometheus metric are in records and the API alone.

"""

_FIELDS = """
## Fields

Figures are computed from these: the sums in `counts` of window records and in queue-panes. Words in capitals are values: a way out
of the queue (`REASON`), the upper edge of a bucket of waits or a limit in ms (`EDGE`, `LIMIT`), a lowest top score (`TOP`), what was
planned and the outcome (`PLAN`, `HOW`), a reason or category (`LABEL`).
In larger scopes `NAME:FIELD` is a sum by a queue's own definition.

"""

_PROMETHEUS = """
## Prometheus

`GET /metrics` of `contact-streams serve`, as text or OpenMetrics. Figures of windows are gauges with the label `window`,
for the windows that serve exports (`--windows`; default 5, 15, 30 and 60 minutes trailing).

- Windows overlap: **never sum or average over `window`**, nor over `scope_kind`. Select one of each.
- To aggregate queues, divide the sum of the numerators by the sum of the denominators (below).
  A conversation that passed two queues is in both; `scope_kind="total"` has it once.
- Several serving processes export the same series: use `max without (instance) (...)`.
- A series without a sample is unknown.
- Guard alerts with the age of the figures: `time() - contact_center_as_of_timestamp_seconds > 10`.
- Until it has read the metric topic to its end, a process exports only metrics about itself: no figure is better than half of them.

```promql
  sum(contact_center_service_level_numerator{scope_kind="queue", window="15m"})
/
  sum(contact_center_service_level_denominator{scope_kind="queue", window="15m"})
```
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _row(*cells: str) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join([_row(*header), _row(*("---" for _ in header)), *(_row(*row) for row in rows)]) + "\n"


def _kpi_row(kpi: Kpi) -> tuple[str, ...]:
    japanese = kpi.ja if kpi.ja_calls is None else f"{kpi.ja}（{kpi.ja_calls}）"
    return (f"`{kpi.id}`", kpi.en, japanese, kpi.text, kpi.unit, _DIRECTIONS[kpi.direction], ", ".join(kpi.windows), kpi.subject)


def _details_row(kpi: Kpi) -> tuple[str, ...]:
    return (
        f"`{kpi.id}`",
        ", ".join(kpi.parts),
        ", ".join(kpi.dimensions),
        "by definition" if kpi.definition_dependent else "–",
        "–" if kpi.horizon is None else kpi.horizon,
        "–" if kpi.metric is None else f"`{kpi.metric}`",
    )


def _field_row(field: Field) -> tuple[str, ...]:
    name = re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), field.wire)
    name = f"`{name}`" if field.has_total else f"`{name}=LABEL`"
    booked = {"both": "outcome and offer", "customers": "days and months of customers"}.get(field.booked, field.booked)
    labels = "–" if field.label is None else field.label
    unit = {1000: "ms" if field.unit == "seconds" else f"{field.unit} ÷ 1000", 360_000_000: "ms × hundredths an hour"}.get(
        field.per, field.unit
    )
    readers = ", ".join(f"`{kpi.id}`" for kpi in KPIS if field.key in kpi.formula.fields)
    return (
        name,
        f"{field.means} (where a definition needs it)" if field.needed else field.means,
        unit,
        booked,
        labels,
        readers or f"none: {field.raw}",
    )


def _by_dimension() -> Iterable[str]:
    """Yield a section for each dimension, with the figures served by it."""
    for dimension in DIMENSIONS:
        ids = tuple(kpi.id for kpi in KPIS if dimension in kpi.dimensions)
        yield f"\n#### By {dimension} ({WORDS['ja'][f'by.{dimension}']}別)\n\n{_code(ids)}\n"


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def formulas() -> str:
    """Return the normative list of formulas for ``docs/counting.md``."""
    ids_by_formula: dict[str, list[str]] = {}
    for kpi in KPIS:
        for row in kpi.formula.rows():
            only = "" if row.when or kpi.windows in {WINDOWS, NOW} else _ONLY[kpi.windows]
            when = f"{row.when}{only}".replace("not mail, ticket: ", "").replace("`", "")
            numerator = "its count" if isinstance(kpi.formula, Count) and row.numerator == kpi.id else row.numerator
            quotient = numerator if row.denominator == "–" else f"{_grouped(numerator)} ÷ {_grouped(row.denominator)}"
            of = row.coverage.removeprefix(f"{row.denominator} ÷ ")
            coverage = "" if of in {"1", "–"} else f"; {'coverage' if of == row.coverage else 'of'} {of}".replace("coverage 1; ", "")
            ids_by_formula.setdefault(f"{quotient}{coverage}", []).append(f"{kpi.id} ({when})" if when else kpi.id)
    return "\n".join(["```text", *(f"{', '.join(ids)} = {formula}" for formula, ids in ids_by_formula.items()), "```\n"])


def _grouped(text: str) -> str:
    """Return a part of a quotient, in parentheses where it is a sum."""
    part, mark, tail = text.partition(";")
    return f"({part}){mark}{tail}" if re.search(r" [+−] ", part) and "×" not in part else text


def _with_formulas(text: str) -> str:
    """Return the page about counting with the formulas of the catalogue between its marks."""
    before, _, tail = text.partition(_BEGIN)
    _, _, after = tail.partition(_END)
    return f"{before}{_BEGIN}\n\n{formulas()}\n{_END}{after}"


def page() -> str:
    """Return the text of ``docs/metrics.md``."""
    meanings = [(f"`{kpi.id}`", kpi.meaning_en, kpi.meaning_ja, kpi.source) for kpi in KPIS]
    gauges = [
        (f"`{metric.name}`", f"`{kpi.id}` {metric.part}", _code(labels_of(kpi)), metric.help) for kpi in KPIS for metric in metrics_of(kpi)
    ]
    about = [(f"`{metric.name}`", metric.type, _code(metric.labels), metric.help) for metric in SERVING_METRICS]
    parts = [
        _INTRODUCTION,
        "\n## Catalogue\n\n",
        _table(("id", "English", "日本語", "formula", "unit", "direction", "windows", "about"), [_kpi_row(kpi) for kpi in KPIS]),
        "\n### What they mean\n\n",
        _table(("id", "meaning", "意味", "source"), meanings),
        _DETAILS,
        _table(("id", "parts", "by", "definition", "provisional for", "Prometheus"), [_details_row(kpi) for kpi in KPIS]),
        "\n### Dimensions of figures\n\nFigures served by queue, department, business, site or team are also served in total.\n",
        *_by_dimension(),
        _FIELDS,
        _table(("field", "counts", "unit", "booked by", "by label", "read by"), [_field_row(field) for field in FIELD_BY_ID.values()]),
        _PROMETHEUS,
        "\n### Figures\n\n",
        _table(("metric", "figure", "labels", "help"), gauges),
        "\n### Freshness, sources and the serving process\n\n",
        _table(("metric", "type", "labels", "help"), about),
    ]
    return "".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or with ``--check`` return 1 when one differs from the catalogue."""
    parser = options(_COMMAND, __doc__)
    parser.add_argument("--page", type=Path, default=PAGE, help="the page, if it is not docs/metrics.md of this checkout")
    parser.add_argument("--counting", type=Path, default=COUNTING, help="the page with the formulas, if it is not docs/counting.md")
    given = parser.parse_args(arguments)
    counting = given.counting.read_text(encoding="utf-8")
    return keep_current(_COMMAND, [(given.page, page()), (given.counting, _with_formulas(counting))], check=given.check)


if __name__ == "__main__":
    sys.exit(main())
