package peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** One conversation: since when it waits, is talked with and is wrapped up, and in which queue. Instants are milliseconds, -1 is never. */
public final class Conversation {
    static final long IN_TIME_MS = 20_000;

    public long waitingSince = -1;
    public long talkingSince = -1;
    public long wrappingSince = -1;
    public String queue = "";
    public String channel = "";

    /** Where contributions go. */
    interface Sink {
        void add(String scope, Sums sums, long at);
    }

    static boolean counts(String type) {
        return switch (type) {
            case "contact.queued", "contact.answered", "contact.transferred", "contact.ended", "contact.wrapped_up" -> true;
            default -> false;
        };
    }

    /** Takes in the next event; false when nothing of the conversation needs to be remembered. */
    boolean take(Event event, Sink sink) {
        switch (event.type) {
            case "contact.queued" -> {
                if (waitingSince < 0) {
                    waitingSince = event.at;
                    queue = event.queue;
                    channel = event.channel;
                    sink.add(scope(), Sums.of(1, 0, 0, 0, 0, 0), event.at);
                }
            }
            case "contact.answered" -> {
                if (waitingSince >= 0) {
                    long wait = Math.max(0, event.at - waitingSince);
                    waitingSince = -1;
                    talkingSince = event.at;
                    sink.add(scope(), Sums.of(0, 1, 0, wait <= IN_TIME_MS ? 1 : 0, wait, 0), event.at);
                }
            }
            case "contact.transferred" -> {
                if (talkingSince >= 0) {
                    handled(event.at - talkingSince, event.at, sink);
                    talkingSince = -1;
                }
            }
            case "contact.ended" -> {
                if (waitingSince >= 0) {
                    waitingSince = -1;
                    sink.add(scope(), Sums.of(0, 0, 1, 0, 0, 0), event.at);
                }
                if (talkingSince >= 0) {
                    handled(event.at - talkingSince, event.at, sink);
                    talkingSince = -1;
                    wrappingSince = event.at;
                }
            }
            default -> {
                if (wrappingSince >= 0) {
                    handled(event.at - wrappingSince, event.at, sink);
                    wrappingSince = -1;
                }
            }
        }
        return waitingSince >= 0 || talkingSince >= 0 || wrappingSince >= 0;
    }

    private void handled(long milliseconds, long at, Sink sink) {
        sink.add(scope(), Sums.of(0, 0, 0, 0, 0, Math.max(0, milliseconds)), at);
    }

    private String scope() {
        return queue + "|" + channel;
    }

    byte[] bytes() {
        byte[] name = scope().getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(24 + name.length).putLong(waitingSince).putLong(talkingSince).putLong(wrappingSince).put(name).array();
    }

    static Conversation of(byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        Conversation conversation = new Conversation();
        conversation.waitingSince = buffer.getLong();
        conversation.talkingSince = buffer.getLong();
        conversation.wrappingSince = buffer.getLong();
        String name = new String(bytes, 24, bytes.length - 24, StandardCharsets.UTF_8);
        int cut = name.lastIndexOf('|');
        conversation.queue = name.substring(0, cut);
        conversation.channel = name.substring(cut + 1);
        return conversation;
    }
}
