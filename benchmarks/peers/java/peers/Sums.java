package peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** The sums behind the five figures; times in milliseconds. */
public final class Sums {
    private static final int FIELDS = 6;
    private static final String[] NAMES = {"offered", "answered", "abandoned", "in_time", "wait_ms", "handle_ms"};

    public long[] amounts = new long[FIELDS];

    static Sums of(long offered, long answered, long abandoned, long inTime, long waitMs, long handleMs) {
        Sums sums = new Sums();
        sums.amounts = new long[] {offered, answered, abandoned, inTime, waitMs, handleMs};
        return sums;
    }

    Sums add(Sums other) {
        for (int field = 0; field < FIELDS; field++) {
            amounts[field] += other.amounts[field];
        }
        return this;
    }

    /** The sums as they are published. */
    byte[] json() {
        StringBuilder text = new StringBuilder(120).append('{');
        for (int field = 0; field < FIELDS; field++) {
            text.append(field == 0 ? "\"" : ",\"").append(NAMES[field]).append("\":").append(amounts[field]);
        }
        return text.append('}').toString().getBytes(StandardCharsets.UTF_8);
    }

    byte[] bytes() {
        ByteBuffer buffer = ByteBuffer.allocate(FIELDS * 8);
        for (long amount : amounts) {
            buffer.putLong(amount);
        }
        return buffer.array();
    }

    static Sums of(byte[] bytes) {
        return of(ByteBuffer.wrap(bytes));
    }

    static Sums of(ByteBuffer buffer) {
        Sums sums = new Sums();
        for (int field = 0; field < FIELDS; field++) {
            sums.amounts[field] = buffer.getLong();
        }
        return sums;
    }
}
