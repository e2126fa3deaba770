"""Five figures with Faust as its documentation shows it: an agent and a table a step, event by event, at least once."""

import sys

import faust
import orjson
import rules


def main():
    """Run until the process is ended."""
    settings = rules.options()
    marks = rules.Marks(settings.events)
    app = faust.App(
        settings.id,
        broker=f"kafka://{settings.bootstrap}",
        store="memory://",
        consumer_auto_offset_reset="earliest",
        topic_replication_factor=1,
        broker_commit_interval=settings.commit_ms / 1000,
        web_enabled=False,
        value_serializer="raw",
        key_serializer="raw",
        topic_disable_leader=True,
    )
    source = app.topic(settings.source, key_type=bytes, value_type=bytes, partitions=8)
    contributed = app.topic(settings.contributions, key_type=bytes, value_type=bytes, partitions=4)
    output = app.topic(settings.output, key_type=bytes, value_type=bytes, partitions=4)
    conversations = app.Table("conversations", key_type=str, value_type=list, partitions=8)
    intervals = app.Table("intervals", key_type=str, value_type=list, partitions=4)
    panes = app.Table("panes", key_type=str, value_type=list, partitions=4)

    @app.agent(source)
    async def converse(stream):
        async for key, value in stream.items():
            marks.add(1)
            event = orjson.loads(value)
            if event["type"] not in rules.KINDS:
                continue
            contact = key.decode()
            state, contributions = rules.take(conversations.get(contact), event)
            if state is not None:
                conversations[contact] = state
            elif contact in conversations:
                del conversations[contact]
            for scope, at, amounts in contributions:
                await contributed.send(key=scope.encode(), value=orjson.dumps((at, amounts)))

    @app.agent(contributed)
    async def book(stream):
        async for key, value in stream.items():
            scope, (at, amounts) = key.decode(), orjson.loads(value)
            windows = rules.Windows(panes=((start, sums) for start, sums in panes.get(scope) or ()))
            start = at - at % rules.INTERVAL_MS
            if (known := intervals.get(f"{scope}|{start}")) is not None:
                windows.intervals[start] = known
            windows.add(at, amounts)
            records = windows.records(scope)
            intervals[f"{scope}|{start}"] = windows.intervals[start]
            panes[scope] = list(windows.panes.items())
            for name, record in records:
                await output.send(key=name.encode(), value=record)

    sys.argv = ["faust", "worker", "--loglevel", "ERROR", "--without-web"]
    app.main()


main()
