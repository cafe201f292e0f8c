package leveret.clients.rabbit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.ShutdownSignalException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import leveret.clients.Eventually;

/** A consumer that keeps what it is given. */
final class Collector extends DefaultConsumer {
    private final BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
    final CompletableFuture<String> consumeOk = new CompletableFuture<>();
    final CompletableFuture<String> cancelOk = new CompletableFuture<>();
    final CompletableFuture<String> cancelledByBroker = new CompletableFuture<>();
    final CompletableFuture<ShutdownSignalException> shutdown = new CompletableFuture<>();

    Collector(Channel channel) {
        super(channel);
    }

    @Override
    public void handleConsumeOk(String tag) {
        super.handleConsumeOk(tag);
        consumeOk.complete(tag);
    }

    @Override
    public void handleCancelOk(String tag) {
        cancelOk.complete(tag);
    }

    @Override
    public void handleCancel(String tag) {
        cancelledByBroker.complete(tag);
    }

    @Override
    public void handleShutdownSignal(String tag, ShutdownSignalException signal) {
        shutdown.complete(signal);
    }

    @Override
    public void handleDelivery(
            String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
        deliveries.add(new Delivery(envelope, properties, body));
    }

    /** The next delivery, waiting for it. */
    Delivery next() throws InterruptedException {
        Delivery delivery = deliveries.poll(Eventually.BOUND.toSeconds(), TimeUnit.SECONDS);
        assertThat(delivery).as("a delivery").isNotNull();
        return delivery;
    }

    String nextText() throws InterruptedException {
        return text(next());
    }

    List<Delivery> next(int count) throws InterruptedException {
        List<Delivery> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            all.add(next());
        }
        return all;
    }

    List<String> nextTexts(int count) throws InterruptedException {
        return next(count).stream().map(Collector::text).toList();
    }

    /**
     * Asserts that nothing more was delivered so far. The round trip lets everything that the broker
     * sent before it, and the dispatcher's queue, pass first.
     */
    void assertNothingMore() throws Exception {
        CompletableFuture<String> marker = new CompletableFuture<>();
        String queue = getChannel().queueDeclare().getQueue();
        getChannel().basicPublish("", queue, null, new byte[0]);
        String tag = getChannel().basicConsume(queue, true,
                (t, m) -> marker.complete(t), t -> {});
        marker.get(Eventually.BOUND.toSeconds(), TimeUnit.SECONDS);
        getChannel().basicCancel(tag);
        getChannel().queueDelete(queue);
        assertThat(deliveries).as("deliveries beyond the expected").isEmpty();
    }

    int waiting() {
        return deliveries.size();
    }

    static String text(Delivery delivery) {
        return new String(delivery.getBody(), UTF_8);
    }

    static long tag(Delivery delivery) {
        return delivery.getEnvelope().getDeliveryTag();
    }
}
