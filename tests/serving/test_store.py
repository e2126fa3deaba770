"""The store, fed with records of queue-metrics-latest one by one."""

from __future__ import annotations

import tracemalloc

import msgspec
import orjson
import pytest

from schemas.metrics import FigureValue, QuarantinedSource, WindowFigures
from schemas.times import parse_time_ms
from streams.serving import latest
from streams.serving.store import Store
from streams.serving.window_records import Seen, WindowRecord
from tests.serving.records import AS_OF, now_record, people_now, progress, small_center, window


def fed(*records: tuple[bytes, bytes]) -> Store:
    """Return a store fed with the records."""
    store = Store()
    for key, value in records:
        assert store.feed(key, value)
    return store


def longest_wait(store: Store) -> float | None:
    """Return the longest wait of the only now record."""
    (entry,) = (entry for entry in store.entries() if entry.record.kind == "now")
    return store.longest_wait_seconds(entry)


def test_the_highest_revision_wins() -> None:
    """A higher revision replaces a record; a lower or equal one changes nothing, not even the version."""
    store = fed(now_record("queue:a", waiting=1, revision=4), now_record("queue:a", waiting=2, revision=5))
    version = store.version

    assert not store.feed(*now_record("queue:a", waiting=1, revision=4))
    assert not store.feed(*now_record("queue:a", waiting=9, revision=5))

    (entry,) = store.entries()
    assert (getattr(entry.record, "waiting", None), store.version) == (2, version)


def test_a_tombstone_deletes() -> None:
    """A record without a value removes its key; a second one changes nothing, and the key may return from revision 1."""
    store = fed(now_record("queue:a", revision=7))
    key, value = now_record("queue:a", revision=1)

    assert store.feed(key, None)
    assert store.entries() == []
    assert not store.feed(key, None)
    assert store.feed(key, value)
    assert [entry.key for entry in store.entries()] == [key.decode()]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"k", b""),
        (b"k", b"[]"),
        (b"k", b"\xff"),
        (b"k", b'{"kind":"window"}'),
        (b"k", progress()[1].replace(b'"kind":"progress"', b'"kind":"other"')),
        (b"k", progress(as_of="yesterday")[1]),
        (b"k", progress(sources={"pbx": "2026-04-01"})[1]),
        (b"k", now_record("queue:a", waiting_since="09:00")[1]),
        (b"k", now_record("queue:a", waiting=-1)[1]),
        (b"k", window("queue:a", kpis={"asa": {"value": 1}})[1].replace(b'"value":1', b'"value":NaN')),
        (None, progress()[1]),
        (b"\xff", progress()[1]),
        (None, None),
    ],
    ids=range(13),
)
def test_unreadable_records_are_counted_and_skipped(key: bytes | None, value: bytes | None) -> None:
    """A bad record never stops the reader and never replaces a good one."""
    store = fed(progress(5))
    before = store.entries()

    assert not store.feed(key, value)
    assert store.entries() == before
    assert store.rejected == 1


def test_as_of_is_the_newest_and_completeness_the_oldest_progress() -> None:
    """Over the partitions of queue-panes as-of is the largest, complete-through the smallest."""
    store = fed(
        progress(0, as_of="2026-04-01T09:00:01Z", complete_through="2026-04-01T08:59:50Z"),
        progress(1, as_of="2026-04-01T18:00:02+09:00", complete_through="2026-04-01T08:59:40Z"),
    )

    assert store.as_of_ms == parse_time_ms("2026-04-01T09:00:02Z")
    assert store.complete_through_ms == parse_time_ms("2026-04-01T08:59:40Z")


def test_one_silent_partition_leaves_completeness_unknown() -> None:
    """While the watermark of one partition is unknown, the whole is; once it reports, or is gone, the whole is known again."""
    store = fed(progress(0), progress(1, as_of=None, complete_through=None))
    assert (store.as_of_ms, store.complete_through_ms) == (parse_time_ms(AS_OF), None)

    store.feed(*progress(1, revision=2, complete_through="2026-04-01T08:59:00Z"))
    assert store.complete_through_ms == parse_time_ms("2026-04-01T08:59:00Z")

    store.feed(progress(1)[0], None)
    assert store.complete_through_ms == parse_time_ms("2026-04-01T08:59:55Z")


def test_without_progress_as_of_is_unknown() -> None:
    """Figures alone give no as-of: they may be old."""
    store = fed(window("queue:a"))

    assert (store.as_of_ms, store.complete_through_ms, store.sources) == (None, None, {})


def test_sources_are_merged() -> None:
    """A source has the latest last_seen of all partitions, and is stale if any partition reports it so, even one that never saw it."""
    store = fed(
        progress(0, sources={"pbx": "2026-04-01T09:00:00Z"}, stale_sources=["chat"]),
        progress(1, sources={"pbx": "2026-04-01T08:59:00Z", "mail": "2026-04-01T08:00:00Z"}, stale_sources=["mail"]),
    )

    assert list(store.sources) == ["chat", "mail", "pbx"]
    assert [source.stale for source in store.sources.values()] == [True, True, False]
    assert store.sources["pbx"].last_seen_ms == parse_time_ms("2026-04-01T09:00:00Z")
    assert store.sources["chat"].last_seen_ms is None


