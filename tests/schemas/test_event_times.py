"""Times: exact, in one text form only, and the fast reading agrees with the plain one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.times import SECOND_MS, SUFFIX_MS, TimeFormatError, format_ms, from_ms, parse_time, parse_time_ms, seconds_to_ms, to_ms

FIRST_MS = -62_135_596_800_000
LAST_MS = 253_402_300_799_999
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(min_value=datetime(1000, 1, 3), max_value=datetime(9998, 12, 29), timezones=OFFSETS)  # noqa: DTZ001  # zones are drawn


@given(st.integers(FIRST_MS, LAST_MS))
@example(FIRST_MS)
@example(-1)
@example(0)
@example(LAST_MS)
def test_milliseconds_survive_every_way_there_and_back(ms: int) -> None:
    """Milliseconds become a datetime or a text and come back the same, over the whole calendar."""
    assert to_ms(from_ms(ms)) == ms
    assert to_ms(parse_time(format_ms(ms))) == ms


@given(MOMENTS)
@example(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
@example(datetime(2262, 4, 11, 23, 47, 16, 854_999, tzinfo=UTC))
def test_to_ms_rounds_down(moment: datetime) -> None:
    """The milliseconds are the floor of the microseconds, before 1970 too."""
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    assert to_ms(moment) == micros // 1000


@given(MOMENTS, st.integers(0, 9), st.booleans())
def test_fast_reading_agrees_with_the_plain_one(moment: datetime, digits: int, zulu: bool) -> None:
    """For any fraction and offset the two readings of a text give the same milliseconds."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    if digits:
        text += f".{moment.microsecond * 1000 + 999:09d}"[: digits + 1]
    text += "Z" if zulu else moment.isoformat()[-6:]

    assert parse_time_ms(text) == to_ms(parse_time(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-08-06",
        "2026-08-06T12:34Z",
        "2026-08-06T12:34:56",
        "2026-08-06 12:34:56Z",
        "2026-08-06t12:34:56Z",
        "2026-08-06T12:34:56z",
        "2026-08-06T12:34:56.Z",
        "2026-08-06T12:34:56,5Z",
        "2026-08-06T12:34:56.1234567890Z",
        "2026-08-06T12:34:56+0900",
        "2026-08-06T12:34:56+09",
        "2026-08-06T12:34:56+24:00",
        "2026-08-06T12:34:56+09:60",
        "2026-08-06T12:34:56+09:00:30",
        "2026-08-06T12:34:56Z\n",
        " 2026-08-06T12:34:56Z",
        "2026-08-06T24:00:00Z",
        "2026-08-06T12:60:00Z",
        "2026-08-06T12:34:60Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "20260806T123456Z",
        "2026-W32-4T12:34:56Z",
        "+2026-08-06T12:34:56Z",
        "12026-08-06T12:34:56Z",
        "２０２６-08-06T12:34:56Z",
        "2026-08-06T12:34:56.٣Z",
        "1786000000",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_any_other_form_is_refused_by_both_readings(text: str) -> None:
    """Only the documented form of a moment that exists is a time."""
    with pytest.raises(TimeFormatError):
        parse_time(text)
    with pytest.raises(TimeFormatError):
        parse_time_ms(text)


def test_naive_datetimes_have_no_milliseconds() -> None:
    """A datetime without a zone is no moment."""
    with pytest.raises(ValueError, match="offset"):
        to_ms(datetime(2026, 8, 6))  # noqa: DTZ001  # that is the point


def test_format_is_fixed_in_width() -> None:
    """Texts of times sort as the times do."""
    assert format_ms(0) == "1970-01-01T00:00:00.000Z"
    assert format_ms(1_786_019_696_789) == "2026-08-06T12:34:56.789Z"
    assert format_ms(FIRST_MS) == "0001-01-01T00:00:00.000Z"


def test_seconds_become_the_nearest_millisecond() -> None:
    """A duration that binary fractions cannot hold exactly is not a millisecond short."""
    assert seconds_to_ms(12.0005) in {12_000, 12_001}
    assert seconds_to_ms(1.001) == 1001
    assert seconds_to_ms(4.35) == 4350
    assert seconds_to_ms(0.0005) == 0
    assert seconds_to_ms(0.0015) == 2


def test_refused_texts_are_not_remembered() -> None:
    """A flood of bad times takes no memory."""
    before = len(SECOND_MS), len(SUFFIX_MS)
    for number in range(50):
        with pytest.raises(TimeFormatError):
            parse_time_ms(f"2026-99-06T12:34:{number:02d}Z")
        with pytest.raises(TimeFormatError):
            SUFFIX_MS[f".{number}X"]

    assert (len(SECOND_MS), len(SUFFIX_MS)) == before


def test_the_caches_start_again_when_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaying years does not grow a worker, and the answers stay right."""
    monkeypatch.setattr("schemas.times._CACHED", 10)
    SECOND_MS.clear()
    SUFFIX_MS.clear()

    for number in range(60):
        text = f"2026-08-06T12:34:{number:02d}.{number:03d}Z"
        assert parse_time_ms(text) == to_ms(parse_time(text))
        assert len(SECOND_MS) <= 10
        assert len(SUFFIX_MS) <= 10
