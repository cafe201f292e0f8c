package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.GetResponse;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PriorityQueueTest extends BrokerTest {

    private void send(String queue, Integer priority, String body) throws IOException {
        channel.basicPublish("", queue, new BasicProperties.Builder().priority(priority).build(), bytes(body));
    }

    @Test
    void higherPrioritiesComeFirstAndEqualOnesInOrder() throws IOException {
        String queue = queue(Map.of("x-max-priority", 5));
        send(queue, 0, "0a");
        send(queue, 5, "5a");
        send(queue, 3, "3a");
        send(queue, 5, "5b");
        send(queue, 0, "0b");
        awaitReady(queue, 5);
        assertThat(takeTexts(queue, 5)).containsExactly("5a", "5b", "3a", "0a", "0b");
    }

    @Test
    void aPriorityAboveTheMaximumCountsAsTheMaximum() throws IOException {
        String queue = queue(Map.of("x-max-priority", 2));
        send(queue, 2, "2");
        send(queue, 200, "200");
        send(queue, 1, "1");
        awaitReady(queue, 3);
        GetResponse first = take(queue);
        assertThat(text(first)).isEqualTo("2");
        GetResponse second = take(queue);
        assertThat(text(second)).isEqualTo("200");
        assertThat(second.getProps().getPriority()).isEqualTo(200);
        assertThat(takeText(queue)).isEqualTo("1");
    }

    @Test
    void noPriorityMeansZero() throws IOException {
        String queue = queue(Map.of("x-max-priority", 2));
        send(queue, null, "none");
        send(queue, 1, "1");
        send(queue, 0, "0");
        awaitReady(queue, 3);
        assertThat(takeTexts(queue, 3)).containsExactly("1", "none", "0");
    }

    @Test
    void withoutTheArgumentOrderIsOrder() throws IOException {
        String queue = queue();
        send(queue, 0, "first");
        send(queue, 9, "second");
        assertThat(takeTexts(queue, 2)).containsExactly("first", "second");
    }

    @Test
    void requeuedMessagesKeepTheirPlaceWithinTheirPriority() throws IOException {
        String queue = queue(Map.of("x-max-priority", 3));
        send(queue, 2, "2a");
        send(queue, 2, "2b");
        send(queue, 1, "1a");
        awaitReady(queue, 3);
        long tag = channel.basicGet(queue, false).getEnvelope().getDeliveryTag();
        send(queue, 3, "3a");
        awaitReady(queue, 3);
        channel.basicReject(tag, true);
        awaitReady(queue, 4);
        assertThat(takeTexts(queue, 4)).containsExactly("3a", "2a", "2b", "1a");
    }

    @Test
    void consumersGetTheMostUrgentNext() throws Exception {
        String queue = queue(Map.of("x-max-priority", 9));
        for (int priority = 0; priority <= 9; priority++) {
            send(queue, priority, "p" + priority);
        }
        awaitReady(queue, 10);
        channel.basicQos(1);
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, consumer);
        for (int priority = 9; priority >= 0; priority--) {
            var delivery = consumer.next();
            assertThat(Collector.text(delivery)).isEqualTo("p" + priority);
            channel.basicAck(Collector.tag(delivery), false);
        }
    }

    @Test
    void expiryAndPrioritiesGoTogether() throws IOException {
        String dead = queue();
        Map<String, Object> arguments = new HashMap<>();
        arguments.put("x-max-priority", 3);
        arguments.put("x-dead-letter-exchange", "");
        arguments.put("x-dead-letter-routing-key", dead);
        String queue = queue(arguments);
        channel.basicPublish("", queue,
                new BasicProperties.Builder().priority(1).expiration("30").build(), bytes("short"));
        send(queue, 3, "stays");
        // RabbitMQ looks at the head only, so the urgent one has to leave first.
        assertThat(takeText(queue)).isEqualTo("stays");
        assertThat(takeText(dead)).isEqualTo("short");
    }
}
