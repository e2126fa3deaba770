package peers;

import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Flink in one process, state on the heap, exactly-once: conversations by id, then windows by queue and channel. */
public final class FlinkHeap {
    private FlinkHeap() {}

    public static void main(String[] words) throws Exception {
        Arguments arguments = new Arguments(words);
        Marks.expect(arguments.number("events"));
        int interval = arguments.number("commit-ms");
        Configuration settings = new Configuration();
        settings.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        settings.set(CheckpointingOptions.CHECKPOINT_STORAGE, "jobmanager");
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.createLocalEnvironment(1, settings);
        flink.getConfig().enableObjectReuse();
        flink.enableCheckpointing(Math.max(interval, 1000), CheckpointingMode.EXACTLY_ONCE);
        KafkaSource<Step> source = KafkaSource.<Step>builder()
                .setBootstrapServers(arguments.text("bootstrap"))
                .setTopics(arguments.text("source"))
                .setGroupId(arguments.text("id"))
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setDeserializer(new Steps())
                .build();
        Properties producing = new Properties();
        producing.put("transaction.timeout.ms", "600000");
        String output = arguments.text("output");
        KafkaSink<byte[][]> sink = KafkaSink.<byte[][]>builder()
                .setBootstrapServers(arguments.text("bootstrap"))
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(arguments.text("id"))
                .setKafkaProducerConfig(producing)
                .setRecordSerializer((KafkaRecordSerializationSchema<byte[][]>)
                        (figures, context, now) -> new ProducerRecord<>(output, figures[0], figures[1]))
                .build();
        flink.fromSource(source, WatermarkStrategy.noWatermarks(), "events")
                .keyBy(step -> step.conversation)
                .process(new Conversations())
                .keyBy(contribution -> contribution.scope)
                .process(new Windows(interval))
                .returns(Types.OBJECT_ARRAY(PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO))
                .sinkTo(sink);
        flink.execute(arguments.text("id"));
    }

    /** What the figures need of an event, as it travels between operators. */
    public static final class Step {
        public String conversation;
        public String type;
        public String queue;
        public String channel;
        public long at;
    }

    /** Sums that go to a queue and channel at an instant. */
    public static final class Contribution {
        public String scope;
        public long at;
        public long[] amounts;
    }

    /** Reads events; those that say nothing about the figures go no further. */
    static final class Steps implements KafkaRecordDeserializationSchema<Step> {
        private static final long serialVersionUID = 1;
        private transient Event event;

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Step> out) {
            if (event == null) {
                event = new Event();
            }
            Marks.seen();
            if (event.readOrFail(record.value())) {
                Step step = new Step();
                step.conversation = new String(record.key(), StandardCharsets.UTF_8);
                step.type = event.type;
                step.queue = event.queue == null ? "" : event.queue;
                step.channel = event.channel == null ? "" : event.channel;
                step.at = event.at;
                out.collect(step);
            }
        }

        @Override
        public TypeInformation<Step> getProducedType() {
            return TypeInformation.of(Step.class);
        }
    }

    /** Events of a conversation become contributions. */
    static final class Conversations extends KeyedProcessFunction<String, Step, Contribution> {
        private static final long serialVersionUID = 1;
        private transient ValueState<Conversation> known;
        private transient Event event;

        @Override
        public void open(OpenContext context) {
            known = getRuntimeContext().getState(new ValueStateDescriptor<>("conversation", Conversation.class));
            event = new Event();
        }

        @Override
        public void processElement(Step step, Context context, Collector<Contribution> out) throws Exception {
            Conversation stored = known.value();
            Conversation conversation = stored == null ? new Conversation() : stored;
            event.type = step.type;
            event.queue = step.queue;
            event.channel = step.channel;
            event.at = step.at;
            boolean open = conversation.take(event, (scope, sums, at) -> {
                Contribution contribution = new Contribution();
                contribution.scope = scope;
                contribution.at = at;
                contribution.amounts = sums.amounts;
                out.collect(contribution);
            });
            if (open) {
                known.update(conversation);
            } else if (stored != null) {
                known.clear();
            }
        }
    }

    /** Contributions of a queue and channel become intervals and trailing windows, published once an interval of the clock. */
    static final class Windows extends KeyedProcessFunction<String, Contribution, byte[][]> {
        private static final long serialVersionUID = 1;
        private final int interval;
        private transient MapState<Long, Sums> intervals;
        private transient MapState<Long, Sums> panes;
        private transient MapState<Long, Boolean> changed;
        private transient ValueState<Long> newest;

        Windows(int interval) {
            this.interval = interval;
        }

        @Override
        public void open(OpenContext context) {
            intervals = getRuntimeContext().getMapState(new MapStateDescriptor<>("intervals", Types.LONG, TypeInformation.of(Sums.class)));
            panes = getRuntimeContext().getMapState(new MapStateDescriptor<>("panes", Types.LONG, TypeInformation.of(Sums.class)));
            changed = getRuntimeContext().getMapState(new MapStateDescriptor<>("changed", Types.LONG, Types.BOOLEAN));
            newest = getRuntimeContext().getState(new ValueStateDescriptor<>("newest", Types.LONG));
        }

        @Override
        public void processElement(Contribution contribution, Context context, Collector<byte[][]> out) throws Exception {
            Sums sums = new Sums();
            sums.amounts = contribution.amounts;
            add(intervals, Scope.interval(contribution.at), sums);
            changed.put(Scope.interval(contribution.at), true);
            long pane = Scope.pane(contribution.at);
            Long last = newest.value();
            if (last == null || pane > last) {
                newest.update(pane);
                last = pane;
            }
            if (pane >= Scope.oldest(last)) {
                add(panes, pane, sums);
            }
            long now = context.timerService().currentProcessingTime();
            context.timerService().registerProcessingTimeTimer(now - now % interval + interval);
        }

        private static void add(MapState<Long, Sums> state, long start, Sums sums) throws Exception {
            Sums found = state.get(start);
            state.put(start, (found == null ? new Sums() : found).add(sums));
        }

        @Override
        public void onTimer(long now, OnTimerContext context, Collector<byte[][]> out) throws Exception {
            String scope = context.getCurrentKey();
            long last = newest.value();
            for (long start : changed.keys()) {
                emit(out, "15m|" + scope + "|" + start, intervals.get(start));
            }
            changed.clear();
            Sums trailing = new Sums();
            var rows = panes.iterator();
            while (rows.hasNext()) {
                var row = rows.next();
                if (row.getKey() < Scope.oldest(last)) {
                    rows.remove();
                } else {
                    trailing.add(row.getValue());
                }
            }
            emit(out, "trailing|" + scope, trailing);
            var kept = intervals.iterator();
            while (kept.hasNext()) {
                if (kept.next().getKey() < last - Scope.KEPT_MS) {
                    kept.remove();
                }
            }
        }

        private static void emit(Collector<byte[][]> out, String key, Sums sums) {
            out.collect(new byte[][] {key.getBytes(StandardCharsets.UTF_8), sums.json()});
        }
    }
}
