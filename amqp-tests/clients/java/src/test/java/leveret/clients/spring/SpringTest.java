package leveret.clients.spring;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import leveret.clients.TcpProxy;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;

/** A caching connection factory, a template and an admin; what a test declares is removed after it. */
abstract class SpringTest {
    static final long WAIT_MS = Eventually.BOUND.toMillis();

    CachingConnectionFactory factory;
    RabbitTemplate template;
    RabbitAdmin admin;
    private final List<String> queues = new ArrayList<>();
    private final List<String> exchanges = new ArrayList<>();
    private final List<AutoCloseable> closeables = new ArrayList<>();

    @BeforeEach
    void connect() {
        factory = newFactory();
        template = new RabbitTemplate(factory);
        admin = new RabbitAdmin(factory);
    }

    @AfterEach
    void cleanUp() throws Exception {
        for (int i = closeables.size() - 1; i >= 0; i--) {
            closeables.get(i).close();
        }
        CachingConnectionFactory sweeper = new CachingConnectionFactory(Broker.factory());
        RabbitAdmin sweep = new RabbitAdmin(sweeper);
        queues.forEach(sweep::deleteQueue);
        exchanges.forEach(sweep::deleteExchange);
        sweeper.destroy();
    }

    /** Another connection factory, destroyed after the test. */
    CachingConnectionFactory newFactory() {
        return ready(new CachingConnectionFactory(Broker.factory()));
    }

    private CachingConnectionFactory ready(CachingConnectionFactory made) {
        // The client's own pool has as many threads as there are processors: too few for listeners that wait.
        ExecutorService threads = Executors.newCachedThreadPool();
        made.setExecutor(threads);
        made.afterPropertiesSet();
        closeables.add(() -> {
            made.destroy();
            threads.shutdownNow();
        });
        return made;
    }

    /** The same through a proxy. */
    CachingConnectionFactory newFactory(TcpProxy proxy) {
        CachingConnectionFactory made = new CachingConnectionFactory(Broker.factory());
        made.setHost(proxy.host());
        made.setPort(proxy.port());
        return ready(made);
    }

    <C extends AutoCloseable> C closeLater(C closeable) {
        closeables.add(closeable);
        return closeable;
    }

    String queueName() {
        String name = Broker.unique("spring");
        queues.add(name);
        return name;
    }

    String exchangeName() {
        String name = Broker.unique("spring-x");
        exchanges.add(name);
        return name;
    }

    String queue() {
        return queue(Map.of());
    }

    String queue(Map<String, Object> arguments) {
        String name = queueName();
        admin.declareQueue(new Queue(name, false, false, false, arguments));
        return name;
    }

    Map<String, Object> deadLetterTo(String queue) {
        return Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", queue);
    }

    void send(String queue, String... bodies) {
        for (String body : bodies) {
            template.convertAndSend("", queue, body);
        }
    }

    String takeText(String queue) {
        return text(take(queue));
    }

    Message take(String queue) {
        Message message = template.receive(queue, WAIT_MS);
        assertThat(message).as("a message in %s", queue).isNotNull();
        return message;
    }

    void awaitCounts(String queue, int messages, int consumers) {
        Eventually.passes(queue + " with " + messages + " messages and " + consumers + " consumers", () -> {
            var info = admin.getQueueInfo(queue);
            assertThat(info).isNotNull();
            assertThat(info.getMessageCount()).isEqualTo(messages);
            assertThat(info.getConsumerCount()).isEqualTo(consumers);
        });
    }

    static String text(Message message) {
        return new String(message.getBody(), UTF_8);
    }

    /** What a listener has seen. */
    static final class Seen<T> {
        private final BlockingQueue<T> queue = new LinkedBlockingQueue<>();

        void add(T item) {
            queue.add(item);
        }

        T next() throws InterruptedException {
            T item = queue.poll(WAIT_MS, TimeUnit.MILLISECONDS);
            assertThat(item).as("something for the listener").isNotNull();
            return item;
        }

        List<T> next(int count) throws InterruptedException {
            List<T> items = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                items.add(next());
            }
            return items;
        }

        int waiting() {
            return queue.size();
        }
    }
}
