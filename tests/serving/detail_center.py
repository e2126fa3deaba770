"""A center of a morning worked out by hand: a queue with a bad quarter of an hour, others around their targets, and five sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from schemas.times import format_ms, parse_time_ms
from streams.configuration.file import ConfigurationFile
from streams.serving.dead_letters import Dead, DeadLetterCounts
from streams.windows.targets import terms_of
from tests.serving.records import AS_OF, Backend, figure, now_record, people_now, people_window, progress, window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.serving.api import Serving

__all__ = ["BAD", "DAY", "NOW", "QUARTER", "UNCOUNTED", "WRITTEN", "center", "day", "interval", "serving", "staff"]

NOW, QUARTER = parse_time_ms(AS_OF), 900_000
#: The day of Tokyo, whose zone the site has.
DAY = {"window_start": "2026-03-31T15:00:00Z", "window_end": "2026-04-01T15:00:00Z", "name": "day"}
#: The quarter of an hour in which it went wrong.
BAD = "2026-04-01T08:00:00.000Z"

WRITTEN: dict[str, Any] = {
    "sites": {"tokyo": {"zone": "Asia/Tokyo"}},
    "queues": {
        "sales": {"channel": "voice", "site": "tokyo", "target": 0.9, "sources": ["pbx"]},
        "claims": {"channel": "voice", "target": 0.8, "sources": ["pbx", "mail"]},
        "billing": {"channel": "voice", "target": 0.8},
        "vip": {"channel": "voice", "target": 1},
        "idle": {"channel": "voice", "target": 0.8},
    },
    "targets": [{"kpi": "abandon_rate", "scope": "queue:sales", "window": "day", "unit": "percent", "target": 5}],
}


def interval(start_ms: int, offered: int, met: int, aht: float, handled: int) -> tuple[bytes, bytes]:
    """Return the record of a quarter of an hour of the queue of sales."""
    kpis = {
        "offered": figure(offered, offered),
        "answered": figure(offered - 2, offered - 2),
        "abandoned": figure(2, 2),
        "handled": figure(handled, handled),
        "answer_rate": figure((offered - 2) / offered, offered - 2, offered, 1),
        "service_level": figure(met / offered, met, offered, 1),
        "aht": figure(aht, aht * handled, handled, 1),
        "asa": figure(12.5, 225, 18, 1),
    }
    start, end = format_ms(start_ms), format_ms(start_ms + QUARTER)
    key, value = window("queue:sales", name="interval_15m", kpis=kpis, window_start=start, window_end=end, final=start_ms + QUARTER < NOW)
    return key + f"|{start_ms}".encode(), value


def staff(start_ms: int, actual: float, **more: Any) -> tuple[bytes, bytes]:
    """Return the record of the people of the site in a quarter of an hour."""
    start, end = format_ms(start_ms), format_ms(start_ms + QUARTER)
    kpis = {"staff_actual": figure(actual, actual * 900, 900), "staff_scheduled": figure(11, 9900, 900)}
    key, value = window("site:tokyo", None, name="interval_15m", kpis=kpis, window_start=start, window_end=end, definitions={}, **more)
    return key + f"|{start_ms}".encode(), value


def morning() -> Iterator[tuple[bytes, bytes]]:
    """Yield three hours of quarters: 20 calls, 18 in time, 5 minutes, 10 people; at eight 30 calls, 12 in time, 6 minutes, 8 people."""
    bad = parse_time_ms(BAD)
    for start in range(NOW - 12 * QUARTER, NOW, QUARTER):
        yield interval(start, 30, 12, 360, 26) if start == bad else interval(start, 20, 18, 300, 18)
        yield staff(start, 8 if start == bad else 10)
    for start in range(NOW - 86_400_000 - 4 * QUARTER, NOW - 86_400_000, QUARTER):
        yield interval(start, 10, 8, 300, 9)


def day(queue: str, met: int, counted: int, channel: str = "voice", **more: Any) -> tuple[bytes, bytes]:
    """Return the day so far of a queue where every offered contact counts, and all but ten were answered."""
    kpis = {
        "offered": figure(counted, counted),
        "answered": figure(counted - 10, counted - 10),
        "abandoned": figure(10, 10),
        "handled": figure(counted - 10, counted - 10),
        "answer_rate": figure((counted - 10) / counted, counted - 10, counted, 1),
        "abandon_rate": figure(10 / counted, 10, counted, 1),
        "service_level": figure(met / counted, met, counted, 1),
        "asa": figure(14, 14 * (counted - 10), counted - 10, 1),
        "aht": figure(310, 310 * (counted - 20), counted - 20, (counted - 20) / (counted - 10)),
        **more.pop("kpis", {}),
    }
    return window(f"queue:{queue}" if ":" not in queue else queue, channel, kpis=kpis, **{**DAY, **more})


#: Of sales: 225 answered, 210 of them within 20 s, 15 abandoned, and ten who left in other ways.
COUNTS = {
    "offered": 250,
    **{
        f"answered_wait_le_{edge}": number for edge, number in ((5000, 100), (10000, 60), (15000, 30), (20000, 20), (30000, 10), (60000, 5))
    },
    "abandoned_wait_le_20000": 5,
    "abandoned_wait_le_60000": 10,
    "answered_wait_le_inf": 0,
    "flow_out_overflow": 7,
    "flow_out_voicemail": 3,
    "flow_out_timeout": 0,
}


#: What of the total counted nothing.
UNCOUNTED = {"events_uncounted": {"no_begin": figure(5, 5), "no_leg": figure(2, 2)}}


def center() -> Backend:
    """Return what was read of it."""
    answered = {"answered": figure(225, 225), "abandoned": figure(15, 15), "answer_rate": figure(0.9375, 225, 240, 1)}
    yesterday = {"window_start": "2026-03-30T15:00:00Z", "window_end": "2026-03-31T15:00:00Z"}
    return Backend.fed(
        [
            progress(
                0,
                sources={"pbx": AS_OF, "mail": "2026-04-01T08:00:00Z", "chat": "2026-04-01T08:59:00Z", "cdr": "2026-04-01T08:58:00Z"},
                stale_sources=["mail"],
                quarantined_sources={"chat": {"reason": "bad_records", "since": "2026-04-01T08:30:00Z", "partitions": 1, "records": 1234}},
                beyond_limits={"pbx": {"queues": 3}},
                journals={"cdr": "2026-03-31T23:00:00Z"},
            ),
            *morning(),
            day("sales", 210, 250, counts=COUNTS, kpis=answered),
            # 17 more in time make 80 of 100.
            day("claims", 63, 83),
            # 12 more may be missed: 90 of 112 is 80.36 %, 90 of 113 is 79.6 %.
            day("billing", 90, 100),
            day("vip", 29, 30),
            # No one has called since midnight: what is known is yesterday's.
            day("idle", 40, 50, **yesterday),
            day("total:all", 392, 463, by_label=UNCOUNTED),
            day("total:all", 30, 40, "chat"),
            now_record("queue:sales", waiting=2, waiting_since="2026-04-01T08:59:30Z", longest_wait_seconds=30, in_progress=6),
            now_record("queue:claims", waiting=0, in_progress=3),
            people_window("site:tokyo", figure(0.8, 8, 10, 1), **DAY),
            people_now("total:all", {"handling": 8, "idle": 2}),
        ]
    )


def serving(backend: Backend, folder: Path, **changes: Any) -> Serving:
    """Return what serves it, with its configuration in a file of a folder."""
    path = folder / "configuration.yaml"
    path.write_text(orjson.dumps(WRITTEN).decode(), encoding="utf-8")
    file = ConfigurationFile(path, NOW)
    counts = DeadLetterCounts()
    counts.update({"contact-events-dead-letters.v1": Dead(0, 6, 9), "agent-events-dead-letters.v1": Dead(0, 0, 0)}, NOW)
    backend.store.expected = frozenset({"never"})
    queues = file.running.queues
    return backend.serving(
        targets={name: queue.target for name, queue in queues.items() if queue.target is not None},
        kpi_targets=terms_of(file.running),
        fed_by={f"queue:{name}": queue.sources for name, queue in queues.items() if queue.sources},
        file=file,
        dead_letters=counts,
        **changes,
    )
