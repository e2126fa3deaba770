"""What the store makes of the records of queue-metrics-latest, one by one."""

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
    """Return a store that took every one of the records."""
    store = Store()
    for key, value in records:
        assert store.feed(key, value)
    return store


def longest_wait(store: Store) -> float | None:
    """Return the longest wait of the one now record."""
    (entry,) = (entry for entry in store.entries() if entry.record.kind == "now")
    return store.longest_wait_seconds(entry)


def test_the_last_revision_stands() -> None:
    """A higher revision replaces a record; a lower one or the same again changes nothing, not even the version."""
    store = fed(now_record("queue:a", waiting=1, revision=4), now_record("queue:a", waiting=2, revision=5))
    version = store.version

    assert not store.feed(*now_record("queue:a", waiting=1, revision=4))
    assert not store.feed(*now_record("queue:a", waiting=9, revision=5))

    (entry,) = store.entries()
    assert (getattr(entry.record, "waiting", None), store.version) == (2, version)


def test_a_tombstone_deletes() -> None:
    """A record without a value removes its key; another for the same key is no change, and the key may come again from revision 1."""
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
def test_what_cannot_be_read_is_counted_and_left_out(key: bytes | None, value: bytes | None) -> None:
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
    """While one partition cannot say how complete it is, nobody can; once it says, or is gone, all can again."""
    store = fed(progress(0), progress(1, as_of=None, complete_through=None))
    assert (store.as_of_ms, store.complete_through_ms) == (parse_time_ms(AS_OF), None)

    store.feed(*progress(1, revision=2, complete_through="2026-04-01T08:59:00Z"))
    assert store.complete_through_ms == parse_time_ms("2026-04-01T08:59:00Z")

    store.feed(progress(1)[0], None)
    assert store.complete_through_ms == parse_time_ms("2026-04-01T08:59:55Z")


def test_without_progress_nothing_is_known_of_time() -> None:
    """Figures alone give no as-of: their own may be of long ago."""
    store = fed(window("queue:a"))

    assert (store.as_of_ms, store.complete_through_ms, store.sources) == (None, None, {})


def test_sources_are_taken_together() -> None:
    """A source was last seen when any partition saw it last, and is stale if any partition says so, even one that never saw it."""
    store = fed(
        progress(0, sources={"pbx": "2026-04-01T09:00:00Z"}, stale_sources=["chat"]),
        progress(1, sources={"pbx": "2026-04-01T08:59:00Z", "mail": "2026-04-01T08:00:00Z"}, stale_sources=["mail"]),
    )

    assert list(store.sources) == ["chat", "mail", "pbx"]
    assert [source.stale for source in store.sources.values()] == [True, True, False]
    assert store.sources["pbx"].last_seen_ms == parse_time_ms("2026-04-01T09:00:00Z")
    assert store.sources["chat"].last_seen_ms is None


def test_a_quarantined_source() -> None:
    """It is known though nobody heard of it otherwise, and is not silent; of what partitions say the newer counts."""
    apart = {"reason": "bad_records", "since": "2026-04-01T08:59:00Z", "partitions": 1, "records": 7}
    store = fed(
        progress(0, quarantined_sources={"bot": apart}),
        progress(1, stale_sources=["bot"], quarantined_sources={"bot": {**apart, "records": 9}}),
    )

    assert store.sources["bot"].quarantined == QuarantinedSource(**{**apart, "records": 9})
    assert not store.sources["bot"].stale
    assert store.sources["pbx"].quarantined is None
    store.feed(*progress(2, quarantined_sources={"bot": {**apart, "since": "yesterday"}}))
    assert store.rejected == 1


def test_a_source_that_is_expected_and_was_never_heard_is_silent() -> None:
    """As soon as anything is known of sources; one that is heard is what its records say."""
    store, heard = Store(), fed(progress(0, sources={"pbx": "2026-04-01T09:00:00Z"}))
    store.expected = heard.expected = frozenset({"crm", "pbx"})

    assert store.sources == {}
    assert [(name, source.last_seen_ms is None, source.stale) for name, source in heard.sources.items()] == [
        ("crm", True, True),
        ("pbx", False, False),
    ]


def test_the_longest_wait_grows_with_as_of() -> None:
    """The wait is taken from the entry at the current as-of, though the now record has not changed since."""
    store = fed(progress(), now_record("queue:a", waiting=1, waiting_since="2026-04-01T08:59:30Z", longest_wait_seconds=30))
    assert longest_wait(store) == 30

    store.feed(*progress(revision=2, as_of="2026-04-01T09:00:07.250Z"))
    assert longest_wait(store) == 37.25


