"""Five figures with Bytewax: batches of events folded by hand in one operator, state in memory without recovery, at least once."""

from datetime import timedelta

import orjson
import rules
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSource
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

BATCH = 4000
MOST_BATCHES = 1_000_000


def main():
    """Run until the process is ended."""
    settings = rules.options()
    marks = rules.Marks(settings.events)
    conversations = {}

    def folded(messages):
        """Fold a batch of events of any conversations; return the contributions by queue and channel."""
        marks.add(len(messages))
        found = {}
        for message in messages:
            event = orjson.loads(message.value)
            if event["type"] not in rules.KINDS:
                continue
            state, contributions = rules.take(conversations.get(message.key), event)
            if state is None:
                conversations.pop(message.key, None)
            else:
                conversations[message.key] = state
            for scope, at, amounts in contributions:
                found.setdefault(scope, []).append((at, amounts))
        return found.items()

    def windowed(windows, batches):
        """Add what a queue and channel was given meanwhile; return what changed of its windows."""
        scope, windows = windows or (batches[0][0], rules.Windows())
        for _, batch in batches:
            for at, amounts in batch:
                windows.add(at, amounts)
        return (scope, windows), windows.records(scope)

    flow = Dataflow("figures")
    events = op.input("events", flow, KafkaSource([settings.bootstrap], [settings.source], batch_size=BATCH))
    contributions = op.flat_map_batch("conversations", events, folded)
    keyed = op.map("keyed", contributions, lambda pair: (pair[0], pair))
    collected = op.collect("collected", keyed, timeout=timedelta(milliseconds=settings.commit_ms), max_size=MOST_BATCHES)
    changed = op.stateful_map("windows", collected, windowed)
    records = op.flat_map("records", changed, lambda pair: [KafkaSinkMessage(key.encode(), value) for key, value in pair[1]])
    kafka.output("figures", records, brokers=[settings.bootstrap], topic=settings.output)
    cli_main(flow)


main()
