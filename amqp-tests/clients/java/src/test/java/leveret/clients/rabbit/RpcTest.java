package leveret.clients.rabbit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.Return;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcClientParams;
import com.rabbitmq.client.RpcServer;
import com.rabbitmq.client.StringRpcServer;
import com.rabbitmq.client.UnroutableRpcRequestException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import org.junit.jupiter.api.Test;

class RpcTest extends BrokerTest {

    private static final String REPLY_TO = "amq.rabbitmq.reply-to";

    /** Answers in capitals until closed. */
    private final class Shouting implements AutoCloseable {
        final String queue = queue();
        private final RpcServer server;
        private final Future<?> loop;
        private final ExecutorService thread = Executors.newSingleThreadExecutor();

        Shouting() throws Exception {
            server = new StringRpcServer(another().createChannel(), queue) {
                @Override
                public String handleStringCall(String request, BasicProperties reply) {
                    return request.toUpperCase();
                }
            };
            loop = thread.submit(server::mainloop);
        }

        @Override
        public void close() throws Exception {
            server.getChannel().close();
            loop.get(20, TimeUnit.SECONDS);
            thread.shutdown();
        }
    }

    @Test
    void rpcClientTalksToRpcServerByDirectReplyTo() throws Exception {
        try (Shouting server = new Shouting();
                RpcClient client = new RpcClient(new RpcClientParams()
                        .channel(channel).exchange("").routingKey(server.queue).timeout(20_000))) {
            for (String word : new String[] {"one", "two", "three"}) {
                assertThat(client.stringCall(word)).isEqualTo(word.toUpperCase());
            }
        }
    }

    @Test
    void rpcClientTalksToRpcServerByItsOwnQueue() throws Exception {
        String replies = channel.queueDeclare().getQueue();
        try (Shouting server = new Shouting();
                RpcClient client = new RpcClient(new RpcClientParams().channel(channel).exchange("")
                        .routingKey(server.queue).replyTo(replies).timeout(20_000))) {
            assertThat(client.stringCall("hello")).isEqualTo("HELLO");
            assertThat(client.responseCall("bytes".getBytes(UTF_8)).getBody()).isEqualTo("BYTES".getBytes(UTF_8));
        }
    }

