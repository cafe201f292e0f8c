package leveret.clients.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import leveret.clients.Broker;
import org.junit.jupiter.api.Test;
import org.springframework.amqp.AmqpException;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageBuilder;
import org.springframework.amqp.core.MessageDeliveryMode;
import org.springframework.amqp.core.MessageProperties;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.adapter.MessageListenerAdapter;
import org.springframework.amqp.support.converter.JacksonJsonMessageConverter;
import org.springframework.core.ParameterizedTypeReference;

class RabbitTemplateTest extends SpringTest {

    record Order(String id, int amount, List<String> lines) {}

    /** Answers requests in capitals. */
    private String shouting() {
        String queue = queue();
        SimpleMessageListenerContainer server = new SimpleMessageListenerContainer(newFactory());
        server.setQueueNames(queue);
        server.setConcurrentConsumers(2);
        server.setReceiveTimeout(100);
        server.setMessageListener(new MessageListenerAdapter(new Object() {
            @SuppressWarnings("unused")
            public String handleMessage(String request) {
                return request.toUpperCase();
            }
        }));
        closeLater(server::destroy);
        server.start();
        return queue;
    }

    @Test
    void sendAndReceive() {
        String queue = queue();
        template.send("", queue, MessageBuilder.withBody("raw".getBytes())
                .setContentType("text/plain").setMessageId("m-1").setHeader("n", 7)
                .setDeliveryMode(MessageDeliveryMode.PERSISTENT).build());
        Message message = take(queue);
        MessageProperties properties = message.getMessageProperties();
        assertThat(text(message)).isEqualTo("raw");
        assertThat(properties.getMessageId()).isEqualTo("m-1");
        assertThat(properties.<Integer>getHeader("n")).isEqualTo(7);
        assertThat(properties.getReceivedDeliveryMode()).isEqualTo(MessageDeliveryMode.PERSISTENT);
        assertThat(properties.getReceivedRoutingKey()).isEqualTo(queue);
        assertThat(template.receive(queue)).isNull();
    }

    @Test
    void receiveGivesUpAfterItsTimeout() {
        assertThat(template.receive(queue(), 50)).isNull();
    }

    @Test
    void receivingFromAMissingQueueFails() {
        assertThatThrownBy(() -> template.receive(Broker.unique("missing"))).isInstanceOf(AmqpException.class);
    }

    @Test
    void jsonKeepsItsType() {
        template.setMessageConverter(new JacksonJsonMessageConverter(getClass().getPackageName()));
        String queue = queue();
        Order order = new Order("o-1", 3, List.of("a", "b"));
        template.convertAndSend("", queue, order);
        assertThat(template.receiveAndConvert(queue, WAIT_MS)).isEqualTo(order);
        template.convertAndSend("", queue, order);
        assertThat(template.receiveAndConvert(queue, WAIT_MS, new ParameterizedTypeReference<Order>() {}))
                .isEqualTo(order);
    }

    @Test
    void requestAndReplyByDirectReplyTo() {
        String queue = shouting();
        template.setReplyTimeout(WAIT_MS);
        for (int i = 0; i < 20; i++) {
            assertThat(template.convertSendAndReceive("", queue, "call " + i)).isEqualTo("CALL " + i);
        }
    }

    @Test
    void requestAndReplyByDirectReplyToWithoutAContainer() {
        String queue = shouting();
        template.setReplyTimeout(WAIT_MS);
        template.setUseDirectReplyToContainer(false);
        for (int i = 0; i < 5; i++) {
            assertThat(template.convertSendAndReceive("", queue, "call " + i)).isEqualTo("CALL " + i);
        }
    }

    @Test
    void requestAndReplyByTemporaryQueues() {
        String queue = shouting();
        template.setReplyTimeout(WAIT_MS);
        template.setUseTemporaryReplyQueues(true);
        for (int i = 0; i < 5; i++) {
            assertThat(template.convertSendAndReceive("", queue, "call " + i)).isEqualTo("CALL " + i);
        }
    }

    @Test
    void requestAndReplyByAFixedQueue() throws Exception {
        String queue = shouting();
        String replies = queue();
        template.setReplyAddress(replies);
        template.setReplyTimeout(WAIT_MS);
        SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(factory);
        container.setQueueNames(replies);
        container.setReceiveTimeout(100);
        container.setMessageListener(template);
        closeLater(container::destroy);
        container.start();
        ExecutorService callers = Executors.newFixedThreadPool(4);
        try {
            List<Future<Object>> answers = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                String request = "fixed " + i;
                answers.add(callers.submit(() -> template.convertSendAndReceive("", queue, request)));
            }
            for (int i = 0; i < 40; i++) {
                assertThat(answers.get(i).get(30, TimeUnit.SECONDS)).isEqualTo("FIXED " + i);
            }
        } finally {
            callers.shutdownNow();
        }
    }

    @Test
    void concurrentRequestsGetTheirOwnReplies() throws Exception {
        String queue = shouting();
        template.setReplyTimeout(WAIT_MS);
        ExecutorService callers = Executors.newFixedThreadPool(8);
        try {
            List<Future<Object>> answers = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                String request = "request " + i;
                answers.add(callers.submit(() -> template.convertSendAndReceive("", queue, request)));
            }
            for (int i = 0; i < 100; i++) {
                assertThat(answers.get(i).get(30, TimeUnit.SECONDS)).isEqualTo("REQUEST " + i);
            }
        } finally {
            callers.shutdownNow();
        }
    }

    @Test
    void aRequestWithoutAnswerIsNull() {
        template.setReplyTimeout(100);
        assertThat(template.convertSendAndReceive("", queue(), "anyone?")).isNull();
    }

    @Test
    void receiveAndReplyServesOneRequest() throws Exception {
        String queue = queue();
        ExecutorService caller = Executors.newSingleThreadExecutor();
        try {
            RabbitTemplate asking = new RabbitTemplate(newFactory());
            asking.setReplyTimeout(WAIT_MS);
            Future<Object> answer = caller.submit(() -> asking.convertSendAndReceive("", queue, "ping"));
            template.setReceiveTimeout(WAIT_MS);
            boolean served = template.<String, String>receiveAndReply(queue, request -> request + " pong");
            assertThat(served).isTrue();
            assertThat(answer.get(30, TimeUnit.SECONDS)).isEqualTo("ping pong");
        } finally {
            caller.shutdownNow();
        }
    }

    @Test
    void executeGivesTheChannel() {
        String queue = queue();
        template.execute(channel -> {
            channel.basicPublish("", queue, null, "by hand".getBytes());
            return null;
        });
        assertThat(takeText(queue)).isEqualTo("by hand");
    }

    @Test
    void cachedChannelsAreUsedAgain() {
        String queue = queue();
        for (int i = 0; i < 200; i++) {
            send(queue, "m" + i);
        }
        assertThat(factory.getCacheProperties()).containsEntry("idleChannelsNotTx", "1");
        awaitCounts(queue, 200, 0);
    }

    @Test
    void headersOfEveryKindArrive() {
        String queue = queue();
        Map<String, Object> headers = Map.of("int", 1, "long", 2L, "text", "three", "bool", true,
                "list", List.of(1, "x"), "map", Map.of("k", "v"));
        template.convertAndSend("", queue, "h", message -> {
            message.getMessageProperties().setHeaders(headers);
            return message;
        });
        assertThat(take(queue).getMessageProperties().getHeaders()).containsAllEntriesOf(headers);
    }
}
