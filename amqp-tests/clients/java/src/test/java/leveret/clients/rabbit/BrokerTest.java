package leveret.clients.rabbit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.Method;
import com.rabbitmq.client.ShutdownSignalException;
import com.rabbitmq.client.AMQP;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** One connection and one channel for each test, and everything it declared removed afterwards. */
abstract class BrokerTest {
    static final BasicProperties PLAIN = new BasicProperties();

    Connection connection;
    Channel channel;
    private final List<Connection> extra = new ArrayList<>();
    private final List<String> queues = new ArrayList<>();
    private final List<String> exchanges = new ArrayList<>();

    @BeforeEach
    void open() throws Exception {
        connection = Broker.factory().newConnection(getClass().getSimpleName());
        channel = connection.createChannel();
    }

    @AfterEach
    void cleanUp() throws Exception {
        for (Connection open : extra) {
            open.abort(5_000);
        }
        connection.abort(5_000);
        if (queues.isEmpty() && exchanges.isEmpty()) {
            return;
        }
        try (Connection sweeper = Broker.factory().newConnection("cleanup")) {
            Channel sweep = sweeper.createChannel();
            for (String queue : queues) {
                sweep.queueDelete(queue);
            }
            for (String exchange : exchanges) {
                sweep.exchangeDelete(exchange);
            }
        }
    }

    /** Another connection, closed after the test. */
    Connection another() throws Exception {
        Connection other = Broker.factory().newConnection(getClass().getSimpleName() + ".other");
        extra.add(other);
        return other;
    }

    Connection closeLater(Connection other) {
        extra.add(other);
        return other;
    }

    /** A queue name that is deleted after the test. */
    String queueName() {
        String name = Broker.unique("q");
        queues.add(name);
        return name;
    }

    /** An exchange name that is deleted after the test. */
    String exchangeName() {
        String name = Broker.unique("x");
        exchanges.add(name);
        return name;
    }

    String queue() throws IOException {
        return queue(Map.of());
    }

    String queue(Map<String, Object> arguments) throws IOException {
        String name = queueName();
        channel.queueDeclare(name, false, false, false, arguments);
        return name;
    }

    String exchange(String type) throws IOException {
        return exchange(type, Map.of());
    }

    String exchange(String type, Map<String, Object> arguments) throws IOException {
        String name = exchangeName();
        channel.exchangeDeclare(name, type, false, false, arguments);
        return name;
    }

    void send(String queue, String... bodies) throws IOException {
        for (String body : bodies) {
            channel.basicPublish("", queue, PLAIN, body.getBytes(UTF_8));
        }
    }

    void publish(String exchange, String key, String body) throws IOException {
        channel.basicPublish(exchange, key, PLAIN, body.getBytes(UTF_8));
    }

    /** The next message, waiting for it; acknowledged. */
    GetResponse take(String queue) {
        return take(channel, queue);
    }

    GetResponse take(Channel on, String queue) {
        return Eventually.yields("a message in " + queue, () -> on.basicGet(queue, true));
    }

    String takeText(String queue) {
        return text(take(queue));
    }

    /** As many messages as asked for, in order. */
    List<String> takeTexts(String queue, int count) {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            texts.add(takeText(queue));
        }
        return texts;
    }

    /**
     * Asserts that the queue stays without a ready message. Publishes travel in order on a channel,
     * so a synchronous get after them is enough; no waiting.
     */
    void assertEmpty(String queue) throws IOException {
        assertThat(channel.basicGet(queue, true)).as("message in %s", queue).isNull();
    }

    /** Waits until the queue has that many ready messages. */
    void awaitReady(String queue, int count) {
        Eventually.passes(count + " ready in " + queue,
                () -> assertThat(channel.messageCount(queue)).isEqualTo(count));
    }

    static String text(GetResponse response) {
        return new String(response.getBody(), UTF_8);
    }

    static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    /** The call must close the channel (not the connection) with this code and text. */
    static void channelError(int code, String text, ThrowingCallable call) {
        ShutdownSignalException signal = signalOf(catchThrowable(call));
        assertThat(signal.isHardError()).as("channel error, not %s", signal).isFalse();
        assertChannelClose(signal, code, text);
    }

    /** The call must close the connection with this code and text. */
    static void connectionError(int code, String text, ThrowingCallable call) {
        ShutdownSignalException signal = signalOf(catchThrowable(call));
        assertThat(signal.isHardError()).as("connection error, not %s", signal).isTrue();
        assertConnectionClose(signal, code, text);
    }

    /** Waits for the channel to be closed by the broker, for errors of methods without a reply. */
    static void awaitChannelError(Channel channel, int code, String text) {
        Eventually.holds("channel closed with " + code, () -> !channel.isOpen());
        assertThat(channel.getCloseReason().isHardError()).isFalse();
        assertChannelClose(channel.getCloseReason(), code, text);
    }

    static void awaitConnectionError(Connection connection, int code, String text) {
        Eventually.holds("connection closed with " + code, () -> !connection.isOpen());
        assertThat(connection.getCloseReason().isHardError()).isTrue();
        assertConnectionClose(connection.getCloseReason(), code, text);
    }

    private static void assertChannelClose(ShutdownSignalException signal, int code, String text) {
        Method reason = signal.getReason();
        assertThat(reason).isInstanceOf(AMQP.Channel.Close.class);
        AMQP.Channel.Close close = (AMQP.Channel.Close) reason;
        assertThat(close.getReplyText()).contains(text);
        assertThat(close.getReplyCode()).isEqualTo(code);
        assertThat(signal.isInitiatedByApplication()).isFalse();
    }

    private static void assertConnectionClose(ShutdownSignalException signal, int code, String text) {
        Method reason = signal.getReason();
        assertThat(reason).isInstanceOf(AMQP.Connection.Close.class);
        AMQP.Connection.Close close = (AMQP.Connection.Close) reason;
        assertThat(close.getReplyText()).contains(text);
        assertThat(close.getReplyCode()).isEqualTo(code);
        assertThat(signal.isInitiatedByApplication()).isFalse();
    }

    private static ShutdownSignalException signalOf(Throwable thrown) {
        for (Throwable t = thrown; t != null; t = t.getCause()) {
            if (t instanceof ShutdownSignalException signal) {
                return signal;
            }
        }
        throw new AssertionError("expected a shutdown signal, got " + thrown, thrown);
    }
}
