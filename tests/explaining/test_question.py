"""What may be asked: instants and lengths that no figure can have are refused, or bounded, before anything is read."""

from __future__ import annotations

import pytest

from streams.configuration import Configuration
from streams.explaining import Question, QuestionError

CONFIGURATION = Configuration.model_validate({"queues": {"sales": {"channel": "voice"}}})


@pytest.mark.parametrize("window", ["trailing_0m", "trailing_1441m", "trailing_99999m"])
def test_a_trailing_window_is_a_day_at_most(window: str) -> None:
    """A longer one, or none, is refused with what is permitted."""
    with pytest.raises(QuestionError, match="1 to 1440 minutes"):
        Question.of([], CONFIGURATION, queue="sales", kpi="offered", window=window, at_ms=1_000_000_000_000)


@pytest.mark.parametrize("window", ["trailing_1440m", "day", "interval_15m"])
def test_nothing_is_read_from_before_there_was_time(window: str) -> None:
    """Kafka is asked for no instant before 1970, however far back a conversation might have begun."""
    question = Question.of([], CONFIGURATION, queue="sales", kpi="offered", window=window, at_ms=0)
    assert question.since_ms(CONFIGURATION) == 0
    later = Question.of([], CONFIGURATION, queue="sales", kpi="offered", window=window, at_ms=1_000_000_000_000)
    assert later.since_ms(CONFIGURATION) > 990_000_000_000


def test_figures_of_people_are_no_channel() -> None:
    """A queue with figures of people beside one channel has that one channel."""
    record = {"kind": "window", "scope_kind": "queue", "scope": "sales", "window": "day"}
    times = {"window_start": "2026-04-01T00:00:00Z", "window_end": "2026-04-02T00:00:00Z", "as_of": "2026-04-01T09:00:00Z"}
    records = [{**record, **times, "channel": channel} for channel in (None, "voice")]
    assert Question.of(records, CONFIGURATION, queue="sales", kpi="offered", window="day").channel == "voice"
