package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.GetResponse;
import java.io.IOException;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DeadLetterTest extends BrokerTest {

    private Map<String, Object> to(String exchange, String key) {
        Map<String, Object> arguments = new HashMap<>();
        arguments.put("x-dead-letter-exchange", exchange);
        if (key != null) {
            arguments.put("x-dead-letter-routing-key", key);
        }
        return arguments;
    }

    @SuppressWarnings("unchecked")
    static List<Map<String, Object>> deaths(GetResponse response) {
        return (List<Map<String, Object>>) response.getProps().getHeaders().get("x-death");
    }

    private static String header(GetResponse response, String name) {
        return String.valueOf(response.getProps().getHeaders().get(name));
    }

    private void rejectNext(String queue) {
        GetResponse response = leveret.clients.Eventually.yields("a message",
                () -> channel.basicGet(queue, false));
        try {
            channel.basicReject(response.getEnvelope().getDeliveryTag(), false);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void aRejectedMessageCarriesItsHistory() throws IOException {
        String source = exchange("direct");
        String dead = queue();
        String queue = queue(to("", dead));
        channel.queueBind(queue, source, "orders");
        Date before = new Date();
        publish(source, "orders", "no");
        rejectNext(queue);
        GetResponse response = take(dead);
        assertThat(response.getEnvelope().getExchange()).isEmpty();
        assertThat(response.getEnvelope().getRoutingKey()).isEqualTo(dead);
        assertThat(response.getEnvelope().isRedeliver()).isFalse();
        assertThat(deaths(response)).hasSize(1);
        Map<String, Object> death = deaths(response).get(0);
        assertThat(death.keySet()).containsExactlyInAnyOrder(
                "count", "reason", "queue", "time", "exchange", "routing-keys");
        assertThat(death.get("count")).isEqualTo(1L);
        assertThat(death.get("reason")).hasToString("rejected");
        assertThat(death.get("queue")).hasToString(queue);
        assertThat(death.get("exchange")).hasToString(source);
        assertThat(death.get("routing-keys").toString()).isEqualTo("[orders]");
        assertThat(((Date) death.get("time")).getTime())
                .isBetween(before.getTime() - 60_000, before.getTime() + 60_000);
        assertThat(header(response, "x-first-death-exchange")).isEqualTo(source);
        assertThat(header(response, "x-first-death-queue")).isEqualTo(queue);
        assertThat(header(response, "x-first-death-reason")).isEqualTo("rejected");
    }

    @Test
    void nackWithoutRequeueDeadLettersAll() throws IOException {
        String dead = queue();
        String queue = queue(to("", dead));
        send(queue, "1", "2", "3");
        awaitReady(queue, 3);
        channel.basicGet(queue, false);
        channel.basicGet(queue, false);
        long last = channel.basicGet(queue, false).getEnvelope().getDeliveryTag();
        channel.basicNack(last, true, false);
        assertThat(takeTexts(dead, 3)).containsExactly("1", "2", "3");
    }

    @Test
    void withoutAKeyTheOriginalOneRoutes() throws IOException {
        String exchange = exchange("direct");
        String dead = queue();
        String queue = queue(to(exchange, null));
        channel.queueBind(dead, exchange, queue);
        send(queue, "same key");
        rejectNext(queue);
        GetResponse response = take(dead);
        assertThat(response.getEnvelope().getRoutingKey()).isEqualTo(queue);
        assertThat(response.getEnvelope().getExchange()).isEqualTo(exchange);
    }

    @Test
    void expirationMovesIntoTheHistory() throws IOException {
        String dead = queue();
        String queue = queue(to("", dead));
        channel.basicPublish("", queue, new BasicProperties.Builder()
                .expiration("20").headers(Map.of("mine", "kept")).build(), bytes("late"));
        GetResponse response = take(dead);
        assertThat(response.getProps().getExpiration()).isNull();
        assertThat(header(response, "mine")).isEqualTo("kept");
        Map<String, Object> death = deaths(response).get(0);
        assertThat(death.get("reason")).hasToString("expired");
        assertThat(death.get("original-expiration")).hasToString("20");
    }

    @Test
    void repeatedDeathsCountUp() throws IOException {
        String parking = queueName();
        String queue = queue(to("", parking));
        Map<String, Object> back = to("", queue);
        back.put("x-message-ttl", 10);
        channel.queueDeclare(parking, false, false, false, back);
        send(queue, "again");
        for (int round = 0; round < 3; round++) {
            rejectNext(queue);
        }
        GetResponse response = take(queue);
        assertThat(deaths(response)).hasSize(2);
        // Newest first.
        assertThat(deaths(response).get(0).get("queue")).hasToString(parking);
        assertThat(deaths(response).get(0).get("reason")).hasToString("expired");
        assertThat(deaths(response).get(0).get("count")).isEqualTo(3L);
        assertThat(deaths(response).get(1).get("queue")).hasToString(queue);
        assertThat(deaths(response).get(1).get("count")).isEqualTo(3L);
        assertThat(header(response, "x-first-death-queue")).isEqualTo(queue);
    }

    @Test
    void aCycleWithoutRejectionEnds() throws Exception {
        String witness = queue();
        String exchange = exchange("fanout");
        Map<String, Object> arguments = to(exchange, null);
        arguments.put("x-message-ttl", 10);
        String queue = queue(arguments);
        channel.queueBind(queue, exchange, "");
        channel.queueBind(witness, exchange, "");
        send(queue, "round and round");
        // The witness sees the first death; the queue itself must not get it a second time.
        assertThat(takeText(witness)).isEqualTo("round and round");
        send(queue, "next");
        assertThat(takeText(witness)).isEqualTo("next");
        assertEmpty(queue);
        assertEmpty(witness);
    }

    @Test
    void aMissingExchangeLosesTheMessage() throws IOException {
        String queue = queue(to(leveret.clients.Broker.unique("missing"), null));
        send(queue, "1", "2");
        rejectNext(queue);
        assertThat(takeText(queue)).isEqualTo("2");
    }

    @Test
    void aMissingExchangeMayComeLater() throws IOException {
        String exchange = exchangeName();
        String dead = queue();
        String queue = queue(to(exchange, "k"));
        channel.exchangeDeclare(exchange, "direct");
        channel.queueBind(dead, exchange, "k");
        send(queue, "in time");
        rejectNext(queue);
        assertThat(takeText(dead)).isEqualTo("in time");
    }

    @Test
    void aKeyWithoutAnExchangeIsRefused() {
        channelError(AMQP.PRECONDITION_FAILED, "invalid arg 'x-dead-letter-routing-key' for queue",
                () -> channel.queueDeclare(queueName(), false, false, false,
                        Map.of("x-dead-letter-routing-key", "k")));
    }

    @Test
    void carbonCopyKeysAreKept() throws IOException {
        String dead = queue();
        String copy = queue();
        String queue = queue(to("", dead));
        channel.basicPublish("", queue, new BasicProperties.Builder()
                .headers(Map.of("CC", List.of(copy))).build(), bytes("cc"));
        assertThat(takeText(copy)).isEqualTo("cc");
        rejectNext(queue);
        GetResponse response = take(dead);
        assertThat(deaths(response).get(0).get("routing-keys").toString())
                .isEqualTo("[" + queue + ", " + copy + "]");
    }

    @Test
    void acksDoNotDeadLetter() throws IOException {
        String dead = queue();
        String queue = queue(to("", dead));
        send(queue, "fine");
        assertThat(takeText(queue)).isEqualTo("fine");
        send(queue, "purged");
        awaitReady(queue, 1);
        channel.queuePurge(queue);
        assertEmpty(dead);
    }
}
