package peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.LocalDate;

/** What the figures need of an event; one object is read into again and again. */
final class Event {
    private static final JsonFactory JSON = new JsonFactory();

    String type;
    String queue;
    String channel;
    /** Milliseconds since 1970. */
    long at;

    /** Reads an event; false if it says nothing about the figures. */
    private boolean read(byte[] value) throws IOException {
        type = queue = channel = null;
        at = 0;
        try (JsonParser parser = JSON.createParser(value)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                parser.nextToken();
                switch (name) {
                    case "type" -> {
                        type = parser.getText();
                        if (!Conversation.counts(type)) {
                            return false;
                        }
                    }
                    case "queue" -> queue = parser.getText();
                    case "channel" -> channel = parser.getText();
                    case "occurred_at" -> at = milliseconds(parser.getText());
                    default -> parser.skipChildren();
                }
            }
        }
        return type != null;
    }

    boolean readOrFail(byte[] value) {
        try {
            return read(value);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** Returns the instant of a text such as 2026-01-05T10:00:30.664Z. */
    static long milliseconds(String text) {
        long days = LocalDate.of(digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10)).toEpochDay();
        long seconds = (days * 24 + digits(text, 11, 13)) * 3600L + digits(text, 14, 16) * 60L + digits(text, 17, 19);
        return seconds * 1000 + digits(text, 20, 23);
    }

    private static int digits(String text, int begin, int end) {
        int number = 0;
        for (int place = begin; place < end; place++) {
            number = number * 10 + text.charAt(place) - '0';
        }
        return number;
    }
}
