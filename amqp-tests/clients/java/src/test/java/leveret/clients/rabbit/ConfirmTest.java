package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.Return;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import leveret.clients.Eventually;
import org.junit.jupiter.api.Test;

class ConfirmTest extends BrokerTest {

    @Test
    void sequenceNumbersStartAtOne() throws Exception {
        assertThat(channel.getNextPublishSeqNo()).isZero();
        channel.confirmSelect();
        assertThat(channel.getNextPublishSeqNo()).isEqualTo(1);
        channel.confirmSelect();
        send(queue(), "1", "2");
        assertThat(channel.getNextPublishSeqNo()).isEqualTo(3);
        assertThat(channel.waitForConfirms(20_000)).isTrue();
    }

    @Test
    void waitingOneByOneWorks() throws Exception {
        String queue = queue();
        channel.confirmSelect();
        for (int i = 0; i < 100; i++) {
            send(queue, "m" + i);
            assertThat(channel.waitForConfirms(20_000)).isTrue();
        }
        assertThat(channel.messageCount(queue)).isEqualTo(100);
    }

    @Test
    void thousandsInFlightAreAllConfirmedOnce() throws Exception {
        int count = 20_000;
        String queue = queue();
        var open = new ConcurrentSkipListSet<Long>();
        List<String> problems = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch all = new CountDownLatch(count);
        channel.confirmSelect();
        channel.addConfirmListener((tag, multiple) -> {
            var settled = multiple ? new TreeSet<>(open.headSet(tag, true)) : new TreeSet<>(List.of(tag));
            for (long each : settled) {
                if (open.remove(each)) {
                    all.countDown();
                } else {
                    problems.add("confirmed twice or never sent: " + each);
                }
            }
        }, (tag, multiple) -> problems.add("nack " + tag));
        for (int i = 0; i < count; i++) {
            open.add(channel.getNextPublishSeqNo());
            channel.basicPublish("", queue, null, bytes("m" + i));
        }
        assertThat(all.await(30, TimeUnit.SECONDS)).as("%s unconfirmed", open.size()).isTrue();
        assertThat(problems).isEmpty();
        assertThat(channel.messageCount(queue)).isEqualTo(count);
    }

