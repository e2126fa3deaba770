"""Five figures with Quix Streams, exactly-once: state in its own store, a topic of contributions by queue and channel."""

import tempfile

import orjson
import rules
from quixstreams import Application
from quixstreams.models.serializers import Serializer


class Value(Serializer):
    """Writes the second of a pair of key and value."""

    def __call__(self, pair, ctx):
        del ctx
        return pair[1]


def main():
    """Run until the process is ended."""
    settings = rules.options()
    marks = rules.Marks(settings.events)
    app = Application(
        broker_address=settings.bootstrap,
        consumer_group=settings.id,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=settings.commit_ms / 1000,
        state_dir=tempfile.mkdtemp(prefix="peer-state"),
        loglevel="ERROR",
    )
    source = app.topic(settings.source, key_deserializer="str", value_deserializer="bytes")
    output = app.topic(settings.output, key_serializer="str", value_serializer=Value())

    def parsed(value):
        marks.add(1)
        event = orjson.loads(value)
        return event if event["type"] in rules.KINDS else None

    def contributed(event, state):
        conversation, found = rules.take(state.get("conversation"), event)
        if conversation is None:
            state.delete("conversation")
        else:
            state.set("conversation", conversation)
        return [list(each) for each in found]

    events = app.dataframe(source).apply(parsed).filter(lambda event: event is not None)
    contributions = events.apply(contributed, stateful=True, expand=True)
    windowed = contributions.group_by(lambda contribution: contribution[0], name="contributions").apply(booked, stateful=True, expand=True)
    windowed.to_topic(output, key=lambda record: record[0])
    app.run()


def booked(contribution, state):
    """Add a contribution to its interval and to the trailing window; return the records of both."""
    scope, at, amounts = contribution
    start, pane = at - at % rules.INTERVAL_MS, at - at % rules.PANE_MS
    interval = _plus(state.get(f"i{start}"), amounts)
    state.set(f"i{start}", interval)
    newest, sums = state.get("trailing") or (pane, None)
    if pane > newest:
        # What leaves the trailing window is taken off; older panes are gone with it.
        for left in range(newest - rules.INTERVAL_MS + rules.PANE_MS, min(pane - rules.INTERVAL_MS, newest) + 1, rules.PANE_MS):
            gone = state.get(f"p{left}")
            if gone:
                sums = _plus(sums, [-amount for amount in gone])
                state.delete(f"p{left}")
        newest = pane
    if pane > newest - rules.INTERVAL_MS:
        state.set(f"p{pane}", _plus(state.get(f"p{pane}"), amounts))
        sums = _plus(sums, amounts)
    state.set("trailing", [newest, sums])
    return [(f"15m|{scope}|{start}", rules.value(interval)), (f"trailing|{scope}", rules.value(sums or (0,) * 6))]


def _plus(sums, amounts):
    return [a + b for a, b in zip(sums or (0,) * 6, amounts, strict=True)]


main()
