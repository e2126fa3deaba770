"""The random worlds with everything of section 15 of ``docs/counting.md`` in their configuration; their events are the same."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from schemas.times import from_ms
from streams.configuration.models import Configuration
from tests.oracle.worlds import MINUTE_MS, random_world

if TYPE_CHECKING:
    from tests.oracle.worlds import World

__all__ = ["timed_world"]

#: Closed now and then in every hour that these worlds are about: morning, midnight, and the hours that clocks skip and repeat.
WEEK = {"mon-sun": ["00:05-01:35", "01:45-02:30", "02:45-08:55", "09:05-23:35", "23:45-24:00"]}


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
    return replace(world, configuration=Configuration.model_validate(content))