def test_the_oldest_of_the_backlog_grows_with_as_of() -> None:
    """Its age is taken from its start, so that it grows while no record of its queue is written; without a backlog there is none."""
    since = "2026-03-30T09:00:00Z"
    store = fed(progress(), now_record("queue:a", "mail", backlog_on_hold=1, backlog_oldest_since=since, backlog_oldest_seconds=172_800))
    store.feed(*progress(revision=2, as_of="2026-04-01T09:00:07.250Z"))
    entry = next(each for each in store.entries() if each.key.startswith("now"))
    assert store.backlog_oldest_seconds(entry) == 172_807.25

    none = fed(progress(), now_record("queue:a", "mail", backlog_on_hold=0))
    assert none.backlog_oldest_seconds(next(each for each in none.entries() if each.key.startswith("now"))) is None


def test_the_longest_wait_is_never_older_than_its_record() -> None:
    """Progress is told once a second: a newer now record counts up to its own as-of, and the wait is never negative."""
    since = "2026-04-01T09:00:00.400Z"
    newer = now_record("queue:a", waiting=1, waiting_since=since, longest_wait_seconds=0.1, as_of="2026-04-01T09:00:00.500Z")
    assert longest_wait(fed(progress(), newer)) == pytest.approx(0.1)

    assert longest_wait(fed(progress(), now_record("queue:a", waiting=1, waiting_since=since))) == 0


@pytest.mark.parametrize(
    "record",
    [now_record("queue:a", waiting=0), now_record("queue:a"), people_now("team:t", {"idle": 1})],
    ids=range(3),
)
def test_no_longest_wait_where_nobody_waits(record: tuple[bytes, bytes]) -> None:
    """With nobody waiting, or nothing known, there is no longest wait, which is not 0."""
    assert longest_wait(fed(progress(), record)) is None


def test_changes_tell_followers_what_became_of_each_key() -> None:
    """Since a version: what changed, once each in its newest form, and what was removed; nothing since the current one."""
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


def test_a_key_that_came_back_is_not_told_removed() -> None:
    """Removed and written again is a change: told as both, a follower could drop it."""
    store = fed(now_record("queue:a", revision=3))
    seen = store.version
    store.feed(now_record("queue:a")[0], None)
    store.feed(*now_record("queue:a"))

    changes = store.changes_since(seen)
    assert changes is not None
    assert ([entry.key for entry in changes.changed], changes.removed) == (["now|voice|queue:a"], [])


def test_who_is_too_far_behind_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many removed keys are remembered; who saw the store before the forgotten ones is told to begin anew."""
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
    """After a new reading the store holds what that holds, lower revisions too, and followers begin anew."""
    store = fed(progress(), now_record("queue:old"), now_record("queue:a", revision=9))
    seen = store.version
    called: list[int] = []
    store.subscribe(lambda: called.append(store.version))

    store.take_over(fed(now_record("queue:a", revision=1)))

    assert [(entry.key, entry.record.revision) for entry in store.entries()] == [("now|voice|queue:a", 1)]
    assert store.as_of_ms is None
    assert store.changes_since(seen) is None
    assert called == [store.version]


def test_a_copy_stands_still() -> None:
    """A copy for another thread has the same figures and stays as it was."""
    store = fed(*small_center())
    copy = store.copy()
    before = [(entry.key, entry.record) for entry in store.entries()]
    store.feed(*progress(revision=2, as_of="2026-04-01T10:00:00Z"))
    store.feed(window("queue:sales")[0], None)

    assert [(entry.key, entry.record) for entry in copy.entries()] == before
    assert copy.as_of_ms == parse_time_ms(AS_OF)
    assert copy.sources == store.sources


def test_subscribers_hear_of_changes_until_they_leave() -> None:
    """A change calls every subscriber once; what changes nothing calls nobody."""
    store = Store()
    called: list[int] = []
    leave = store.subscribe(lambda: called.append(store.version))
    store.feed(*progress())
    store.feed(*progress())
    store.feed(b"k", b"no json")
    leave()
    store.feed(*progress(revision=2))

    assert called == [1]


def test_fields_of_a_newer_version_are_kept() -> None:
    """A record with fields that this version does not know is read, and handed on whole."""
    key, value = now_record("queue:a", waiting=1, waiting_by_age={"60": 1})
    (entry,) = fed((key, value)).entries()

    assert orjson.loads(entry.raw)["waiting_by_age"] == {"60": 1}


def test_windows_are_read_as_their_schema_says() -> None:
    """The fast reader of windows knows the fields of the schema, as many of them required, and refuses what that refuses."""
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


def test_what_is_packed_comes_back() -> None:
    """Records are handed on byte for byte, unknown fields included, however unlike the one before they are."""
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
    """A record of 4 kB, of which a center of a thousand queues has a hundred and fifty a queue, takes less than a quarter of that."""
    kpis = {f"kpi_{n}": {"value": 1, "numerator": n, "denominator": None, "coverage": None} for n in range(55)}
    records = [window(f"queue:q{n}", name="interval_15m", kpis=kpis, revision=1 + n) for n in range(500)]
    assert len(records[0][1]) > 4000
    # The table of interned names is the whole process's, and doubles with whoever adds the next one: here all names are in it before.
    before = fed(*records)
    tracemalloc.start()
    try:
        store = fed(*records)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(store.entries()) == len(before.entries()) == 500
    assert held / 500 < 1000
