package leveret.clients.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import leveret.clients.Broker;
import org.aopalliance.aop.Advice;
import org.junit.jupiter.api.Test;
import org.springframework.amqp.core.Binding;
import org.springframework.amqp.core.BindingBuilder;
import org.springframework.amqp.core.DirectExchange;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageListener;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.rabbit.config.RetryInterceptorBuilder;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.retry.ImmediateRequeueMessageRecoverer;
import org.springframework.amqp.rabbit.retry.RejectAndDontRequeueRecoverer;
import org.springframework.amqp.rabbit.retry.RepublishMessageRecoverer;
import org.springframework.core.retry.RetryPolicy;
import org.springframework.core.retry.RetryTemplate;

/** Retrying in the listener, by redelivery, and by way of a dead-letter queue with a TTL. */
class RetryTest extends SpringTest {

    private SimpleMessageListenerContainer start(String queue, Advice advice, MessageListener listener) {
        SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(factory);
        container.setQueueNames(queue);
        container.setReceiveTimeout(100);
        container.setPrefetchCount(1);
        if (advice != null) {
            container.setAdviceChain(advice);
        }
        container.setMessageListener(listener);
        closeLater(container::destroy);
        container.start();
        return container;
    }

    private void sendWithId(String queue, String body, String id) {
        template.convertAndSend("", queue, body, message -> {
            message.getMessageProperties().setMessageId(id);
            return message;
        });
    }

    @Test
    void statelessRetrySucceedsWithoutRedelivery() throws Exception {
        String queue = queue();
        Seen<Boolean> attempts = new Seen<>();
        start(queue, RetryInterceptorBuilder.stateless().maxRetries(4).backOffOptions(5, 1.0, 5).build(), message -> {
            attempts.add(message.getMessageProperties().isRedelivered());
            if (attempts.waiting() < 3) {
                throw new IllegalStateException("not yet");
            }
        });
        send(queue, "third time lucky");
        assertThat(attempts.next(3)).containsExactly(false, false, false);
        awaitCounts(queue, 0, 1);
    }

    @Test
    void statelessRetryRepublishesInTheEnd() throws Exception {
        String queue = queue();
        String errors = queue();
        AtomicInteger attempts = new AtomicInteger();
        RepublishMessageRecoverer recoverer = new RepublishMessageRecoverer(template, "", errors)
                .includeStackTrace(true);
        start(queue, RetryInterceptorBuilder.stateless().maxRetries(2).backOffOptions(5, 1.0, 5)
                .recoverer(recoverer).build(), message -> {
            attempts.incrementAndGet();
            throw new IllegalStateException("broken beyond repair");
        });
        send(queue, "poison");
        Message message = take(errors);
        assertThat(text(message)).isEqualTo("poison");
        assertThat(attempts).hasValue(3);
        var headers = message.getMessageProperties().getHeaders();
        assertThat(headers.get(RepublishMessageRecoverer.X_ORIGINAL_ROUTING_KEY)).isEqualTo(queue);
        assertThat(headers.get(RepublishMessageRecoverer.X_EXCEPTION_MESSAGE)).isEqualTo("broken beyond repair");
        assertThat(headers.get(RepublishMessageRecoverer.X_EXCEPTION_STACKTRACE).toString())
                .contains("IllegalStateException");
        awaitCounts(queue, 0, 1);
    }

    @Test
    void statefulRetryGoesByWayOfTheBroker() throws Exception {
        String queue = queue();
        Seen<Boolean> attempts = new Seen<>();
        AtomicInteger count = new AtomicInteger();
        start(queue, RetryInterceptorBuilder.stateful().maxRetries(4).build(), message -> {
            attempts.add(message.getMessageProperties().isRedelivered());
            if (count.incrementAndGet() < 3) {
                throw new IllegalStateException("not yet");
            }
        });
        sendWithId(queue, "work", Broker.unique("id"));
        assertThat(attempts.next(3)).containsExactly(false, true, true);
        awaitCounts(queue, 0, 1);
    }