def test_a_quarantined_source() -> None:
    """It is listed without other sightings, and is not silent; of the partitions' records the newest counts."""
    quarantine = {"reason": "bad_records", "since": "2026-04-01T08:59:00Z", "partitions": 1, "records": 7}
    store = fed(
        progress(0, quarantined_sources={"bot": quarantine}),
        progress(1, stale_sources=["bot"], quarantined_sources={"bot": {**quarantine, "records": 9}}),
    )

    assert store.sources["bot"].quarantined == QuarantinedSource(**{**quarantine, "records": 9})
    assert not store.sources["bot"].stale
    assert store.sources["pbx"].quarantined is None
    store.feed(*progress(2, quarantined_sources={"bot": {**quarantine, "since": "yesterday"}}))
    assert store.rejected == 1


def test_an_expected_source_that_was_never_seen_is_silent() -> None:
    """It is silent once any source is known; a source that was seen is as its records report."""
    store, seen = Store(), fed(progress(0, sources={"pbx": "2026-04-01T09:00:00Z"}))
    store.expected = seen.expected = frozenset({"crm", "pbx"})

    assert store.sources == {}
    assert [(name, source.last_seen_ms is None, source.stale) for name, source in seen.sources.items()] == [
        ("crm", True, True),
        ("pbx", False, False),
    ]


def test_the_longest_wait_grows_with_as_of() -> None:
    """The wait is measured from the entry to the current as-of, though the now record has not changed."""
    store = fed(progress(), now_record("queue:a", waiting=1, waiting_since="2026-04-01T08:59:30Z", longest_wait_seconds=30))
    assert longest_wait(store) == 30

    store.feed(*progress(revision=2, as_of="2026-04-01T09:00:07.250Z"))
    assert longest_wait(store) == 37.25


def test_the_oldest_of_the_backlog_grows_with_as_of() -> None:
    """Its age is measured from its start, so that it grows without new records; without a backlog there is none."""
    since = "2026-03-30T09:00:00Z"
    store = fed(progress(), now_record("queue:a", "mail", backlog_on_hold=1, backlog_oldest_since=since, backlog_oldest_seconds=172_800))
    store.feed(*progress(revision=2, as_of="2026-04-01T09:00:07.250Z"))
    entry = next(entry for entry in store.entries() if entry.key.startswith("now"))
    assert store.backlog_oldest_seconds(entry) == 172_807.25

    none = fed(progress(), now_record("queue:a", "mail", backlog_on_hold=0))
    assert none.backlog_oldest_seconds(next(entry for entry in none.entries() if entry.key.startswith("now"))) is None


def test_the_longest_wait_is_never_older_than_its_record() -> None:
    """Progress is published once a second: a newer now record counts up to its own as-of, and the wait is never negative."""
    since = "2026-04-01T09:00:00.400Z"
    newer = now_record("queue:a", waiting=1, waiting_since=since, longest_wait_seconds=0.1, as_of="2026-04-01T09:00:00.500Z")
    assert longest_wait(fed(progress(), newer)) == pytest.approx(0.1)

    assert longest_wait(fed(progress(), now_record("queue:a", waiting=1, waiting_since=since))) == 0


@pytest.mark.parametrize(
    "record",
    [now_record("queue:a", waiting=0), now_record("queue:a"), people_now("team:t", {"idle": 1})],
    ids=range(3),
)
def test_no_longest_wait_without_waiting_contacts(record: tuple[bytes, bytes]) -> None:
    """Without waiting contacts, or if unknown, there is no longest wait, which differs from 0."""
    assert longest_wait(fed(progress(), record)) is None


def test_changes_since_a_version() -> None:
    """Changes hold each changed key once, in its newest form, and the removed keys; none since the current version."""
    store = fed(now_record("queue:a"), now_record("queue:b"))
    seen = store.version
    store.feed(*now_record("queue:b", revision=2))
    store.feed(*now_record("queue:b", revision=3))
    store.feed(now_record("queue:a")[0], None)

    changes = store.changes_since(seen)
    assert changes is not None
    assert [(entry.key, entry.record.revision) for entry in changes.changed] == [("now|voice|queue:b", 3)]
    assert changes.removed == ["now|voice|queue:a"]
    current = store.changes_since(changes.version)
    assert current is not None
    assert (current.changed, current.removed) == ([], [])


def test_a_key_that_returned_is_not_removed() -> None:
    """A key that was removed and written again is only changed: a follower could drop it otherwise."""
    store = fed(now_record("queue:a", revision=3))
    seen = store.version
    store.feed(now_record("queue:a")[0], None)
    store.feed(*now_record("queue:a"))

    changes = store.changes_since(seen)
    assert changes is not None
    assert ([entry.key for entry in changes.changed], changes.removed) == (["now|voice|queue:a"], [])


