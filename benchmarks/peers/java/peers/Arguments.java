package peers;

import java.util.HashMap;
import java.util.Map;

/** What a program is told: {@code --name value} pairs. */
final class Arguments {
    private final Map<String, String> given = new HashMap<>();

    Arguments(String[] words) {
        for (int number = 0; number + 1 < words.length; number += 2) {
            given.put(words[number], words[number + 1]);
        }
    }

    String text(String name) {
        String value = given.get("--" + name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing.");
        }
        return value;
    }

    int number(String name) {
        return Integer.parseInt(text(name));
    }
}
