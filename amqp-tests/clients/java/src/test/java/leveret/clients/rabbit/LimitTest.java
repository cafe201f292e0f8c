package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.GetResponse;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Queues of limited length. */
class LimitTest extends BrokerTest {

    private Map<String, Object> limited(String argument, Object value, String deadLetters) {
        Map<String, Object> arguments = new HashMap<>();
        arguments.put(argument, value);
        if (deadLetters != null) {
            arguments.put("x-dead-letter-exchange", "");
            arguments.put("x-dead-letter-routing-key", deadLetters);
        }
        return arguments;
    }

    private void confirmed(String queue, String... bodies) throws Exception {
        channel.confirmSelect();
        send(queue, bodies);
        assertThat(channel.waitForConfirms(20_000)).isTrue();
    }

    @Test
    void theOldestGoFirst() throws Exception {
        String dead = queue();
        String queue = queue(limited("x-max-length", 2, dead));
        confirmed(queue, "1", "2", "3", "4");
        assertThat(takeTexts(queue, 2)).containsExactly("3", "4");
        assertEmpty(queue);
        List<GetResponse> dropped = List.of(take(dead), take(dead));
        assertThat(dropped.stream().map(BrokerTest::text)).containsExactly("1", "2");
        @SuppressWarnings("unchecked")
        var death = ((List<Map<String, Object>>) dropped.get(0).getProps().getHeaders().get("x-death")).get(0);
        assertThat(death.get("reason")).hasToString("maxlen");
    }

    @Test
    void bytesCountBodiesOnly() throws Exception {
        String queue = queue(limited("x-max-length-bytes", 10, null));
        Map<String, Object> headers = Map.of("big", "x".repeat(500));
        channel.confirmSelect();
        for (String body : new String[] {"12345", "67890", "abcde"}) {
            channel.basicPublish("", queue, new BasicProperties.Builder().headers(headers).build(), bytes(body));
        }
        assertThat(channel.waitForConfirms(20_000)).isTrue();
        assertThat(takeTexts(queue, 2)).containsExactly("67890", "abcde");
        assertEmpty(queue);
    }

    @Test
    void oneMessageAboveTheByteLimitDoesNotStay() throws Exception {
        String queue = queue(limited("x-max-length-bytes", 3, null));
        confirmed(queue, "toolong");
        assertEmpty(queue);
    }

    @Test
    void unackedMessagesDoNotCount() throws Exception {
        String queue = queue(limited("x-max-length", 2, null));
        confirmed(queue, "1", "2");
        channel.basicGet(queue, false);
        channel.basicGet(queue, false);
        confirmed(queue, "3", "4");
        assertThat(takeTexts(queue, 2)).containsExactly("3", "4");
    }

    @Test
    void requeuedMessagesAreTrimmedToo() throws Exception {
        String queue = queue(limited("x-max-length", 1, null));
        confirmed(queue, "old");
        long tag = channel.basicGet(queue, false).getEnvelope().getDeliveryTag();
        confirmed(queue, "new");
        channel.basicReject(tag, true);
        assertThat(takeText(queue)).isEqualTo("new");
        assertEmpty(queue);
    }

    @Test
    void zeroKeepsNothingButServesAWaitingConsumer() throws Exception {
        String queue = queue(limited("x-max-length", 0, null));
        confirmed(queue, "nobody waits");
        assertEmpty(queue);
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, true, consumer);
        send(queue, "somebody waits");
        assertThat(consumer.nextText()).isEqualTo("somebody waits");
    }

    @Test
    void rejectPublishNacksAndKeepsTheOld() throws Exception {
        Map<String, Object> arguments = limited("x-max-length", 1, null);
        arguments.put("x-overflow", "reject-publish");
        String queue = queue(arguments);
        confirmed(queue, "kept");
        send(queue, "refused");
        assertThat(channel.waitForConfirms(20_000)).isFalse();
        assertThat(takeText(queue)).isEqualTo("kept");
        confirmed(queue, "room again");
        assertThat(takeText(queue)).isEqualTo("room again");
    }

    @Test
    void rejectPublishDlxAlsoDeadLettersTheNew() throws Exception {
        String dead = queue();
        Map<String, Object> arguments = limited("x-max-length", 1, dead);
        arguments.put("x-overflow", "reject-publish-dlx");
        String queue = queue(arguments);
        confirmed(queue, "kept");
        send(queue, "refused");
        assertThat(channel.waitForConfirms(20_000)).isFalse();
        assertThat(takeText(dead)).isEqualTo("refused");
        assertThat(takeText(queue)).isEqualTo("kept");
    }
}
