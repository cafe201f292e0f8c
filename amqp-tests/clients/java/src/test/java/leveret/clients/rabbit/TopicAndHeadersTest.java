package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AMQP.BasicProperties;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TopicAndHeadersTest extends BrokerTest {

    private static final List<String> KEYS = Arrays.asList(
            "", "a", "b", "a.b", "b.a", "a.b.c", "a.a.b", "a..b", ".", "a.", ".a", "a.b.c.d", "A");

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "a|a",
        "#|ALL",
        "*|a,b,A",
        "*.*|a.b,b.a,.,a.,.a",
        "a.#|a,a.b,a.b.c,a.a.b,a..b,a.,a.b.c.d",
        "#.b|b,a.b,a.a.b,a..b",
        "a.*.b|a.a.b,a..b",
        "a.#.b|a.b,a.a.b,a..b",
        "#.#|ALL",
        "*.#|NONEMPTY",
        "#.a.#|a,a.b,b.a,a.b.c,a.a.b,a..b,a.,.a,a.b.c.d",
        "*.*.*|a.b.c,a.a.b,a..b",
        "a.b.c.d.#|a.b.c.d",
        "nothing.like.it|NONE",
    })
    void topicPatternsMatchWords(String pattern, String expected) throws IOException {
        String name = exchange("topic");
        String queue = queue();
        channel.queueBind(queue, name, pattern);
        for (String key : KEYS) {
            publish(name, key, "key:" + key);
        }
        List<String> wanted = switch (expected) {
            case "ALL" -> KEYS;
            case "NONEMPTY" -> KEYS.stream().filter(k -> !k.isEmpty()).toList();
            case "NONE" -> List.of();
            default -> KEYS.stream().filter(Arrays.asList(expected.split(",")) ::contains).toList();
        };
        if (!List.of("ALL", "NONEMPTY", "NONE").contains(expected)) {
            assertThat(wanted).hasSize(expected.split(",").length);
        }
        List<String> got = takeTexts(queue, wanted.size());
        assertThat(got).isEqualTo(wanted.stream().map(k -> "key:" + k).toList());
        assertEmpty(queue);
    }

    @Test
    void unbindingOnePatternLeavesTheOthers() throws IOException {
        String name = exchange("topic");
        String one = queue();
        String two = queue();
        channel.queueBind(one, name, "a.#");
        channel.queueBind(one, name, "a.b");
        channel.queueBind(two, name, "a.#");
        channel.queueUnbind(one, name, "a.#");
        publish(name, "a.b", "both");
        publish(name, "a.c", "two only");
        assertThat(takeTexts(two, 2)).containsExactly("both", "two only");
        assertThat(takeText(one)).isEqualTo("both");
        assertEmpty(one);
    }

    private void publishHeaders(String exchange, String body, Object... pairs) throws IOException {
        Map<String, Object> headers = new HashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            headers.put((String) pairs[i], pairs[i + 1]);
        }
        channel.basicPublish(exchange, "", new BasicProperties.Builder().headers(headers).build(), bytes(body));
    }

    private String bound(String exchange, Object... pairs) throws IOException {
        Map<String, Object> arguments = new HashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            arguments.put((String) pairs[i], pairs[i + 1]);
        }
        String queue = queue();
        channel.queueBind(queue, exchange, "", arguments);
        return queue;
    }

    @Test
    void headersAllNeedsEveryPair() throws IOException {
        String name = exchange("headers");
        String queue = bound(name, "x-match", "all", "colour", "red", "size", 3);
        publishHeaders(name, "both", "colour", "red", "size", 3, "more", true);
        publishHeaders(name, "one", "colour", "red");
        publishHeaders(name, "wrong", "colour", "red", "size", 4);
        publishHeaders(name, "wide", "colour", "red", "size", 3L);
        assertThat(takeTexts(queue, 2)).containsExactly("both", "wide");
        assertEmpty(queue);
    }

    @Test
    void headersAnyNeedsOnePair() throws IOException {
        String name = exchange("headers");
        String queue = bound(name, "x-match", "any", "colour", "red", "size", 3);
        publishHeaders(name, "colour", "colour", "red", "size", 9);
        publishHeaders(name, "size", "size", 3);
        publishHeaders(name, "neither", "colour", "blue", "size", 9);
        publishHeaders(name, "none");
        assertThat(takeTexts(queue, 2)).containsExactly("colour", "size");
        assertEmpty(queue);
    }

    @Test
    void headersWithoutMatchMeansAll() throws IOException {
        String name = exchange("headers");
        String queue = bound(name, "a", "1", "b", "2");
        publishHeaders(name, "one", "a", "1");
        publishHeaders(name, "both", "a", "1", "b", "2");
        assertThat(takeText(queue)).isEqualTo("both");
        assertEmpty(queue);
    }

    @Test
    void headersWithoutPairsMatchEverything() throws IOException {
        String name = exchange("headers");
        String all = bound(name);
        String any = bound(name, "x-match", "any");
        publishHeaders(name, "none");
        publishHeaders(name, "some", "a", "b");
        channel.basicPublish(name, "ignored", PLAIN, bytes("no table"));
        assertThat(takeTexts(all, 3)).containsExactly("none", "some", "no table");
        assertEmpty(any);
    }

    @Test
    void aVoidValueMatchesPresence() throws IOException {
        String name = exchange("headers");
        String queue = bound(name, "x-match", "all", "trace", null);
        publishHeaders(name, "absent", "other", 1);
        publishHeaders(name, "text", "trace", "anything");
        publishHeaders(name, "number", "trace", 7);
        assertThat(takeTexts(queue, 2)).containsExactly("text", "number");
        assertEmpty(queue);
    }

    @Test
    void headersStartingWithXCountOnlyWhenAsked() throws IOException {
        String name = exchange("headers");
        String plain = bound(name, "x-match", "all", "x-tenant", "blue", "kind", "k");
        String withX = bound(name, "x-match", "all-with-x", "x-tenant", "blue", "kind", "k");
        String anyX = bound(name, "x-match", "any-with-x", "x-tenant", "blue");
        publishHeaders(name, "without", "kind", "k");
        publishHeaders(name, "with", "kind", "k", "x-tenant", "blue");
        assertThat(takeTexts(plain, 2)).containsExactly("without", "with");
        assertThat(takeText(withX)).isEqualTo("with");
        assertThat(takeText(anyX)).isEqualTo("with");
        assertEmpty(withX);
        assertEmpty(anyX);
    }

    @Test
    void headersMatchIsChecked() throws IOException {
        String name = exchange("headers");
        String queue = queue();
        channelError(AMQP.PRECONDITION_FAILED, "Invalid x-match field value <<\"most\">>",
                () -> channel.queueBind(queue, name, "", Map.of("x-match", "most")));
    }

    @Test
    void headersMatchTypeIsChecked() throws IOException {
        String name = exchange("headers");
        String queue = queue();
        channelError(AMQP.PRECONDITION_FAILED, "Invalid x-match field type",
                () -> channel.queueBind(queue, name, "", Map.of("x-match", 1)));
    }

    @Test
    void bindingsDifferByTheirArguments() throws IOException {
        String name = exchange("headers");
        String queue = bound(name, "x-match", "all", "a", 1);
        channel.queueBind(queue, name, "", Map.of("x-match", "all", "b", 2));
        channel.queueUnbind(queue, name, "", Map.of("x-match", "all", "a", 1));
        publishHeaders(name, "a", "a", 1);
        publishHeaders(name, "b", "b", 2);
        assertThat(takeText(queue)).isEqualTo("b");
        assertEmpty(queue);
    }
}
