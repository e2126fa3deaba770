package peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams, Processor API, stores in memory, exactly-once: conversations by id, then a topic of contributions by queue and channel. */
public final class KafkaStreamsProcessor {
    private KafkaStreamsProcessor() {}

    public static void main(String[] words) throws Exception {
        Arguments arguments = new Arguments(words);
        String contributions = arguments.text("contributions");
        Duration interval = Duration.ofMillis(arguments.number("commit-ms"));
        Topology topology = new Topology();
        topology.addSource("events", new ByteArrayDeserializer(), new ByteArrayDeserializer(), arguments.text("source"));
        topology.addProcessor("conversations", Conversations::new, "events");
        topology.addStateStore(store("conversations"), "conversations");
        topology.addSink("contributions", contributions, new StringSerializer(), new ByteArraySerializer(), "conversations");
        topology.addSource("contributed", new StringDeserializer(), new ByteArrayDeserializer(), contributions);
        topology.addProcessor("windows", () -> new Windows(interval), "contributed");
        topology.addStateStore(store("intervals"), "windows");
        topology.addStateStore(store("panes"), "windows");
        topology.addSink("figures", arguments.text("output"), new StringSerializer(), new ByteArraySerializer(), "windows");
        StreamsProgram.run(topology, arguments);
    }

    private static StoreBuilder<KeyValueStore<byte[], byte[]>> store(String name) {
        return Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(name), Serdes.ByteArray(), Serdes.ByteArray()).withCachingEnabled();
    }

    /** Events of a conversation become contributions. */
    static final class Conversations implements Processor<byte[], byte[], String, byte[]> {
        private final Event event = new Event();
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<byte[], byte[]> known;

        @Override
        public void init(ProcessorContext<String, byte[]> given) {
            context = given;
            known = given.getStateStore("conversations");
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            Marks.seen();
            if (!event.readOrFail(record.value())) {
                return;
            }
            byte[] stored = known.get(record.key());
            Conversation conversation = stored == null ? new Conversation() : Conversation.of(stored);
            boolean open = conversation.take(
                    event, (scope, sums, at) -> context.forward(new Record<>(scope, contribution(sums, at), Math.max(0, record.timestamp()))));
            if (open) {
                known.put(record.key(), conversation.bytes());
            } else if (stored != null) {
                known.delete(record.key());
            }
        }
    }

    static byte[] contribution(Sums sums, long at) {
        return ByteBuffer.allocate(56).putLong(at).put(sums.bytes()).array();
    }

    /** Contributions of a queue and channel become intervals and trailing windows, published once an interval of the clock. */
    static final class Windows implements Processor<String, byte[], String, byte[]> {
        private final Duration interval;
        private final Map<String, Scope> scopes = new HashMap<>();
        private final Map<String, Scope> changed = new HashMap<>();
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<byte[], byte[]> intervals;
        private KeyValueStore<byte[], byte[]> panes;

        Windows(Duration interval) {
            this.interval = interval;
        }

        @Override
        public void init(ProcessorContext<String, byte[]> given) {
            context = given;
            intervals = given.getStateStore("intervals");
            panes = given.getStateStore("panes");
            // What was changed and not yet published when a program died is published again: everything that is known.
            restore(intervals, true);
            restore(panes, false);
            changed.putAll(scopes);
            given.schedule(interval, PunctuationType.WALL_CLOCK_TIME, now -> publish(now));
        }

        private void restore(KeyValueStore<byte[], byte[]> store, boolean ofIntervals) {
            try (KeyValueIterator<byte[], byte[]> rows = store.all()) {
                while (rows.hasNext()) {
                    KeyValue<byte[], byte[]> row = rows.next();
                    String name = new String(row.key, 8, row.key.length - 8, StandardCharsets.UTF_8);
                    long start = ByteBuffer.wrap(row.key).getLong();
                    Scope scope = scopes.computeIfAbsent(name, unused -> new Scope());
                    (ofIntervals ? scope.intervals : scope.panes).put(start, Sums.of(row.value));
                    if (ofIntervals) {
                        scope.changed.add(start);
                    }
                }
            }
        }

        @Override
        public void process(Record<String, byte[]> record) {
            String name = record.key();
            ByteBuffer buffer = ByteBuffer.wrap(record.value());
            long at = buffer.getLong();
            Sums sums = Sums.of(buffer);
            Scope scope = scopes.computeIfAbsent(name, unused -> new Scope());
            long start = Scope.interval(at);
            Sums interval = scope.intervals.computeIfAbsent(start, unused -> new Sums()).add(sums);
            intervals.put(key(name, start), interval.bytes());
            scope.changed.add(start);
            while (scope.intervals.firstKey() < scope.intervals.lastKey() - Scope.KEPT_MS) {
                intervals.delete(key(name, scope.intervals.pollFirstEntry().getKey()));
            }
            long pane = Scope.pane(at);
            if (scope.panes.isEmpty() || pane >= Scope.oldest(scope.panes.lastKey())) {
                panes.put(key(name, pane), scope.panes.computeIfAbsent(pane, unused -> new Sums()).add(sums).bytes());
                while (scope.panes.firstKey() < Scope.oldest(scope.panes.lastKey())) {
                    panes.delete(key(name, scope.panes.pollFirstEntry().getKey()));
                }
            }
            changed.put(name, scope);
        }

        private void publish(long now) {
            changed.forEach((name, scope) -> scope.records(name).forEach((key, value) -> context.forward(new Record<>(key, value, now))));
            changed.clear();
        }

        private static byte[] key(String name, long start) {
            byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
            return ByteBuffer.allocate(8 + bytes.length).putLong(start).put(bytes).array();
        }
    }
}