    @Test
    void concurrentCallsGetTheirOwnAnswers() throws Exception {
        ExecutorService callers = Executors.newFixedThreadPool(8);
        try (Shouting server = new Shouting();
                RpcClient client = new RpcClient(new RpcClientParams()
                        .channel(channel).exchange("").routingKey(server.queue).timeout(20_000))) {
            List<Future<String>> answers = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                String request = "request " + i;
                answers.add(callers.submit(() -> client.stringCall(request)));
            }
            for (int i = 0; i < 200; i++) {
                assertThat(answers.get(i).get(30, TimeUnit.SECONDS)).isEqualTo("REQUEST " + i);
            }
        } finally {
            callers.shutdownNow();
        }
    }

    @Test
    void aServerMayAnswerWithProperties() throws Exception {
        String queue = queue();
        channel.basicConsume(queue, true, (tag, request) -> channel.basicPublish(
                "", request.getProperties().getReplyTo(),
                new BasicProperties.Builder().correlationId(request.getProperties().getCorrelationId())
                        .contentType("application/json").headers(Map.of("status", 200)).build(),
                bytes("{}")), tag -> {});
        try (RpcClient client = new RpcClient(new RpcClientParams()
                .channel(connection.createChannel()).exchange("").routingKey(queue).timeout(20_000))) {
            RpcClient.Response response = client.responseCall(bytes("?"));
            assertThat(response.getProperties().getContentType()).isEqualTo("application/json");
            assertThat(response.getProperties().getHeaders()).containsEntry("status", 200);
        }
    }

    // The next two never get an answer, and closing an RpcClient before its consumer has heard anything
    // is a race inside the client; the channel's end closes them.

    @Test
    void nobodyAnsweringIsATimeout() throws Exception {
        RpcClient client = new RpcClient(new RpcClientParams()
                .channel(channel).exchange("").routingKey(queue()).timeout(100));
        assertThatThrownBy(() -> client.stringCall("anyone?")).isInstanceOf(TimeoutException.class);
    }

    @Test
    void anUnroutableRequestIsReported() throws Exception {
        RpcClient client = new RpcClient(new RpcClientParams().channel(channel).exchange("")
                .routingKey(Broker.unique("nobody")).timeout(20_000).useMandatory());
        assertThatThrownBy(() -> client.stringCall("anyone?"))
                .isInstanceOf(UnroutableRpcRequestException.class);
    }

    @Test
    void replyAddressesAreMadeUpByTheBroker() throws Exception {
        String queue = queue();
        Collector replies = new Collector(channel);
        channel.basicConsume(REPLY_TO, true, replies);
        for (int i = 0; i < 2; i++) {
            channel.basicPublish("", queue, new BasicProperties.Builder().replyTo(REPLY_TO).build(), bytes("q"));
        }
        String first = take(queue).getProps().getReplyTo();
        String second = take(queue).getProps().getReplyTo();
        assertThat(first).startsWith(REPLY_TO + ".").isEqualTo(second);
        Connection server = another();
        Channel answering = server.createChannel();
        // The address can be tested before answering.
        assertThat(answering.queueDeclarePassive(first).getConsumerCount()).isEqualTo(1);
        answering.basicPublish("", first, null, bytes("answer"));
        Delivery answer = replies.next();
        assertThat(Collector.text(answer)).isEqualTo("answer");
        assertThat(answer.getEnvelope().getExchange()).isEmpty();
        assertThat(answer.getEnvelope().getRoutingKey()).isEqualTo(first);
        assertThat(answer.getEnvelope().isRedeliver()).isFalse();
    }

    @Test
    void answersToAClosedRequesterAreDroppedAndItsAddressIsGone() throws Exception {
        String queue = queue();
        Channel asking = connection.createChannel();
        asking.basicConsume(REPLY_TO, true, new Collector(asking));
        asking.basicPublish("", queue, new BasicProperties.Builder().replyTo(REPLY_TO).build(), bytes("q"));
        String address = take(queue).getProps().getReplyTo();
        asking.close();
        channel.basicPublish("", address, null, bytes("too late"));
        assertThat(channel.queueDeclare().getQueue()).isNotEmpty();
        Eventually.holds("address gone", () -> {
            Channel probe = connection.createChannel();
            try {
                probe.queueDeclarePassive(address);
                probe.close();
                return false;
            } catch (java.io.IOException gone) {
                return true;
            }
        });
    }

    @Test
    void aMandatoryAnswerToAGoneRequesterIsReturned() throws Exception {
        String queue = queue();
        Channel asking = connection.createChannel();
        asking.basicConsume(REPLY_TO, true, new Collector(asking));
        asking.basicPublish("", queue, new BasicProperties.Builder().replyTo(REPLY_TO).build(), bytes("q"));
        String address = take(queue).getProps().getReplyTo();
        asking.close();
        CompletableFuture<Return> returned = new CompletableFuture<>();
        channel.addReturnListener(returned::complete);
        channel.basicPublish("", address, true, null, bytes("too late"));
        assertThat(returned.get(20, TimeUnit.SECONDS).getReplyCode()).isEqualTo(312);
    }

    @Test
    void directReplyToNeedsAutoAck() {
        channelError(AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - reply consumer cannot acknowledge",
                () -> channel.basicConsume(REPLY_TO, false, new Collector(channel)));
    }

    @Test
    void directReplyToAllowsOneConsumerAChannel() throws Exception {
        channel.basicConsume(REPLY_TO, true, new Collector(channel));
        channelError(AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - reply consumer already set",
                () -> channel.basicConsume(REPLY_TO, true, new Collector(channel)));
    }

    @Test
    void directReplyToWithoutAConsumerIsRefused() throws Exception {
        channel.basicPublish("", queue(), new BasicProperties.Builder().replyTo(REPLY_TO).build(), bytes("q"));
        awaitChannelError(channel, AMQP.PRECONDITION_FAILED,
                "PRECONDITION_FAILED - fast reply consumer does not exist");
    }

    @Test
    void theReplyConsumerCanBeCancelledAndSetAgain() throws Exception {
        String tag = channel.basicConsume(REPLY_TO, true, new Collector(channel));
        channel.basicCancel(tag);
        channel.basicConsume(REPLY_TO, true, new Collector(channel));
    }
}