    @Test
    void persistentMessagesToDurableQueuesAreConfirmed() throws Exception {
        String queue = queueName();
        channel.queueDeclare(queue, true, false, false, null);
        channel.confirmSelect();
        for (int i = 0; i < 2_000; i++) {
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, bytes("m" + i));
        }
        channel.waitForConfirmsOrDie(30_000);
        assertThat(channel.messageCount(queue)).isEqualTo(2_000);
    }

    @Test
    void aFanOutIsConfirmedOnce() throws Exception {
        String exchange = exchange("fanout");
        List<String> queues = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            String queue = queueName();
            channel.queueDeclare(queue, i % 2 == 0, false, false, null);
            channel.queueBind(queue, exchange, "");
            queues.add(queue);
        }
        channel.confirmSelect();
        for (int i = 0; i < 500; i++) {
            channel.basicPublish(exchange, "", MessageProperties.PERSISTENT_BASIC, bytes("m" + i));
        }
        channel.waitForConfirmsOrDie(30_000);
        for (String queue : queues) {
            assertThat(channel.messageCount(queue)).isEqualTo(500);
        }
    }

    @Test
    void unroutableMessagesAreConfirmed() throws Exception {
        String exchange = exchange("direct");
        channel.confirmSelect();
        for (int i = 0; i < 100; i++) {
            publish(exchange, "nowhere", "m" + i);
        }
        channel.waitForConfirmsOrDie(20_000);
    }

    @Test
    void aReturnComesBeforeItsConfirm() throws Exception {
        List<String> events = Collections.synchronizedList(new ArrayList<>());
        String queue = queue();
        channel.confirmSelect();
        channel.addReturnListener(r -> events.add("return " + new String(r.getBody())));
        CountDownLatch acked = new CountDownLatch(1);
        channel.addConfirmListener((tag, multiple) -> {
            events.add("ack " + tag);
            if (tag == 3) {
                acked.countDown();
            }
        }, (tag, multiple) -> events.add("nack " + tag));
        channel.basicPublish("", queue, true, null, bytes("1"));
        channel.basicPublish("", leveret.clients.Broker.unique("missing"), true, null, bytes("2"));
        channel.waitForConfirms(20_000);
        channel.basicPublish("", queue, true, null, bytes("3"));
        assertThat(acked.await(20, TimeUnit.SECONDS)).isTrue();
        assertThat(events.indexOf("return 2")).isNotNegative().isLessThan(events.indexOf("ack 2"));
        assertThat(events.stream().filter(e -> e.startsWith("return"))).hasSize(1);
    }

    @Test
    void consumersDoNotDelayConfirms() throws Exception {
        String queue = queue();
        Collector consumer = new Collector(channel);
        channel.basicQos(1);
        channel.basicConsume(queue, consumer);
        channel.confirmSelect();
        send(queue, "1", "2", "3");
        assertThat(channel.waitForConfirms(20_000)).isTrue();
        assertThat(consumer.nextText()).isEqualTo("1");
    }

    @Test
    void aFullQueueNacksAndOtherQueuesKeepTheirCopy() throws Exception {
        String exchange = exchange("fanout");
        String full = queue(Map.of("x-max-length", 1, "x-overflow", "reject-publish"));
        String roomy = queue();
        channel.queueBind(full, exchange, "");
        channel.queueBind(roomy, exchange, "");
        channel.confirmSelect();
        publish(exchange, "", "1");
        assertThat(channel.waitForConfirms(20_000)).isTrue();
        publish(exchange, "", "2");
        assertThat(channel.waitForConfirms(20_000)).isFalse();
        awaitReady(roomy, 2);
        assertThat(channel.messageCount(full)).isEqualTo(1);
    }

    @Test
    void deletingTheQueueStillConfirms() throws Exception {
        String queue = queueName();
        channel.queueDeclare(queue, true, false, false, null);
        channel.confirmSelect();
        for (int i = 0; i < 200; i++) {
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, bytes("m" + i));
        }
        connection.createChannel().queueDelete(queue);
        for (int i = 0; i < 200; i++) {
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, bytes("n" + i));
        }
        assertThat(channel.waitForConfirms(30_000)).isTrue();
    }

    @Test
    void confirmAndTransactionExcludeEachOther() throws Exception {
        channel.confirmSelect();
        channelError(AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - cannot switch from confirm to tx mode",
                () -> channel.txSelect());
        Channel second = connection.createChannel();
        second.txSelect();
        channelError(AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - cannot switch from tx to confirm mode",
                () -> second.confirmSelect());
    }

    @Test
    void returnsCarryTheMessage() throws Exception {
        CompletableFuture<Return> returned = new CompletableFuture<>();
        channel.addReturnListener(returned::complete);
        String exchange = exchange("direct");
        var properties = MessageProperties.TEXT_PLAIN.builder().messageId("id-1").headers(Map.of("h", 1)).build();
        channel.basicPublish(exchange, "nowhere", true, properties, bytes("come back"));
        Return back = returned.get(20, TimeUnit.SECONDS);
        assertThat(back.getReplyCode()).isEqualTo(312);
        assertThat(back.getReplyText()).isEqualTo("NO_ROUTE");
        assertThat(back.getExchange()).isEqualTo(exchange);
        assertThat(back.getRoutingKey()).isEqualTo("nowhere");
        assertThat(back.getProperties()).isEqualTo(properties);
        assertThat(back.getBody()).isEqualTo(bytes("come back"));
    }

    @Test
    void routedMandatoryMessagesAreNotReturned() throws Exception {
        CompletableFuture<Return> returned = new CompletableFuture<>();
        channel.addReturnListener(returned::complete);
        String queue = queue();
        channel.basicPublish("", queue, true, null, bytes("routed"));
        assertThat(takeText(queue)).isEqualTo("routed");
        assertThat(returned).isNotDone();
    }

    @Test
    void immediateIsNotImplemented() throws Exception {
        channel.basicPublish("", queue(), false, true, null, bytes("now"));
        awaitConnectionError(connection, AMQP.NOT_IMPLEMENTED, "NOT_IMPLEMENTED - immediate=true");
        Eventually.holds("closed", () -> !channel.isOpen());
    }
}