def test_a_follower_too_far_behind_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of removed keys is limited; a follower of an older version has to restart."""
    monkeypatch.setattr(latest, "_MAX_REMOVED", 2)
    store = fed(*(now_record(f"queue:{n}") for n in range(4)))
    seen = [store.version]
    for n in range(3):
        store.feed(now_record(f"queue:{n}")[0], None)
        seen.append(store.version)

    assert store.changes_since(seen[0]) is None
    changes = store.changes_since(seen[1])
    assert changes is not None
    assert changes.removed == ["now|voice|queue:1", "now|voice|queue:2"]
    assert store.changes_since(store.version + 1) is None


def test_taking_over_replaces_everything() -> None:
    """After a new read the store has the content of that read, lower revisions too, and followers restart."""
    store = fed(progress(), now_record("queue:old"), now_record("queue:a", revision=9))
    seen = store.version
    called: list[int] = []
    store.subscribe(lambda: called.append(store.version))

    store.take_over(fed(now_record("queue:a", revision=1)))

    assert [(entry.key, entry.record.revision) for entry in store.entries()] == [("now|voice|queue:a", 1)]
    assert store.as_of_ms is None
    assert store.changes_since(seen) is None
    assert called == [store.version]


def test_a_copy_is_frozen() -> None:
    """A copy for another thread has the same figures and does not change."""
    store = fed(*small_center())
    copy = store.copy()
    before = [(entry.key, entry.record) for entry in store.entries()]
    store.feed(*progress(revision=2, as_of="2026-04-01T10:00:00Z"))
    store.feed(window("queue:sales")[0], None)

    assert [(entry.key, entry.record) for entry in copy.entries()] == before
    assert copy.as_of_ms == parse_time_ms(AS_OF)
    assert copy.sources == store.sources


def test_subscribers_are_called_on_changes_until_they_leave() -> None:
    """A change calls every subscriber once; a record without change calls none."""
    store = Store()
    called: list[int] = []
    leave = store.subscribe(lambda: called.append(store.version))
    store.feed(*progress())
    store.feed(*progress())
    store.feed(b"k", b"no json")
    leave()
    store.feed(*progress(revision=2))

    assert called == [1]


def test_fields_of_a_newer_version_are_passed_on() -> None:
    """A record with unknown fields is read, and passed on unchanged."""
    key, value = now_record("queue:a", waiting=1, waiting_by_age={"60": 1})
    (entry,) = fed((key, value)).entries()

    assert orjson.loads(entry.raw)["waiting_by_age"] == {"60": 1}


def test_windows_are_read_by_their_schema() -> None:
    """The fast reader of windows knows the fields of the schema, requires the same ones, and rejects the same records."""
    schema = WindowFigures.model_fields
    fields = {field.encode_name: field.required for field in msgspec.structs.fields(WindowRecord)}

    assert fields == {name: field.is_required() for name, field in schema.items() if name != "kind"}
    assert [field.encode_name for field in msgspec.structs.fields(Seen)] == list(FigureValue.model_fields)
    _, good = window("queue:a", kpis={"offered": {"value": 1}})
    assert Store().feed(b"k", good)
    for name, wrong in {
        "scope_kind": "planet",
        "revision": 0,
        "late_events": -1,
        "counts": {"offered": 0.5},
        "kpis": {"offered": {"value": "many"}},
        "window_start": "yesterday",
        "by_label": [],
        "exceptions": [1],
    }.items():
        assert not Store().feed(b"k", orjson.dumps({**orjson.loads(good), name: wrong})), name


def test_packed_records_are_restored() -> None:
    """Records are passed on byte for byte, unknown fields included, however different from their predecessors."""
    values = [
        window("queue:a", name=name, revision=n, later=unknown)[1]
        for n, (name, unknown) in enumerate(
            [("day", "x"), ("day", "営業" * 3000), ("day", ["y"] * 9), ("trailing_5m", None), ("interval_15m", "\u0007"), ("day", "x")], 1
        )
    ]
    store = fed(*((b"%d" % n, value) for n, value in enumerate(values)))

    assert [entry.raw for entry in store.entries()] == values
    assert not store.feed(b"k", values[0].replace(b'"x"', b'"\xff"'))
    assert not store.feed(b"k", values[0].replace(b'"x"', b'"\\ud800"'))


def test_the_intervals_of_days_take_little_room() -> None:
    """A record of 4 kB takes less than a quarter of that; a center of a thousand queues has 150 per queue."""
    kpis = {f"kpi_{n}": {"value": 1, "numerator": n, "denominator": None, "coverage": None} for n in range(55)}
    records = [window(f"queue:q{n}", name="interval_15m", kpis=kpis, revision=1 + n) for n in range(500)]
    assert len(records[0][1]) > 4000
    # The first store adds all names to the process's table of interned names, so that its growth is not measured.
    before = fed(*records)
    tracemalloc.start()
    try:
        store = fed(*records)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(store.entries()) == len(before.entries()) == 500
    assert held / 500 < 1000