    @Test
    void statefulRetryRepublishesInTheEnd() throws Exception {
        String queue = queue();
        String errors = queue();
        AtomicInteger attempts = new AtomicInteger();
        start(queue, RetryInterceptorBuilder.stateful().maxRetries(2)
                .recoverer(new RepublishMessageRecoverer(template, "", errors)).build(), message -> {
            attempts.incrementAndGet();
            throw new IllegalStateException("on purpose");
        });
        sendWithId(queue, "poison", Broker.unique("id"));
        assertThat(takeText(errors)).isEqualTo("poison");
        assertThat(attempts).hasValue(3);
        awaitCounts(queue, 0, 1);
    }

    @Test
    void statefulRetryEndsInTheDeadLetterQueue() throws Exception {
        String dead = queue();
        String queue = queue(deadLetterTo(dead));
        AtomicInteger attempts = new AtomicInteger();
        start(queue, RetryInterceptorBuilder.stateful().maxRetries(1)
                .recoverer(new RejectAndDontRequeueRecoverer()).build(), message -> {
            attempts.incrementAndGet();
            throw new IllegalStateException("on purpose");
        });
        sendWithId(queue, "poison", Broker.unique("id"));
        Message message = take(dead);
        assertThat(text(message)).isEqualTo("poison");
        assertThat(message.getMessageProperties().getXDeathHeader().get(0).get("reason")).isEqualTo("rejected");
        assertThat(attempts).hasValue(2);
    }

    @Test
    void aRecovererMayRequeue() throws Exception {
        String queue = queue();
        Seen<Boolean> attempts = new Seen<>();
        start(queue, RetryInterceptorBuilder.stateless().maxRetries(1).backOffOptions(5, 1.0, 5)
                .recoverer(new ImmediateRequeueMessageRecoverer()).build(), message -> {
            boolean redelivered = message.getMessageProperties().isRedelivered();
            attempts.add(redelivered);
            if (!redelivered) {
                throw new IllegalStateException("only a redelivery will do");
            }
        });
        send(queue, "work");
        assertThat(attempts.next(3)).containsExactly(false, false, true);
        awaitCounts(queue, 0, 1);
    }

    @Test
    void theDeathCountDrivesDelayedRetries() throws Exception {
        String work = queueName();
        String wait = queueName();
        String exchange = exchangeName();
        DirectExchange direct = new DirectExchange(exchange, false, false);
        Queue workQueue = QueueBuilder.nonDurable(work)
                .deadLetterExchange(exchange).deadLetterRoutingKey("wait").build();
        Queue waitQueue = QueueBuilder.nonDurable(wait)
                .ttl(20).deadLetterExchange(exchange).deadLetterRoutingKey("work").build();
        admin.declareExchange(direct);
        admin.declareQueue(workQueue);
        admin.declareQueue(waitQueue);
        Binding toWork = BindingBuilder.bind(workQueue).to(direct).with("work");
        admin.declareBinding(toWork);
        admin.declareBinding(BindingBuilder.bind(waitQueue).to(direct).with("wait"));
        Seen<Long> counts = new Seen<>();
        SimpleMessageListenerContainer container = start(work, null, message -> {
            var deaths = message.getMessageProperties().getXDeathHeader();
            long count = deaths == null ? 0 : deaths.stream()
                    .filter(death -> work.equals(death.get("queue")))
                    .mapToLong(death -> (Long) death.get("count")).sum();
            counts.add(count);
            if (count < 3) {
                throw new org.springframework.amqp.AmqpRejectAndDontRequeueException("try later");
            }
        });
        template.convertAndSend(exchange, "work", "eventually");
        assertThat(counts.next(4)).containsExactly(0L, 1L, 2L, 3L);
        awaitCounts(work, 0, 1);
        awaitCounts(wait, 0, 0);
        container.stop();
    }

    @Test
    void theTemplateRetriesAConnection() throws Exception {
        try (var proxy = new leveret.clients.TcpProxy()) {
            RabbitTemplate retrying = new RabbitTemplate(newFactory(proxy));
            retrying.setRetryTemplate(new RetryTemplate(RetryPolicy.builder()
                    .maxRetries(100).delay(Duration.ofMillis(50)).build()));
            String queue = queue();
            retrying.convertAndSend("", queue, "1");
            assertThat(takeText(queue)).isEqualTo("1");
            proxy.cut();
            retrying.execute(channel -> channel.queueDeclarePassive(queue));
            retrying.convertAndSend("", queue, "2");
            assertThat(takeText(queue)).isEqualTo("2");
        }
    }
}
