package leveret.clients.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import leveret.clients.TcpProxy;
import org.junit.jupiter.api.Test;
import org.springframework.amqp.AmqpIOException;
import org.springframework.amqp.core.AnonymousQueue;
import org.springframework.amqp.core.Binding;
import org.springframework.amqp.core.BindingBuilder;
import org.springframework.amqp.core.Declarables;
import org.springframework.amqp.core.DirectExchange;
import org.springframework.amqp.core.FanoutExchange;
import org.springframework.amqp.core.HeadersExchange;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.core.QueueInformation;
import org.springframework.amqp.core.TopicExchange;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.context.support.GenericApplicationContext;

class AdminTest extends SpringTest {

    private GenericApplicationContext context(CachingConnectionFactory on, Declarables declarables) {
        GenericApplicationContext context = new GenericApplicationContext();
        context.registerBean(RabbitAdmin.class, () -> new RabbitAdmin(on));
        context.registerBean(Declarables.class, () -> declarables);
        context.refresh();
        return closeLater(context);
    }

    @Test
    void declarablesAreDeclaredOnTheFirstConnection() {
        Queue queue = QueueBuilder.nonDurable(queueName()).withArgument("x-message-ttl", 60_000).build();
        TopicExchange topic = new TopicExchange(exchangeName(), false, false);
        FanoutExchange fanout = new FanoutExchange(exchangeName(), false, false);
        context(factory, new Declarables(queue, topic, fanout,
                BindingBuilder.bind(fanout).to(topic).with("log.#"),
                BindingBuilder.bind(queue).to(fanout)));
        template.convertAndSend(topic.getName(), "log.info", "declared");
        assertThat(takeText(queue.getName())).isEqualTo("declared");
    }

    @Test
    void declarablesComeBackAfterALostConnection() throws Exception {
        try (TcpProxy proxy = new TcpProxy()) {
            CachingConnectionFactory through = newFactory(proxy);
            AnonymousQueue queue = new AnonymousQueue();
            DirectExchange direct = new DirectExchange(exchangeName(), false, true);
            Binding binding = BindingBuilder.bind(queue).to(direct).with("k");
            context(through, new Declarables(queue, direct, binding));
            RabbitTemplate before = new RabbitTemplate(through);
            before.convertAndSend(direct.getName(), "k", "first");
            assertThat(text(before.receive(queue.getName(), WAIT_MS))).isEqualTo("first");
            proxy.cut();
            // The exclusive queue and its auto-delete exchange are gone with the connection.
            Eventually.passes("declared again", () -> {
                before.convertAndSend(direct.getName(), "k", "second");
                assertThat(proxy.accepted()).isGreaterThan(1);
                assertThat(text(before.receive(queue.getName(), 1_000))).isEqualTo("second");
            });
        }
    }

    @Test
    void manualDeclarationsComeBackWhenAskedTo() throws Exception {
        try (TcpProxy proxy = new TcpProxy()) {
            CachingConnectionFactory through = newFactory(proxy);
            GenericApplicationContext context = closeLater(new GenericApplicationContext());
            context.registerBean(RabbitAdmin.class, () -> {
                RabbitAdmin remembering = new RabbitAdmin(through);
                remembering.setRedeclareManualDeclarations(true);
                return remembering;
            });
            context.refresh();
            RabbitAdmin remembering = context.getBean(RabbitAdmin.class);
            String queue = Broker.unique("manual");
            remembering.declareQueue(new Queue(queue, false, true, true));
            assertThat(remembering.getQueueInfo(queue)).isNotNull();
            proxy.cut();
            Eventually.holds("declared again", () -> {
                try {
                    return remembering.getQueueInfo(queue) != null && proxy.accepted() > 1;
                } catch (org.springframework.amqp.AmqpException notYet) {
                    return false;
                }
            });
            remembering.deleteQueue(queue);
        }
    }

    @Test
    void queueInfoTellsCounts() {
        String queue = queue();
        send(queue, "1", "2");
        awaitCounts(queue, 2, 0);
        QueueInformation info = admin.getQueueInfo(queue);
        assertThat(info.getName()).isEqualTo(queue);
        assertThat(admin.getQueueProperties(queue)).containsEntry(RabbitAdmin.QUEUE_MESSAGE_COUNT, 2L);
        assertThat(admin.getQueueInfo(Broker.unique("missing"))).isNull();
    }

