package leveret.clients.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.Channel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import leveret.clients.TcpProxy;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.springframework.amqp.AmqpRejectAndDontRequeueException;
import org.springframework.amqp.ImmediateAcknowledgeAmqpException;
import org.springframework.amqp.core.AcknowledgeMode;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageListener;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.rabbit.connection.ConnectionFactory;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.listener.AbstractMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.DirectMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.api.ChannelAwareMessageListener;

/** Both kinds of listener container, with everything that may happen to their queues. */
class ContainerTest extends SpringTest {

    enum Kind {
        SIMPLE, DIRECT;

        AbstractMessageListenerContainer on(ConnectionFactory factory, int consumers) {
            if (this == SIMPLE) {
                SimpleMessageListenerContainer simple = new SimpleMessageListenerContainer(factory);
                simple.setConcurrentConsumers(consumers);
                simple.setReceiveTimeout(100);
                simple.setRetryDeclarationInterval(50);
                return simple;
            }
            DirectMessageListenerContainer direct = new DirectMessageListenerContainer(factory);
            direct.setConsumersPerQueue(consumers);
            direct.setMonitorInterval(100);
            return direct;
        }
    }

    private AbstractMessageListenerContainer container(Kind kind, ConnectionFactory on, int consumers) {
        AbstractMessageListenerContainer container = kind.on(on, consumers);
        container.setRecoveryInterval(100);
        container.setFailedDeclarationRetryInterval(100);
        container.setShutdownTimeout(2_000);
        container.afterPropertiesSet();
        closeLater(container::destroy);
        return container;
    }

