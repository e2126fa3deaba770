"""``contact-streams reconcile``: compare another system's report with our figures, and show the cause of each gap."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import orjson

from streams.columns import aligned
from streams.commands.common import add_log_option, fail, start_logging, write_json
from streams.commands.event_files import Notes, Read, add_content_options, dead_letter_of, read_events
from streams.commands.uncounted import reasons_of, uncounted_lines
from streams.configuration import Configuration, ConfigurationError, load_configuration
from streams.connectors.identities import Identities
from streams.connectors.mapping import MappingError
from streams.reconciling import GENERIC, LayoutError, ReportError, compared, load_layout, read_report
from streams.reconciling.causes import CAUSES
from streams.reconciling.layout import Layout
from streams.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.connectors.lines import Rejected
    from streams.reconciling.causes import Gap, Record

__all__ = ["add_parser", "run"]

_UNEXPLAINED: Final = 1
_DAY_SECONDS: Final = 86_400
_ANSWER_SECONDS: Final = 60


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "reconcile",
        description="Compares the intervals of a report (CSV) with ours and names the cause of each gap. Exits with 0 if every gap is "
        "explained, else with 1.",
    )
    parser.add_argument("report", type=Path, metavar="REPORT", help="CSV, one row per queue and interval")
    parser.add_argument("--layout", type=Path, metavar="YAML", help="what its columns are (default: columns named by KPI ids)")
    parser.add_argument("--config", type=Path, help="configuration file (YAML), the one that the worker has")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="a running server; it stores the intervals of the last two and a half days")
    where.add_argument("--replay", type=Path, dest="file", metavar="FILE", help="count a file of events; that can show more causes")
    add_content_options(parser, required=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of a table")
    add_log_option(parser)
    parser.set_defaults(run=run, log_level="WARNING")


def run(args: argparse.Namespace) -> int:
    """Read both, compare, print."""
    start_logging(args.log_level)
    try:
        layout = GENERIC if args.layout is None else load_layout(args.layout)
        configuration = load_configuration(args.config)
        rows = read_report(args.report, layout)
        worlds = _Worlds(args, configuration, layout)
        records = worlds.records() if args.url is None else asyncio.run(_served(args.url, layout))
        if worlds.refused and not worlds.counted:
            return fail(f"{args.file}: every record was refused, so there is nothing to compare with\n{worlds.first_refused}")
        uncounted = reasons_of(_labelled(records, layout))
        number, gaps = compared(rows, records, configuration, layout.interval_minutes, worlds)
    except (LayoutError, ReportError, ConfigurationError, MappingError, ValueError) as error:
        return fail(error)
    except aiohttp.ClientError as error:
        return fail(f"{args.url}: {error}", code=_UNEXPLAINED)
    except (OSError, TimeoutError) as error:
        return fail(f"{getattr(error, 'filename', None) or args.file or args.url}: {error!r}", code=_UNEXPLAINED)
    if args.json:
        write_json({**_document(number, gaps), "events_uncounted": uncounted, "dead_letters_by_reason": worlds.refused})
    else:
        sys.stdout.writelines(f"{line}\n" for line in (*_table(number, gaps), *uncounted_lines(uncounted), *worlds.notes()))
    return _UNEXPLAINED if any(gap.cause == "unexplained" for gap in gaps) else 0


async def _served(url: str, layout: Layout) -> list[Record]:
    address = f"{url.rstrip('/')}/api/v1/figures"
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(address, params={"window": f"interval_{layout.interval_minutes}m"}) as answer,
    ):
        if answer.status != 200:  # noqa: PLR2004 - OK
            message = f"{url} answers {answer.status}"
            raise ValueError(message)
        document: dict[str, Any] = await answer.json()
        if not document["ready"]:
            # An empty answer would mean that nothing was counted.
            message = f"{url} has not read its figures from Kafka yet: try again in a minute"
            raise ValueError(message)
        return list(document["records"].values())


def _labelled(records: Sequence[Record], layout: Layout) -> Iterator[dict[str, Any]]:
    """Yield the figures by label of all contacts, interval by interval."""
    for record in records:
        if record.get("scope_kind") == "total" and record.get("window") == f"interval_{layout.interval_minutes}m":
            yield record.get("by_label", {})


@dataclass(slots=True)
class _Worlds:
    """The events of a file counted in several ways; empty without a file."""

    args: argparse.Namespace
    configuration: Configuration
    layout: Layout
    #: Reason → number of dead letters of the file; the first of them; and whether the file has other records.
    refused: dict[str, int] = field(default_factory=dict)
    first_refused: str = ""
    counted: bool = False
    _notes: Notes = field(default_factory=Notes)
    _events: list[Read] = field(default_factory=list)

    def records(self) -> list[Record]:
        """Return the records of the events, by offer and by outcome."""
        rejected: list[Rejected] = []
        identities = Identities(self.configuration)
        with closing(read_events(self.args, rejected, notes=self._notes)) as events:
            for occurred_ms, value, kinds, origin in events:
                self._events.append((occurred_ms, identities.of_record(value) if identities else value, kinds, origin))
        replay, result = self._counted(self.configuration, rejected=rejected)
        self.refused, self.counted = result["dead_letters_by_reason"], result["as_of"] is not None
        if result["dead_letters"]:
            first = result["dead_letters"][0]
            self.first_refused = f"  {first['origin']}: {first['reason']}: {first['detail']}"
        return list(replay.latest.values())

    def notes(self) -> Iterator[str]:
        """Yield texts about the file beside the gaps."""
        if number := sum(self.refused.values()):
            why = ", ".join(f"{count} {reason}" for reason, count in self.refused.items())
            yield f"{number} dead letter{'s' * (number > 1)}, which count nowhere: {why}; the first:"
            yield self.first_refused
        yield from self._notes

    def without_exclusions(self) -> Sequence[Record] | None:
        """Return the records without exclusions."""
        if self.args.file is None:
            return None
        replay, _ = self._counted(self.configuration, leave_out="contact.excluded")
        return list(replay.latest.values())

    def with_late_events(self) -> Sequence[Record] | None:
        """Return the records as if no event were late."""
        if self.args.file is None:
            return None
        counting = self.configuration.counting.model_copy(update={"grace_seconds": _DAY_SECONDS})
        replay, _ = self._counted(self.configuration.model_copy(update={"counting": counting}))
        return list(replay.latest.values())

    def _counted(
        self, configuration: Configuration, *, leave_out: str | None = None, rejected: Sequence[Rejected] = ()
    ) -> tuple[Replay, dict[str, Any]]:
        counting = configuration.counting
        minutes = tuple(sorted({*counting.interval_minutes, self.layout.interval_minutes}))
        counting = counting.model_copy(update={"interval_minutes": minutes, "attribution": ("offer", "outcome")})
        replay = Replay(configuration.model_copy(update={"counting": counting}))
        for record in rejected:
            replay.reject(dead_letter_of(record))
        last_ms = None
        for occurred_ms, value, kinds, origin in self._events:
            last_ms = occurred_ms if last_ms is None else max(last_ms, occurred_ms)
            if leave_out is None or orjson.loads(value).get("type") != leave_out:
                for kind in kinds:
                    replay.add(value, kind, origin=origin)
        return replay, replay.finish(last_ms)


# ---- What is printed -----------------------------------------------------------------------------------------------------------------


def _document(number: int, gaps: Sequence[Gap]) -> dict[str, Any]:
    return {
        "compared": number,
        "equal": number - sum(gap.line is not None for gap in gaps),
        "causes": _by_cause(gaps),
        "gaps": [{**gap._asdict(), "difference": gap.difference} for gap in gaps],
    }


def _by_cause(gaps: Sequence[Gap]) -> dict[str, int]:
    counts = Counter(gap.cause for gap in gaps)
    return {cause: counts[cause] for cause in CAUSES if counts[cause]}


def _table(number: int, gaps: Sequence[Gap]) -> Iterator[str]:
    rows = [("queue", "interval", "figure", "cause", "ours", "theirs", "difference", "line")]
    for gap in gaps:
        cause = gap.cause + (f": {gap.detail}" if gap.detail else "")
        figures = (_number(gap.ours), _number(gap.theirs), _number(gap.difference, sign=True))
        rows.append((gap.queue, gap.start, gap.kpi, cause, *figures, "" if gap.line is None else str(gap.line)))
    if gaps:
        yield aligned(rows, left=4)
    causes = ", ".join(f"{count} {cause}" for cause, count in _by_cause(gaps).items())
    equal = number - sum(gap.line is not None for gap in gaps)
    yield f"{number} figures compared, {equal} equal{f'; gaps: {causes}' if causes else ''}"


def _number(value: float | None, *, sign: bool = False) -> str:
    return "-" if value is None else f"{value:{'+' if sign else ''}.6g}"
