"""Public holidays by country: dates off the lists of their governments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.times import format_ms, parse_time_ms
from tests.windows.test_hours import at, opening

if TYPE_CHECKING:
    from streams.windows.hours import OpeningHours

NOON_MS = 12 * 3_600_000
DAY_MS = 86_400_000

#: Public holidays of Japan in 2026 as the Cabinet Office lists them (国民の祝日について); those in lieu are marked.
JAPAN_2026 = (
    "2026-01-01",  # 元日
    "2026-01-12",  # 成人の日
    "2026-02-11",  # 建国記念の日
    "2026-02-23",  # 天皇誕生日
    "2026-03-20",  # 春分の日
    "2026-04-29",  # 昭和の日
    "2026-05-03",  # 憲法記念日, a Sunday
    "2026-05-04",  # みどりの日
    "2026-05-05",  # こどもの日
    "2026-05-06",  # 休日: 振替休日, in lieu of Sunday 3 May
    "2026-07-20",  # 海の日
    "2026-08-11",  # 山の日
    "2026-09-21",  # 敬老の日
    "2026-09-22",  # 休日: 国民の休日, between two holidays
    "2026-09-23",  # 秋分の日
    "2026-10-12",  # スポーツの日
    "2026-11-03",  # 文化の日
    "2026-11-23",  # 勤労感謝の日
)


def closed_days(hours: OpeningHours, noon: str, days: int) -> list[str]:
    """Return the dates on which it is closed at noon, UTC."""
    first = parse_time_ms(f"{noon}T00:00:00Z") + NOON_MS
    return [format_ms(at)[:10] for at in range(first, first + days * DAY_MS, DAY_MS) if not hours.is_open(at)]


class TestHolidayCalendars:
    """Public holidays by country."""

    def test_japan(self) -> None:
        """All of 2026: those in lieu of a Sunday and those between two others too, and no other day."""
        hours = opening("UTC", {"holiday_calendar": "JP"})

        assert closed_days(hours, "2026-01-01", 365) == [*JAPAN_2026]

    def test_a_part_of_a_country_and_days_of_ones_own(self) -> None:
        """International Women's Day is one in Berlin, not in Munich; Epiphany the other way round. Own dates are closed as well."""
        berlin = opening("UTC", {"holiday_calendar": "DE-BE", "holidays": ["2026-01-02"]})
        munich = opening("UTC", {"holiday_calendar": "DE-BY"})

        assert closed_days(berlin, "2026-01-01", 80) == ["2026-01-01", "2026-01-02", "2026-03-08"]
        assert closed_days(munich, "2026-01-01", 80) == ["2026-01-01", "2026-01-06"]

    def test_the_precedence_of_calendars(self) -> None:
        """A queue's exceptions hold over its calendar, its calendar over its site's dates and in place of its site's calendar."""
        site = {"holiday_calendar": "JP", "exceptions": {"2026-12-25": ["00:00-24:00"]}, "holidays": ["2026-06-01"]}
        queue = {"holiday_calendar": "DE", "exceptions": {"2026-01-01": ["10:00-13:00"]}}
        hours = opening("UTC", queue, site)

        assert at(hours, "2026-01-01T09:00", "2026-01-01T12:00") == [False, True]
        # 12 January is a holiday in Japan alone; 25 December is one in Germany, with or without the site; 1 June is the site's own.
        assert at(hours, "2026-01-12T12:00", "2026-12-25T12:00", "2026-06-01T12:00") == [True, False, False]

    def test_the_calendar_is_on_the_sites_clock(self) -> None:
        """A holiday in Tokyo lasts from 15:00 to 15:00 UTC."""
        tokyo = opening("Asia/Tokyo", {"holiday_calendar": "JP"})

        assert at(tokyo, "2025-12-31T14:59", "2025-12-31T15:00", "2026-01-01T14:59", "2026-01-01T15:00") == [True, False, False, True]