    private AbstractMessageListenerContainer container(Kind kind, String queue, MessageListener listener) {
        AbstractMessageListenerContainer container = container(kind, factory, 1);
        container.setQueueNames(queue);
        container.setMessageListener(listener);
        return container;
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void messagesArriveInOrderAndAreAcked(Kind kind) throws Exception {
        String queue = queue();
        Seen<String> seen = new Seen<>();
        container(kind, queue, message -> seen.add(text(message))).start();
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            send(queue, "m" + i);
            expected.add("m" + i);
        }
        assertThat(seen.next(500)).isEqualTo(expected);
        awaitCounts(queue, 0, 1);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void stoppingRemovesTheConsumersAndLosesNothing(Kind kind) throws Exception {
        String queue = queue();
        Seen<String> seen = new Seen<>();
        var container = container(kind, queue, message -> seen.add(text(message)));
        container.setPrefetchCount(5);
        container.start();
        for (int i = 0; i < 100; i++) {
            send(queue, "m" + i);
        }
        seen.next();
        container.stop();
        Eventually.passes("no consumers", () ->
                assertThat(admin.getQueueInfo(queue).getConsumerCount()).isZero());
        container.start();
        seen.next(99);
        awaitCounts(queue, 0, 1);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void aFailedMessageComesAgain(Kind kind) throws Exception {
        String queue = queue();
        Seen<Boolean> seen = new Seen<>();
        container(kind, queue, message -> {
            boolean redelivered = message.getMessageProperties().isRedelivered();
            seen.add(redelivered);
            if (!redelivered) {
                throw new IllegalStateException("on purpose");
            }
        }).start();
        send(queue, "again");
        assertThat(seen.next(2)).containsExactly(false, true);
        awaitCounts(queue, 0, 1);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void aRejectedMessageIsDeadLettered(Kind kind) throws Exception {
        String dead = queue();
        String queue = queue(deadLetterTo(dead));
        container(kind, queue, message -> {
            throw new AmqpRejectAndDontRequeueException("never again");
        }).start();
        send(queue, "poison");
        Message message = take(dead);
        assertThat(text(message)).isEqualTo("poison");
        Map<String, ?> death = message.getMessageProperties().getXDeathHeader().get(0);
        assertThat(death.get("reason")).isEqualTo("rejected");
        assertThat(death.get("queue")).isEqualTo(queue);
        assertThat(death.get("count")).isEqualTo(1L);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void noRequeueByDefaultWhenToldSo(Kind kind) {
        String dead = queue();
        String queue = queue(deadLetterTo(dead));
        var container = container(kind, queue, message -> {
            throw new IllegalStateException("on purpose");
        });
        container.setDefaultRequeueRejected(false);
        container.start();
        send(queue, "1", "2");
        assertThat(takeText(dead)).isEqualTo("1");
        assertThat(takeText(dead)).isEqualTo("2");
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void anAcknowledgingExceptionAcks(Kind kind) throws Exception {
        String queue = queue();
        Seen<String> seen = new Seen<>();
        container(kind, queue, message -> {
            seen.add(text(message));
            throw new ImmediateAcknowledgeAmqpException("good enough");
        }).start();
        send(queue, "once");
        assertThat(seen.next()).isEqualTo("once");
        awaitCounts(queue, 0, 1);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void manualAcksAreTheListenersBusiness(Kind kind) throws Exception {
        String dead = queue();
        String queue = queue(deadLetterTo(dead));
        Seen<String> acked = new Seen<>();
        var container = container(kind, factory, 1);
        container.setQueueNames(queue);
        container.setAcknowledgeMode(AcknowledgeMode.MANUAL);
        container.setMessageListener(new ChannelAwareMessageListener() {
            @Override
            public void onMessage(Message message, Channel channel) throws Exception {
                long tag = message.getMessageProperties().getDeliveryTag();
                if (text(message).equals("bad")) {
                    channel.basicNack(tag, false, false);
                } else {
                    channel.basicAck(tag, false);
                    acked.add(text(message));
                }
            }
        });
        container.start();
        send(queue, "good", "bad", "fine");
        assertThat(acked.next(2)).containsExactly("good", "fine");
        assertThat(takeText(dead)).isEqualTo("bad");
        awaitCounts(queue, 0, 1);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void severalConsumersShareTheWork(Kind kind) throws Exception {
        String queue = queue();
        int count = 4;
        CountDownLatch together = new CountDownLatch(count);
        var seen = new ConcurrentHashMap<String, Integer>();
        var container = container(kind, factory, count);
        container.setQueueNames(queue);
        container.setPrefetchCount(1);
        container.setMessageListener(message -> {
            seen.merge(text(message), 1, Integer::sum);
            together.countDown();
            try {
                // Only passes when all consumers hold a message at the same time.
                together.await(WAIT_MS, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        container.start();
        awaitCounts(queue, 0, count);
        for (int i = 0; i < 40; i++) {
            send(queue, "m" + i);
        }
        assertThat(together.await(WAIT_MS, TimeUnit.MILLISECONDS)).isTrue();
        Eventually.passes("all seen", () -> assertThat(seen).hasSize(40));
        assertThat(seen.values()).allMatch(times -> times == 1);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void prefetchLimitsWhatAConsumerHolds(Kind kind) throws Exception {
        String queue = queue();
        for (int i = 0; i < 10; i++) {
            send(queue, "m" + i);
        }
        awaitCounts(queue, 10, 0);
        CountDownLatch go = new CountDownLatch(1);
        var container = container(kind, queue, message -> {
            try {
                go.await(WAIT_MS, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        container.setPrefetchCount(3);
        container.start();
        awaitCounts(queue, 7, 1);
        go.countDown();
        awaitCounts(queue, 0, 1);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void consumerArgumentsAndTagsReachTheBroker(Kind kind) throws Exception {
        String queue = queue();
        Seen<String> urgent = new Seen<>();
        Seen<String> patient = new Seen<>();
        var second = container(kind, queue, message -> patient.add(text(message)));
        second.setConsumerArguments(Map.of("x-priority", 1));
        second.start();
        awaitCounts(queue, 0, 1);
        String tag = Broker.unique("tag");
        var first = container(kind, queue, message ->
                urgent.add(message.getMessageProperties().getConsumerTag()));
        first.setConsumerArguments(Map.of("x-priority", 10));
        first.setConsumerTagStrategy(name -> tag);
        first.start();
        awaitCounts(queue, 0, 2);
        send(queue, "1", "2", "3");
        assertThat(urgent.next(3)).containsOnly(tag);
        assertThat(patient.waiting()).isZero();
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void queuesMayBeAddedAndRemovedWhileRunning(Kind kind) throws Exception {
        String one = queue();
        String two = queue();
        Seen<String> seen = new Seen<>();
        var container = container(kind, one, message -> seen.add(text(message)));
        container.start();
        container.addQueueNames(two);
        awaitCounts(two, 0, 1);
        send(one, "from one");
        assertThat(seen.next()).isEqualTo("from one");
        send(two, "from two");
        assertThat(seen.next()).isEqualTo("from two");
        container.removeQueueNames(one);
        awaitCounts(one, 0, 0);
        send(two, "still two");
        assertThat(seen.next()).isEqualTo("still two");
    }

    @Test
    void aMissingQueueIsFatalForASimpleContainer() {
        var container = container(Kind.SIMPLE, Broker.unique("missing"), message -> {});
        ((SimpleMessageListenerContainer) container).setDeclarationRetries(1);
        container.setMissingQueuesFatal(true);
        assertThatThrownBy(container::start).hasStackTraceContaining("Cannot prepare queue for listener");
        Eventually.holds("container given up", () -> !container.isActive());
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void aMissingQueueIsWaitedForWhenNotFatal(Kind kind) throws Exception {
        String queue = queueName();
        Seen<String> seen = new Seen<>();
        var container = container(kind, queue, message -> seen.add(text(message)));
        container.setMissingQueuesFatal(false);
        if (container instanceof SimpleMessageListenerContainer simple) {
            simple.setDeclarationRetries(1);
        }
        container.start();
        admin.declareQueue(new Queue(queue, false));
        awaitCounts(queue, 0, 1);
        send(queue, "at last");
        assertThat(seen.next()).isEqualTo("at last");
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void aDeletedQueueIsConsumedAgainWhenItComesBack(Kind kind) throws Exception {
        String queue = queue();
        Seen<String> seen = new Seen<>();
        var container = container(kind, queue, message -> seen.add(text(message)));
        container.setMissingQueuesFatal(false);
        if (container instanceof SimpleMessageListenerContainer simple) {
            simple.setDeclarationRetries(1);
        }
        container.start();
        awaitCounts(queue, 0, 1);
        admin.deleteQueue(queue);
        Eventually.holds("queue gone", () -> admin.getQueueInfo(queue) == null);
        admin.declareQueue(new Queue(queue, false));
        awaitCounts(queue, 0, 1);
        send(queue, "back");
        assertThat(seen.next()).isEqualTo("back");
        assertThat(container.isRunning()).isTrue();
    }

    /** The next message that is none of `again`: those may have been redelivered. */
    private static String newOf(Seen<String> seen, java.util.Set<String> again) throws Exception {
        String next = seen.next();
        while (again.contains(next)) {
            next = seen.next();
        }
        return next;
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void aLostConnectionIsRecovered(Kind kind) throws Exception {
        try (TcpProxy proxy = new TcpProxy()) {
            String queue = queue();
            Seen<String> seen = new Seen<>();
            var container = container(kind, newFactory(proxy), 1);
            container.setQueueNames(queue);
            container.setMessageListener(message -> seen.add(text(message)));
            container.start();
            java.util.Set<String> unacked = new java.util.HashSet<>();
            for (int round = 0; round < 3; round++) {
                // Acks that a cut swallowed mean redeliveries, also of the round before.
                var again = new java.util.HashSet<>(unacked);
                send(queue, "before " + round);
                assertThat(newOf(seen, again)).isEqualTo("before " + round);
                unacked.add("before " + round);
                again.add("before " + round);
                awaitCounts(queue, 0, 1);
                int connections = proxy.accepted();
                proxy.cut();
                Eventually.holds("connected again", () -> proxy.accepted() > connections);
                send(queue, "after " + round);
                assertThat(newOf(seen, again)).isEqualTo("after " + round);
                unacked = new java.util.HashSet<>(List.of("before " + round, "after " + round));
            }
            container.destroy();
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void anExclusiveConsumerWaitsForItsTurn(Kind kind) throws Exception {
        String queue = queue();
        Seen<String> first = new Seen<>();
        Seen<String> second = new Seen<>();
        var holder = container(kind, queue, message -> first.add(text(message)));
        holder.setExclusive(true);
        holder.start();
        awaitCounts(queue, 0, 1);
        var waiting = container(kind, newFactory(), 1);
        waiting.setQueueNames(queue);
        waiting.setMessageListener(message -> second.add(text(message)));
        waiting.setExclusive(true);
        waiting.start();
        send(queue, "1");
        assertThat(first.next()).isEqualTo("1");
        holder.stop();
        awaitCounts(queue, 0, 1);
        send(queue, "2");
        assertThat(second.next()).isEqualTo("2");
    }

    @Test
    void aSimpleContainerGrowsUnderLoad() {
        String queue = queue();
        var container = (SimpleMessageListenerContainer) container(Kind.SIMPLE, queue, message -> {});
        container.setMaxConcurrentConsumers(3);
        container.setConsecutiveActiveTrigger(1);
        container.setStartConsumerMinInterval(10);
        container.setPrefetchCount(1);
        container.start();
        Eventually.passes("three consumers", () -> {
            send(queue, "m", "m", "m", "m", "m", "m", "m", "m");
            assertThat(container.getActiveConsumerCount()).isEqualTo(3);
        });
        Eventually.passes("all served", () -> assertThat(admin.getQueueInfo(queue).getMessageCount()).isZero());
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void autoAckContainersTakeWithoutAcks(Kind kind) throws Exception {
        String queue = queue();
        Seen<String> seen = new Seen<>();
        var container = container(kind, queue, message -> seen.add(text(message)));
        container.setAcknowledgeMode(AcknowledgeMode.NONE);
        container.start();
        send(queue, "1", "2", "3");
        assertThat(seen.next(3)).containsExactly("1", "2", "3");
        container.stop();
        awaitCounts(queue, 0, 0);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void autoDeleteQueuesAreDeclaredAgainOnRestart(Kind kind) throws Exception {
        String queue = queueName();
        try (var context = new org.springframework.context.support.GenericApplicationContext()) {
            context.registerBean(ConnectionFactory.class, () -> factory);
            context.registerBean(RabbitAdmin.class, () -> new RabbitAdmin(factory));
            context.registerBean(Queue.class, () -> new Queue(queue, false, false, true));
            context.refresh();
            Seen<String> seen = new Seen<>();
            var container = container(kind, queue, message -> seen.add(text(message)));
            container.setApplicationContext(context);
            container.setAmqpAdmin(context.getBean(RabbitAdmin.class));
            container.start();
            awaitCounts(queue, 0, 1);
            container.stop();
            Eventually.holds("auto-delete", () -> admin.getQueueInfo(queue) == null);
            container.start();
            awaitCounts(queue, 0, 1);
            send(queue, "declared again");
            assertThat(seen.next()).isEqualTo("declared again");
            container.stop();
        }
    }
}
