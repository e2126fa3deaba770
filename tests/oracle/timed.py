"""The random worlds with everything of section 15 of ``docs/counting.md`` in their configuration; their events are the same."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from schemas.other import ForecastSet
from schemas.times import from_ms
from streams.configuration.models import Configuration
from tests.oracle.worlds import MINUTE_MS, random_world

if TYPE_CHECKING:
    from schemas.base import Event
    from tests.oracle.worlds import World

__all__ = ["timed_world"]

#: Closed now and then in every hour that these worlds are about: morning, midnight, and the hours that clocks skip and repeat.
WEEK = {"mon-sun": ["00:05-01:35", "01:45-02:30", "02:45-08:55", "09:05-23:35", "23:45-24:00"]}


def _forecasts(world: World) -> list[Event]:
    """Return forecasts of two queues for the hours around the begin of a world."""
    begin = world.start_ms - world.start_ms % (60 * MINUTE_MS)
    common: dict[str, Any] = {"occurred_at": from_ms(begin), "received_at": from_ms(begin), "source": "switch"}
    return [
        ForecastSet(
            **common,
            event_id=f"forecast-{queue}-{number}",
            queue=queue,
            interval_start=from_ms(begin + 30 * MINUTE_MS * number),
            interval_seconds=1800,
            volume=6 + number,
            staff=2,
        )
        for queue in ("sales", "care")
        for number in range(4)
    ]


def timed_world(seed: int, conversations: int = 16) -> World:
    """Return a world counted by intervals of all lengths, by outcome too, on the business clock, with calendar exceptions."""
    world = random_world(seed, conversations, people=3)
    random = Random(seed)

    def local(zone: str, minutes: int) -> str:
        return from_ms(world.start_ms + minutes * MINUTE_MS).astimezone(ZoneInfo(zone)).isoformat()[:16]

    lengths = random.choice(([5, 15, 30, 60], [15, 60]))
    content: dict[str, Any] = world.configuration.model_dump(by_alias=True, exclude_unset=True)
    content["default_zone"] = random.choice(("UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"))
    content["sites"]["berlin"] |= {"business_hours": WEEK}
    content["sites"]["tokyo"] |= {
        "day_start": random.choice(("05:00", "00:05") if 5 in lengths else ("05:00", "00:15")),
        "holidays": [local("Asia/Tokyo", 0)[:10]],
    }
    content["queues"]["care"] |= {"business_hours": {"mon-sun": ["00:00-24:00"]}, "clock": "business"}
    content["queues"]["mailbox"]["clock"] = random.choice(("business", "calendar"))
    content["queues"]["support"]["clock"] = "business"
    content["queues"]["sales"]["clock"] = "business"
    begin = random.choice((-30, 0, 3, 11))
    content["calendar_exceptions"] = [
        {
            "name": "storm",
            "kind": "closed",
            "from": local("Europe/Berlin", begin),
            "to": local("Europe/Berlin", begin + 75),
            "sites": ["berlin"],
        },
        {"name": "outage", "kind": "outage", "from": local("Asia/Tokyo", random.choice((1, 17))), "queues": ["care", "mailbox"]},
        {
            "name": "test",
            "kind": "outage",
            "from": local(content["default_zone"], 2),
            "to": local(content["default_zone"], 64),
            "queues": ["chats"],
        },
    ]
    content["counting"] |= {"interval_minutes": lengths, "attribution": ["offer", "outcome"]}
    for each in content["calendar_exceptions"]:
        if each.get("to", "9") <= each["from"]:  # the clock was set back in between
            del each["to"]
    return replace(world, events=[*_forecasts(world), *world.events], configuration=Configuration.model_validate(content))
