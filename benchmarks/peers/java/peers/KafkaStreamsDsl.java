package peers;

import java.nio.ByteBuffer;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Kafka Streams, DSL, stores in memory, exactly-once: intervals are tumbling windows, and trailing windows an aggregate of the last panes.
 *
 * <p>What a conversation remembers has no operator of its own in the DSL and is a processor, as its documentation suggests.
 */
public final class KafkaStreamsDsl {
    private static final int PARTITIONS = 4;

    private KafkaStreamsDsl() {}

    public static void main(String[] words) throws Exception {
        Arguments arguments = new Arguments(words);
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(Stores.keyValueStoreBuilder(
                        Stores.inMemoryKeyValueStore("conversations"), Serdes.ByteArray(), Serdes.ByteArray())
                .withCachingEnabled());
        KStream<String, byte[]> contributions = builder.stream(
                        arguments.text("source"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .process(Conversations::new, "conversations")
                .repartition(Repartitioned.with(Serdes.String(), Serdes.ByteArray()).withNumberOfPartitions(PARTITIONS));
        Serde<Sums> sums = Serdes.serdeFrom((topic, value) -> value == null ? null : value.bytes(), (topic, bytes) -> bytes == null ? null : Sums.of(bytes));
        KTable<Windowed<String>, Sums> intervals = contributions
                .groupByKey(Grouped.with(Serdes.String(), Serdes.ByteArray()))
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMillis(Scope.INTERVAL_MS), Duration.ofMillis(Scope.KEPT_MS)))
                .aggregate(Sums::new, (key, value, found) -> found.add(amounts(value)), intervalStore(sums));
        intervals.toStream()
                .map((window, value) -> new KeyValue<>("15m|" + window.key() + "|" + window.window().start(), value.json()))
                .to(arguments.text("output"), Produced.with(Serdes.String(), Serdes.ByteArray()));
        contributions
                .groupByKey(Grouped.with(Serdes.String(), Serdes.ByteArray()))
                .aggregate(() -> new byte[0], (key, value, panes) -> Panes.add(panes, value), paneStore())
                .toStream()
                .map((scope, panes) -> new KeyValue<>("trailing|" + scope, Panes.sum(panes).json()))
                .to(arguments.text("output"), Produced.with(Serdes.String(), Serdes.ByteArray()));
        StreamsProgram.run(builder.build(), arguments);
    }

    private static Materialized<String, Sums, WindowStore<Bytes, byte[]>> intervalStore(Serde<Sums> sums) {
        Duration interval = Duration.ofMillis(Scope.INTERVAL_MS);
        Duration kept = interval.plusMillis(Scope.KEPT_MS);
        return Materialized.<String, Sums>as(Stores.inMemoryWindowStore("intervals", kept, interval, false))
                .withKeySerde(Serdes.String())
                .withValueSerde(sums)
                .withCachingEnabled();
    }

    private static Materialized<String, byte[], KeyValueStore<Bytes, byte[]>> paneStore() {
        return Materialized.<String, byte[]>as(Stores.inMemoryKeyValueStore("panes"))
                .withKeySerde(Serdes.String())
                .withValueSerde(Serdes.ByteArray())
                .withCachingEnabled();
    }

    static Sums amounts(byte[] contribution) {
        return Sums.of(ByteBuffer.wrap(contribution, 8, 48).slice());
    }

    /** The last panes of a scope as bytes: the begin of each, then its sums, oldest first. */
    static final class Panes {
        private static final int ROW = 56;

        private Panes() {}

        static byte[] add(byte[] panes, byte[] contribution) {
            long start = Scope.pane(ByteBuffer.wrap(contribution).getLong());
            ByteBuffer given = ByteBuffer.wrap(panes);
            int rows = panes.length / ROW;
            long newest = rows == 0 ? start : Math.max(start, given.getLong((rows - 1) * ROW));
            if (start < Scope.oldest(newest)) {
                return panes;
            }
            int first = 0;
            while (first < rows && given.getLong(first * ROW) < Scope.oldest(newest)) {
                first++;
            }
            int place = rows;
            while (place > first && given.getLong((place - 1) * ROW) > start) {
                place--;
            }
            boolean known = place > first && given.getLong((place - 1) * ROW) == start;
            byte[] result = new byte[(rows - first + (known ? 0 : 1)) * ROW];
            ByteBuffer written = ByteBuffer.wrap(result);
            written.put(panes, first * ROW, (place - first) * ROW);
            if (known) {
                byte[] sums = Sums.of(ByteBuffer.wrap(panes, (place - 1) * ROW + 8, 48).slice()).add(amounts(contribution)).bytes();
                written.position(written.position() - 48);
                written.put(sums);
            } else {
                written.putLong(start).put(contribution, 8, 48);
            }
            written.put(panes, place * ROW, (rows - place) * ROW);
            return result;
        }

        static Sums sum(byte[] panes) {
            Sums sums = new Sums();
            for (int row = 0; row < panes.length / ROW; row++) {
                sums.add(Sums.of(ByteBuffer.wrap(panes, row * ROW + 8, 48).slice()));
            }
            return sums;
        }
    }

    /** Events of a conversation become contributions, at the time of the event. */
    static final class Conversations extends ContextualProcessor<byte[], byte[], String, byte[]> {
        private final Event event = new Event();

        @Override
        public void process(Record<byte[], byte[]> record) {
            KeyValueStore<byte[], byte[]> known = context().getStateStore("conversations");
            Marks.seen();
            if (!event.readOrFail(record.value())) {
                return;
            }
            byte[] stored = known.get(record.key());
            Conversation conversation = stored == null ? new Conversation() : Conversation.of(stored);
            boolean open = conversation.take(
                    event, (scope, sums, at) -> context().forward(new Record<>(scope, KafkaStreamsProcessor.contribution(sums, at), at)));
            if (open) {
                known.put(record.key(), conversation.bytes());
            } else if (stored != null) {
                known.delete(record.key());
            }
        }
    }
}
