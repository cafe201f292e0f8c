package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import leveret.clients.Eventually;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Many channels, threads and connections at once. */
class ThreadingTest extends BrokerTest {

    private final ExecutorService threads = Executors.newFixedThreadPool(16);

    @AfterEach
    void stop() {
        threads.shutdownNow();
    }

    private void all(List<Future<?>> futures) throws Exception {
        for (Future<?> future : futures) {
            future.get(50, TimeUnit.SECONDS);
        }
    }

    @Test
    void aChannelForEachThreadOfOneConnection() throws Exception {
        String queue = queue();
        List<Future<?>> futures = new ArrayList<>();
        for (int t = 0; t < 16; t++) {
            int thread = t;
            futures.add(threads.submit(() -> {
                Channel own = connection.createChannel();
                own.confirmSelect();
                for (int i = 0; i < 250; i++) {
                    own.basicPublish("", queue, null, bytes(thread + ":" + i));
                }
                own.waitForConfirmsOrDie(20_000);
                own.close();
                return null;
            }));
        }
        all(futures);
        assertThat(channel.messageCount(queue)).isEqualTo(4_000);
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, true, consumer);
        // Each publisher's messages keep their order.
        Map<String, Integer> next = new ConcurrentHashMap<>();
        for (int i = 0; i < 4_000; i++) {
            String[] parts = consumer.nextText().split(":");
            int expected = next.merge(parts[0], 1, Integer::sum) - 1;
            assertThat(Integer.parseInt(parts[1])).isEqualTo(expected);
        }
    }

    @Test
    void declaringAndDeletingFromManyThreads() throws Exception {
        String exchange = exchange("topic");
        List<Future<?>> futures = new ArrayList<>();
        for (int t = 0; t < 16; t++) {
            int thread = t;
            futures.add(threads.submit(() -> {
                Channel own = connection.createChannel();
                for (int i = 0; i < 20; i++) {
                    String queue = own.queueDeclare().getQueue();
                    String key = "t" + thread + ".i" + i;
                    own.queueBind(queue, exchange, key);
                    own.basicPublish(exchange, key, null, bytes(key));
                    assertThat(text(take(own, queue))).isEqualTo(key);
                    own.queueDelete(queue);
                }
                own.close();
                return null;
            }));
        }
        all(futures);
    }

    @Test
    void theSameNameDeclaredByAllAtOnce() throws Exception {
        String queue = queueName();
        String exchange = exchangeName();
        List<Future<?>> futures = new ArrayList<>();
        CountDownLatch start = new CountDownLatch(1);
        for (int t = 0; t < 16; t++) {
            Connection own = t % 4 == 0 ? another() : connection;
            futures.add(threads.submit(() -> {
                Channel ch = own.createChannel();
                start.await();
                ch.exchangeDeclare(exchange, "direct", true);
                ch.queueDeclare(queue, true, false, false, null);
                ch.queueBind(queue, exchange, "k");
                ch.close();
                return null;
            }));
        }
        start.countDown();
        all(futures);
        publish(exchange, "k", "one copy");
        assertThat(takeText(queue)).isEqualTo("one copy");
        assertEmpty(queue);
    }

    @Test
    void competingConsumersTakeEachMessageOnce() throws Exception {
        String queue = queue();
        int count = 5_000;
        var seen = new ConcurrentHashMap<String, Integer>();
        CountDownLatch all = new CountDownLatch(count);
        for (int c = 0; c < 8; c++) {
            Channel own = (c % 2 == 0 ? another() : connection).createChannel();
            own.basicQos(50);
            own.basicConsume(queue, false, (tag, message) -> {
                seen.merge(new String(message.getBody()), 1, Integer::sum);
                own.basicAck(message.getEnvelope().getDeliveryTag(), false);
                all.countDown();
            }, tag -> {});
        }
        for (int i = 0; i < count; i++) {
            send(queue, "m" + i);
        }
        assertThat(all.await(40, TimeUnit.SECONDS)).isTrue();
        assertThat(seen).hasSize(count);
        assertThat(seen.values()).allMatch(times -> times == 1);
        Eventually.passes("drained", () -> assertThat(channel.messageCount(queue)).isZero());
    }

    @Test
    void manyChannelsConsumeFromTheirOwnQueues() throws Exception {
        String exchange = exchange("fanout");
        List<Collector> consumers = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            Channel own = connection.createChannel();
            String queue = own.queueDeclare().getQueue();
            own.queueBind(queue, exchange, "");
            Collector consumer = new Collector(own);
            own.basicConsume(queue, true, consumer);
            consumers.add(consumer);
        }
        for (int i = 0; i < 20; i++) {
            publish(exchange, "", "m" + i);
        }
        for (Collector consumer : consumers) {
            assertThat(consumer.nextTexts(20)).startsWith("m0", "m1").endsWith("m19");
        }
    }
}
