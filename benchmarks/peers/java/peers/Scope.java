package peers;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** A queue and channel: its intervals of 15 minutes, and the panes of 10 s that its trailing 15 minutes are the sum of. */
final class Scope {
    static final long INTERVAL_MS = 900_000;
    static final long PANE_MS = 10_000;
    static final long KEPT_MS = 7L * 24 * 3_600_000;

    final TreeMap<Long, Sums> intervals = new TreeMap<>();
    final TreeMap<Long, Sums> panes = new TreeMap<>();
    final Set<Long> changed = new HashSet<>();

    static long interval(long at) {
        return at - at % INTERVAL_MS;
    }

    static long pane(long at) {
        return at - at % PANE_MS;
    }

    /** The begin of the oldest pane that still counts when {@code newest} is the newest. */
    static long oldest(long newest) {
        return newest - INTERVAL_MS + PANE_MS;
    }

    Sums trailing() {
        Sums sums = new Sums();
        if (!panes.isEmpty()) {
            for (Sums each : panes.tailMap(oldest(panes.lastKey())).values()) {
                sums.add(each);
            }
        }
        return sums;
    }

    Map<String, byte[]> records(String name) {
        Map<String, byte[]> records = new HashMap<>();
        for (long start : changed) {
            Sums sums = intervals.get(start);
            if (sums != null) {
                records.put("15m|" + name + "|" + start, sums.json());
            }
        }
        records.put("trailing|" + name, trailing().json());
        changed.clear();
        return records;
    }
}
