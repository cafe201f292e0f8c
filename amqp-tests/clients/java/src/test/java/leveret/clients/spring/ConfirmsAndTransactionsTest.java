package leveret.clients.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.ShutdownSignalException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import leveret.clients.Broker;
import org.junit.jupiter.api.Test;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.ReturnedMessage;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory.ConfirmType;
import org.springframework.amqp.rabbit.connection.ChannelListener;
import org.springframework.amqp.rabbit.connection.CorrelationData;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.transaction.RabbitTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

class ConfirmsAndTransactionsTest extends SpringTest {

    private RabbitTemplate correlated() {
        CachingConnectionFactory confirming = newFactory();
        confirming.setPublisherConfirmType(ConfirmType.CORRELATED);
        confirming.setPublisherReturns(true);
        RabbitTemplate made = new RabbitTemplate(confirming);
        made.setMandatory(true);
        return made;
    }

    private static CorrelationData.Confirm confirm(CorrelationData data) throws Exception {
        return data.getFuture().get(WAIT_MS, TimeUnit.MILLISECONDS);
    }

    @Test
    void correlatedConfirmsComeForEach() throws Exception {
        RabbitTemplate confirming = correlated();
        String queue = queue();
        List<CorrelationData> sent = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            CorrelationData data = new CorrelationData("id-" + i);
            confirming.convertAndSend("", queue, "m" + i, data);
            sent.add(data);
        }
        for (CorrelationData data : sent) {
            assertThat(confirm(data).ack()).isTrue();
            assertThat(data.getReturned()).isNull();
        }
        awaitCounts(queue, 1_000, 0);
    }

    @Test
    void aReturnedMessageIsThereWhenItsConfirmComes() throws Exception {
        RabbitTemplate confirming = correlated();
        CompletableFuture<ReturnedMessage> callback = new CompletableFuture<>();
        confirming.setReturnsCallback(callback::complete);
        String missing = Broker.unique("missing");
        CorrelationData data = new CorrelationData("lost");
        confirming.convertAndSend("", missing, "nowhere", data);
        assertThat(confirm(data).ack()).isTrue();
        ReturnedMessage returned = data.getReturned();
        assertThat(returned).isNotNull();
        assertThat(returned.getReplyCode()).isEqualTo(312);
        assertThat(returned.getReplyText()).isEqualTo("NO_ROUTE");
        assertThat(returned.getRoutingKey()).isEqualTo(missing);
        assertThat(text(callback.get(WAIT_MS, TimeUnit.MILLISECONDS).getMessage())).isEqualTo("nowhere");
    }

    @Test
    void aFullQueueIsANack() throws Exception {
        RabbitTemplate confirming = correlated();
        String queue = queue(Map.of("x-max-length", 1, "x-overflow", "reject-publish"));
        CorrelationData first = new CorrelationData();
        CorrelationData second = new CorrelationData();
        confirming.convertAndSend("", queue, "fits", first);
        assertThat(confirm(first).ack()).isTrue();
        confirming.convertAndSend("", queue, "does not", second);
        assertThat(confirm(second).ack()).isFalse();
    }

    @Test
    void aMissingExchangeIsANackAndEndsTheChannel() throws Exception {
        RabbitTemplate confirming = correlated();
        CompletableFuture<ShutdownSignalException> ended = new CompletableFuture<>();
        ((CachingConnectionFactory) confirming.getConnectionFactory()).addChannelListener(new ChannelListener() {
            @Override
            public void onCreate(Channel channel, boolean transactional) {}

            @Override
            public void onShutDown(ShutdownSignalException signal) {
                if (!signal.isInitiatedByApplication()) {
                    ended.complete(signal);
                }
            }
        });
        CorrelationData data = new CorrelationData();
        String missing = Broker.unique("missing");
        confirming.convertAndSend(missing, "k", "x", data);
        assertThat(confirm(data).ack()).isFalse();
        assertThat(ended.get(WAIT_MS, TimeUnit.MILLISECONDS))
                .hasMessageContaining("NOT_FOUND - no exchange '" + missing + "'");
        // The next channel is fine.
        CorrelationData next = new CorrelationData();
        confirming.convertAndSend("", queue(), "y", next);
        assertThat(confirm(next).ack()).isTrue();
    }

    @Test
    void simpleConfirmsAreWaitedFor() {
        CachingConnectionFactory simple = newFactory();
        simple.setPublisherConfirmType(ConfirmType.SIMPLE);
        RabbitTemplate confirming = new RabbitTemplate(simple);
        String queue = queue();
        Boolean confirmed = confirming.invoke(operations -> {
            for (int i = 0; i < 100; i++) {
                operations.convertAndSend("", queue, "m" + i);
            }
            return operations.waitForConfirms(WAIT_MS);
        });
        assertThat(confirmed).isTrue();
        awaitCounts(queue, 100, 0);
    }

    @Test
    void returnsWorkWithoutConfirms() throws Exception {
        CachingConnectionFactory returning = newFactory();
        returning.setPublisherReturns(true);
        RabbitTemplate mandatory = new RabbitTemplate(returning);
        mandatory.setMandatory(true);
        CompletableFuture<ReturnedMessage> callback = new CompletableFuture<>();
        mandatory.setReturnsCallback(callback::complete);
        mandatory.convertAndSend("amq.direct", Broker.unique("unbound"), "back");
        ReturnedMessage returned = callback.get(WAIT_MS, TimeUnit.MILLISECONDS);
        assertThat(text(returned.getMessage())).isEqualTo("back");
        assertThat(returned.getExchange()).isEqualTo("amq.direct");
    }

    private TransactionTemplate transactions() {
        template.setChannelTransacted(true);
        return new TransactionTemplate(new RabbitTransactionManager(factory));
    }

    @Test
    void aCommittedTransactionSendsAll() {
        String queue = queue();
        transactions().executeWithoutResult(status -> {
            send(queue, "1", "2");
            assertThat(admin.getQueueInfo(queue).getMessageCount()).isZero();
        });
        assertThat(takeText(queue)).isEqualTo("1");
        assertThat(takeText(queue)).isEqualTo("2");
    }

    @Test
    void aFailedTransactionSendsNothing() {
        String queue = queue();
        TransactionTemplate transactions = transactions();
        assertThatThrownBy(() -> transactions.executeWithoutResult(status -> {
            send(queue, "never");
            throw new IllegalStateException("on purpose");
        })).hasMessage("on purpose");
        send(queue, "later");
        assertThat(takeText(queue)).isEqualTo("later");
        awaitCounts(queue, 0, 0);
    }

    @Test
    void aFailedTransactionGivesReceivedMessagesBack() {
        String queue = queue();
        send(queue, "kept");
        awaitCounts(queue, 1, 0);
        TransactionTemplate transactions = transactions();
        assertThatThrownBy(() -> transactions.executeWithoutResult(status -> {
            assertThat(text(template.receive(queue))).isEqualTo("kept");
            throw new IllegalStateException("on purpose");
        })).hasMessage("on purpose");
        Message again = take(queue);
        assertThat(text(again)).isEqualTo("kept");
        assertThat(again.getMessageProperties().isRedelivered()).isTrue();
    }

    @Test
    void aTransactedListenerForwardsOnceOrNotAtAll() throws Exception {
        String in = queue();
        String out = queue();
        template.setChannelTransacted(true);
        Seen<Boolean> attempts = new Seen<>();
        SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(factory);
        container.setQueueNames(in);
        container.setChannelTransacted(true);
        container.setReceiveTimeout(100);
        container.setMessageListener(message -> {
            template.convertAndSend("", out, "done " + text(message));
            boolean redelivered = message.getMessageProperties().isRedelivered();
            attempts.add(redelivered);
            if (!redelivered) {
                throw new IllegalStateException("the first time fails");
            }
        });
        closeLater(container::destroy);
        container.start();
        new RabbitTemplate(newFactory()).convertAndSend("", in, "work");
        assertThat(attempts.next(2)).containsExactly(false, true);
        assertThat(takeText(out)).isEqualTo("done work");
        container.stop();
        awaitCounts(in, 0, 0);
        awaitCounts(out, 0, 0);
    }
}