    @Test
    void purgeAndDelete() {
        String queue = queue();
        send(queue, "1", "2", "3");
        awaitCounts(queue, 3, 0);
        assertThat(admin.purgeQueue(queue)).isEqualTo(3);
        assertThat(admin.deleteQueue(queue)).isTrue();
        assertThat(admin.getQueueInfo(queue)).isNull();
        String exchange = exchangeName();
        admin.declareExchange(new DirectExchange(exchange));
        assertThat(admin.deleteExchange(exchange)).isTrue();
    }

    @Test
    void deleteIfUnusedOrEmptyIsRefused() {
        String queue = queue();
        send(queue, "1");
        awaitCounts(queue, 1, 0);
        assertThatThrownBy(() -> admin.deleteQueue(queue, false, true)).hasStackTraceContaining("not empty");
        assertThat(admin.getQueueInfo(queue)).isNotNull();
    }

    @Test
    void mismatchedDeclarationsAreReported() {
        String queue = queue();
        assertThatThrownBy(() -> admin.declareQueue(new Queue(queue, true, false, false)))
                .isInstanceOf(AmqpIOException.class)
                .hasStackTraceContaining("inequivalent arg 'durable' for queue '" + queue + "'");
        RabbitAdmin forgiving = new RabbitAdmin(factory);
        forgiving.setIgnoreDeclarationExceptions(true);
        assertThat(forgiving.declareQueue(new Queue(queue, true, false, false))).isNull();
        assertThat(forgiving.getLastDeclarationExceptionEvent().getDeclarable()).isInstanceOf(Queue.class);
    }

    @Test
    void serverNamedQueuesAreGivenAName() {
        Queue queue = admin.declareQueue();
        assertThat(queue.getName()).startsWith("amq.gen-");
        send(queue.getName(), "x");
        assertThat(takeText(queue.getName())).isEqualTo("x");
    }

    @Test
    void everyBuilderOptionIsAccepted() {
        Queue queue = QueueBuilder.durable(queueName()).ttl(60_000).expires(600_000).maxLength(100L)
                .maxLengthBytes(100_000).overflow(QueueBuilder.Overflow.rejectPublish)
                .deadLetterExchange("amq.fanout").deadLetterRoutingKey("dead").maxPriority(5)
                .lazy().singleActiveConsumer().build();
        assertThat(admin.declareQueue(queue)).isEqualTo(queue.getName());
        assertThat(admin.declareQueue(queue)).isEqualTo(queue.getName());
    }

    @Test
    void quorumQueuesAreAccepted() {
        Queue queue = QueueBuilder.durable(queueName()).quorum().deliveryLimit(3).build();
        admin.declareQueue(queue);
        send(queue.getName(), "replicated");
        assertThat(takeText(queue.getName())).isEqualTo("replicated");
    }

    @Test
    void headersBindingsRoute() {
        HeadersExchange headers = new HeadersExchange(exchangeName(), false, false);
        Queue queue = new Queue(queueName(), false);
        admin.declareExchange(headers);
        admin.declareQueue(queue);
        admin.declareBinding(BindingBuilder.bind(queue).to(headers).whereAll(Map.of("a", 1, "b", "x")).match());
        for (int a : new int[] {1, 2}) {
            template.convertAndSend(headers.getName(), "", "a=" + a, message -> {
                message.getMessageProperties().setHeader("a", a);
                message.getMessageProperties().setHeader("b", "x");
                return message;
            });
        }
        assertThat(takeText(queue.getName())).isEqualTo("a=1");
        awaitCounts(queue.getName(), 0, 0);
    }

    @Test
    void bindingsAreRemoved() {
        DirectExchange direct = new DirectExchange(exchangeName(), false, false);
        Queue queue = new Queue(queueName(), false);
        admin.declareExchange(direct);
        admin.declareQueue(queue);
        Binding binding = BindingBuilder.bind(queue).to(direct).with("k");
        admin.declareBinding(binding);
        template.convertAndSend(direct.getName(), "k", "bound");
        admin.removeBinding(binding);
        template.convertAndSend(direct.getName(), "k", "unbound");
        assertThat(takeText(queue.getName())).isEqualTo("bound");
        awaitCounts(queue.getName(), 0, 0);
    }
}
