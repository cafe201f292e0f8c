package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.MessageProperties;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a client sees of {@code x-queue-type: quorum}. */
class QuorumQueueTest extends BrokerTest {

    private String quorum(Map<String, Object> more) throws IOException {
        Map<String, Object> arguments = new HashMap<>(more);
        arguments.put("x-queue-type", "quorum");
        String name = queueName();
        channel.queueDeclare(name, true, false, false, arguments);
        return name;
    }

    @Test
    void confirmedMessagesArriveInOrder() throws Exception {
        String queue = quorum(Map.of());
        channel.confirmSelect();
        for (int i = 0; i < 200; i++) {
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, bytes("m" + i));
        }
        channel.waitForConfirmsOrDie(30_000);
        Collector consumer = new Collector(channel);
        channel.basicQos(20);
        channel.basicConsume(queue, consumer);
        for (int i = 0; i < 200; i++) {
            Delivery delivery = consumer.next();
            assertThat(Collector.text(delivery)).isEqualTo("m" + i);
            channel.basicAck(Collector.tag(delivery), false);
        }
        awaitReady(queue, 0);
    }

    @Test
    void deliveriesAreCountedAndLimited() throws Exception {
        String dead = queue();
        String queue = quorum(Map.of("x-delivery-limit", 2,
                "x-dead-letter-exchange", "", "x-dead-letter-routing-key", dead));
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, consumer);
        send(queue, "poison");
        for (int attempt = 0; attempt <= 2; attempt++) {
            Delivery delivery = consumer.next();
            Map<String, Object> headers = delivery.getProperties().getHeaders();
            // The first delivery may come without the header or with zero.
            Object count = headers == null ? null : headers.get("x-delivery-count");
            assertThat(count == null ? 0L : ((Number) count).longValue()).isEqualTo(attempt);
            assertThat(delivery.getEnvelope().isRedeliver()).isEqualTo(attempt > 0);
            channel.basicNack(Collector.tag(delivery), false, true);
        }
        var response = take(dead);
        assertThat(text(response)).isEqualTo("poison");
        assertThat(DeadLetterTest.deaths(response).get(0).get("reason")).hasToString("delivery_limit");
    }

    @ParameterizedTest
    @CsvSource({"non-durable, false, false, false", "exclusive-owner, true, true, false", "auto-delete, true, false, true"})
    void onlyDurableSharedOnesExist(String property, boolean durable, boolean exclusive, boolean autoDelete) {
        channelError(AMQP.PRECONDITION_FAILED,
                "PRECONDITION_FAILED - invalid property '" + property + "' for queue",
                () -> channel.queueDeclare(queueName(), durable, exclusive, autoDelete,
                        Map.of("x-queue-type", "quorum")));
    }

    @Test
    void theTypeIsCompared() throws Exception {
        String queue = quorum(Map.of());
        channelError(AMQP.PRECONDITION_FAILED, "inequivalent arg 'x-queue-type' for queue '" + queue + "'",
                () -> channel.queueDeclare(queue, true, false, false, Map.of("x-queue-type", "classic")));
    }

    @Test
    void aGlobalPrefetchIsRefused() throws Exception {
        String queue = quorum(Map.of());
        channel.basicQos(5, true);
        connectionError(AMQP.NOT_IMPLEMENTED, "does not support global qos",
                () -> channel.basicConsume(queue, new Collector(channel)));
    }

    @Test
    void lengthLimitsHold() throws Exception {
        String queue = quorum(Map.of("x-max-length", 3, "x-overflow", "drop-head"));
        channel.confirmSelect();
        send(queue, "1", "2", "3", "4", "5");
        channel.waitForConfirmsOrDie(20_000);
        assertThat(takeTexts(queue, 3)).containsExactly("3", "4", "5");
    }
}
