package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Delivery;
import java.io.IOException;
import java.util.Map;
import leveret.clients.Eventually;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Time to live of messages and queues. What expires is seen in a dead-letter queue. */
class TtlTest extends BrokerTest {

    private String expired;

    private String queueWithDeadLetters(Map<String, Object> more) throws IOException {
        expired = queue();
        Map<String, Object> arguments = new java.util.HashMap<>(more);
        arguments.put("x-dead-letter-exchange", "");
        arguments.put("x-dead-letter-routing-key", expired);
        return queue(arguments);
    }

    private void sendExpiring(String queue, String body, String expiration) throws IOException {
        channel.basicPublish("", queue,
                new BasicProperties.Builder().expiration(expiration).build(), bytes(body));
    }

    @Test
    void aQueueTtlExpiresMessagesInOrder() throws IOException {
        String queue = queueWithDeadLetters(Map.of("x-message-ttl", 50));
        send(queue, "1", "2", "3");
        assertThat(takeTexts(expired, 3)).containsExactly("1", "2", "3");
        assertEmpty(queue);
    }

    @Test
    void aMessageTtlExpiresThatMessage() throws IOException {
        String queue = queueWithDeadLetters(Map.of());
        sendExpiring(queue, "short", "30");
        sendExpiring(queue, "long", "600000");
        assertThat(takeText(expired)).isEqualTo("short");
        assertThat(takeText(queue)).isEqualTo("long");
    }

    @Test
    void theShorterOfBothHolds() throws IOException {
        String queue = queueWithDeadLetters(Map.of("x-message-ttl", 50));
        sendExpiring(queue, "queue wins", "600000");
        assertThat(takeText(expired)).isEqualTo("queue wins");
        String patient = queueWithDeadLetters(Map.of("x-message-ttl", 600_000));
        sendExpiring(patient, "message wins", "50");
        assertThat(takeText(expired)).isEqualTo("message wins");
    }

    @Test
    void zeroExpiresUnlessAConsumerWaits() throws Exception {
        String queue = queueWithDeadLetters(Map.of("x-message-ttl", 0));
        send(queue, "nobody");
        assertThat(takeText(expired)).isEqualTo("nobody");
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, true, consumer);
        send(queue, "somebody");
        assertThat(consumer.nextText()).isEqualTo("somebody");
        assertEmpty(expired);
    }

    @Test
    void zeroExpirationOfAMessageMeansTheSame() throws IOException {
        String queue = queueWithDeadLetters(Map.of());
        sendExpiring(queue, "at once", "0");
        assertThat(takeText(expired)).isEqualTo("at once");
    }

    @Test
    void anUnackedMessageDoesNotExpireButItsRequeueDoes() throws IOException {
        String queue = queueWithDeadLetters(Map.of("x-message-ttl", 200));
        send(queue, "held");
        long tag = Eventually.yields("the message", () -> channel.basicGet(queue, false))
                .getEnvelope().getDeliveryTag();
        // A second message shows that the time has passed.
        send(queue, "clock");
        assertThat(takeText(expired)).isEqualTo("clock");
        assertEmpty(expired);
        channel.basicNack(tag, false, true);
        assertThat(takeText(expired)).isEqualTo("held");
    }

    @Test
    void expirationIsDeliveredAsSent() throws Exception {
        String queue = queue();
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, true, consumer);
        sendExpiring(queue, "x", "54321");
        Delivery delivery = consumer.next();
        assertThat(delivery.getProperties().getExpiration()).isEqualTo("54321");
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "soon", "1.5", "", "5000 "})
    void badExpirationsCloseTheChannel(String expiration) throws IOException {
        String queue = queue();
        sendExpiring(queue, "bad", expiration);
        awaitChannelError(channel, AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - invalid expiration '" + expiration);
    }

    @Test
    void anUnusedQueueExpires() throws Exception {
        String queue = queue(Map.of("x-expires", 100));
        awaitGone(queue);
    }

    @Test
    void aConsumerKeepsAQueueAlive() throws Exception {
        String queue = queue(Map.of("x-expires", 150));
        String tag = channel.basicConsume(queue, true, new Collector(channel));
        // Another queue with the same lease is gone first, so the lease has passed here too.
        String other = queue(Map.of("x-expires", 300));
        awaitGone(other);
        assertThat(channel.queueDeclarePassive(queue).getConsumerCount()).isEqualTo(1);
        channel.basicCancel(tag);
        awaitGone(queue);
    }

    @Test
    void anExpiredQueueDeadLettersNothing() throws Exception {
        String queue = queueWithDeadLetters(Map.of("x-expires", 100));
        send(queue, "goes down with the queue");
        awaitGone(queue);
        assertEmpty(expired);
    }

    /** Asks by a publish, because a passive declare would renew the lease. */
    private void awaitGone(String queue) throws IOException {
        Eventually.holds("queue " + queue + " expired", () -> {
            try (Channel probe = connection.createChannel()) {
                var returned = new java.util.concurrent.atomic.AtomicBoolean();
                probe.addReturnListener(r -> returned.set(true));
                probe.confirmSelect();
                probe.basicPublish("", queue, true, null, bytes("there?"));
                probe.waitForConfirms(20_000);
                return returned.get();
            }
        });
    }
}
