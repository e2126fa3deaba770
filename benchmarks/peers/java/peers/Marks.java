package peers;

import java.util.concurrent.atomic.AtomicLong;

/** Says on standard output when the first event has been read, half of them, and all: the benchmark reads the clock then. */
final class Marks {
    private static final AtomicLong SEEN = new AtomicLong();
    private static long half;
    private static long all;

    private Marks() {}

    static void expect(long events) {
        half = events / 2;
        all = events;
    }

    static void seen() {
        long seen = SEEN.incrementAndGet();
        if (seen == 1) {
            say("first");
        }
        if (seen == half) {
            say("half");
        }
        if (seen == all) {
            say("all");
        }
    }

    private static void say(String mark) {
        System.out.println(mark);
        System.out.flush();
    }
}
