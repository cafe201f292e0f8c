package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class QueueTest extends BrokerTest {

    @Test
    void declareOkCountsMessagesAndConsumers() throws IOException {
        String queue = queue();
        send(queue, "1", "2", "3");
        awaitReady(queue, 3);
        AMQP.Queue.DeclareOk ok = channel.queueDeclarePassive(queue);
        assertThat(ok.getQueue()).isEqualTo(queue);
        assertThat(ok.getMessageCount()).isEqualTo(3);
        assertThat(ok.getConsumerCount()).isZero();
        channel.basicQos(1);
        channel.basicConsume(queue, new Collector(channel));
        Eventually.passes("one taken", () -> {
            AMQP.Queue.DeclareOk now = channel.queueDeclarePassive(queue);
            assertThat(now.getMessageCount()).isEqualTo(2);
            assertThat(now.getConsumerCount()).isEqualTo(1);
        });
        assertThat(channel.consumerCount(queue)).isEqualTo(1);
        assertThat(channel.messageCount(queue)).isEqualTo(2);
    }

    @Test
    void theBrokerMakesUpNames() throws IOException {
        String one = channel.queueDeclare("", false, true, true, null).getQueue();
        String two = channel.queueDeclare("", false, true, true, null).getQueue();
        assertThat(one).matches("amq\\.gen-[A-Za-z0-9_-]{22}");
        assertThat(two).startsWith("amq.gen-").isNotEqualTo(one);
    }

    @Test
    void anEmptyNameMeansTheLastDeclared() throws IOException {
        String queue = queue();
        send(queue, "to the last one");
        channel.queueBind("", "amq.fanout", "");
        channel.queueUnbind("", "amq.fanout", "");
        assertThat(text(take(""))).isEqualTo("to the last one");
    }

    @Test
    void anEmptyNameOnAFreshChannelIsNotFound() {
        channelError(AMQP.NOT_FOUND, "NOT_FOUND - no previously declared queue",
                () -> channel.basicGet("", true));
    }

    @Test
    void reservedNamesAreRefused() {
        String name = "amq." + Broker.unique("q");
        channelError(AMQP.ACCESS_REFUSED,
                "ACCESS_REFUSED - queue name '" + name + "' contains reserved prefix 'amq.*'",
                () -> channel.queueDeclare(name, false, false, false, null));
    }

    @ParameterizedTest
    @CsvSource({"durable, true, false", "auto_delete, false, true"})
    void redeclaringWithOtherFlagsIsRefused(String argument, boolean durable, boolean autoDelete)
            throws IOException {
        String queue = queue();
        channelError(AMQP.PRECONDITION_FAILED,
                "PRECONDITION_FAILED - inequivalent arg '" + argument + "' for queue '" + queue
                        + "' in vhost '" + Broker.vhost() + "': received 'true' but current is 'false'",
                () -> channel.queueDeclare(queue, durable, false, autoDelete, null));
    }

    @ParameterizedTest
    @ValueSource(strings = {"x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-max-priority"})
    void redeclaringWithOtherArgumentsIsRefused(String argument) throws Exception {
        String queue = queue(Map.of(argument, 100_000 % 251));
        channel.queueDeclare(queue, false, false, false, Map.of(argument, (long) (100_000 % 251)));
        channelError(AMQP.PRECONDITION_FAILED, "inequivalent arg '" + argument + "' for queue '" + queue + "'",
                () -> channel.queueDeclare(queue, false, false, false, Map.of(argument, 7)));
        Channel second = connection.createChannel();
        channelError(AMQP.PRECONDITION_FAILED, "received none but current is the value",
                () -> second.queueDeclare(queue, false, false, false, null));
    }

    @Test
    void redeclaringTheSameIsFine() throws IOException {
        Map<String, Object> arguments = new HashMap<>();
        arguments.put("x-message-ttl", 60_000);
        arguments.put("x-dead-letter-exchange", "amq.fanout");
        String queue = queue(arguments);
        channel.queueDeclare(queue, false, false, false, arguments);
        channel.queueDeclare(queue, false, false, false, arguments);
        channel.queueDeclarePassive(queue);
    }

    @Test
    void missingQueuesAreNamed() throws Exception {
        String missing = Broker.unique("missing");
        String text = "NOT_FOUND - no queue '" + missing + "' in vhost '" + Broker.vhost() + "'";
        channelError(AMQP.NOT_FOUND, text, () -> channel.queueDeclarePassive(missing));
        Channel get = connection.createChannel();
        channelError(AMQP.NOT_FOUND, text, () -> get.basicGet(missing, true));
        Channel consume = connection.createChannel();
        channelError(AMQP.NOT_FOUND, text, () -> consume.basicConsume(missing, new Collector(consume)));
        Channel purge = connection.createChannel();
        channelError(AMQP.NOT_FOUND, text, () -> purge.queuePurge(missing));
    }

    @Test
    void deletingAMissingQueueIsFine() throws IOException {
        assertThat(channel.queueDelete(Broker.unique("missing")).getMessageCount()).isZero();
    }

    @Test
    void deleteCountsWhatIsLost() throws IOException {
        String queue = queue();
        send(queue, "1", "2");
        awaitReady(queue, 2);
        assertThat(channel.queueDelete(queue).getMessageCount()).isEqualTo(2);
    }

    @Test
    void deleteIfUnusedSparesAQueueWithAConsumer() throws Exception {
        String queue = queue();
        String tag = channel.basicConsume(queue, new Collector(channel));
        Channel second = connection.createChannel();
        channelError(AMQP.PRECONDITION_FAILED, "queue '" + queue + "' in vhost '" + Broker.vhost() + "' in use",
                () -> second.queueDelete(queue, true, false));
        channel.basicCancel(tag);
        channel.queueDelete(queue, true, false);
        channelError(AMQP.NOT_FOUND, "no queue", () -> channel.queueDeclarePassive(queue));
    }

    @Test
    void deleteIfEmptySparesAQueueWithMessages() throws Exception {
        String queue = queue();
        send(queue, "still here");
        awaitReady(queue, 1);
        Channel second = connection.createChannel();
        channelError(AMQP.PRECONDITION_FAILED,
                "queue '" + queue + "' in vhost '" + Broker.vhost() + "' not empty",
                () -> second.queueDelete(queue, false, true));
        assertThat(takeText(queue)).isEqualTo("still here");
        channel.queueDelete(queue, false, true);
    }

    @Test
    void purgeTakesTheReadyOnes() throws Exception {
        String queue = queue();
        send(queue, "1", "2", "3");
        awaitReady(queue, 3);
        long tag = channel.basicGet(queue, false).getEnvelope().getDeliveryTag();
        assertThat(channel.queuePurge(queue).getMessageCount()).isEqualTo(2);
        assertEmpty(queue);
        channel.basicReject(tag, true);
        assertThat(takeText(queue)).isEqualTo("1");
    }

    @Test
    void getReportsWhatIsLeft() throws IOException {
        String queue = queue();
        send(queue, "1", "2", "3");
        awaitReady(queue, 3);
        assertThat(channel.basicGet(queue, true).getMessageCount()).isEqualTo(2);
        assertThat(channel.basicGet(queue, true).getMessageCount()).isEqualTo(1);
        assertThat(channel.basicGet(queue, true).getMessageCount()).isZero();
        assertThat(channel.basicGet(queue, true)).isNull();
    }

    @Test
    void exclusiveQueuesBelongToTheirConnection() throws Exception {
        String queue = queueName();
        channel.queueDeclare(queue, false, true, false, null);
        // Unbinding checks the owner only where the binding exists.
        channel.queueBind(queue, "amq.direct", queue);
        Channel sameConnection = connection.createChannel();
        sameConnection.queueDeclarePassive(queue);
        sameConnection.basicPublish("", queue, null, bytes("mine"));
        assertThat(text(take(sameConnection, queue))).isEqualTo("mine");

        Connection stranger = another();
        String text = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '" + queue
                + "' in vhost '" + Broker.vhost() + "'";
        for (Attempt attempt : new Attempt[] {
            ch -> ch.queueDeclare(queue, false, true, false, null),
            ch -> ch.queueDeclare(queue, false, false, false, null),
            ch -> ch.queueDeclarePassive(queue),
            ch -> ch.basicGet(queue, true),
            ch -> ch.basicConsume(queue, new Collector(ch)),
            ch -> ch.queuePurge(queue),
            ch -> ch.queueBind(queue, "amq.direct", "k"),
            ch -> ch.queueUnbind(queue, "amq.direct", queue),
            ch -> ch.queueDelete(queue)}) {
            Channel ch = stranger.createChannel();
            channelError(AMQP.RESOURCE_LOCKED, text, () -> attempt.on(ch));
        }
        // Publishing to it is open to all.
        Channel publisher = stranger.createChannel();
        publisher.basicPublish("", queue, null, bytes("from outside"));
        assertThat(takeText(queue)).isEqualTo("from outside");
    }

    @Test
    void theExclusiveFlagIsComparedAsAccess() throws Exception {
        String queue = queueName();
        channel.queueDeclare(queue, false, true, false, null);
        channelError(AMQP.RESOURCE_LOCKED, "the exclusive property value does not match",
                () -> channel.queueDeclare(queue, false, false, false, null));
    }

    @Test
    void exclusiveQueuesEndWithTheirConnection() throws Exception {
        String queue = queueName();
        Connection owner = another();
        Channel own = owner.createChannel();
        own.queueDeclare(queue, true, true, false, null);
        own.close();
        owner.close();
        // Gone before close-ok, so that the next owner never meets it.
        channel.queueDeclare(queue, false, false, false, null);
    }

    @Test
    void autoDeleteGoesWithItsLastConsumer() throws Exception {
        String queue = queueName();
        channel.queueDeclare(queue, false, false, true, null);
        channel.queueDeclarePassive(queue);
        String one = channel.basicConsume(queue, new Collector(channel));
        String two = channel.basicConsume(queue, new Collector(channel));
        channel.basicCancel(one);
        channel.queueDeclarePassive(queue);
        channel.basicCancel(two);
        Channel probe = connection.createChannel();
        channelError(AMQP.NOT_FOUND, "no queue", () -> probe.queueDeclarePassive(queue));
    }

    @Test
    void autoDeleteGoesWithTheChannelOfItsLastConsumer() throws Exception {
        String queue = queueName();
        Channel consuming = connection.createChannel();
        consuming.queueDeclare(queue, false, false, true, null);
        consuming.basicConsume(queue, new Collector(consuming));
        consuming.close();
        Eventually.holds("queue gone", () -> {
            Channel probe = connection.createChannel();
            try {
                probe.queueDeclarePassive(queue);
                probe.close();
                return false;
            } catch (IOException gone) {
                return true;
            }
        });
    }

    @Test
    void durableQueuesAreDeclaredAndKeepPersistentMessages() throws Exception {
        String queue = queueName();
        channel.queueDeclare(queue, true, false, false, null);
        channel.confirmSelect();
        channel.basicPublish("", queue,
                com.rabbitmq.client.MessageProperties.PERSISTENT_TEXT_PLAIN, bytes("kept"));
        assertThat(channel.waitForConfirms(20_000)).isTrue();
        var response = take(queue);
        assertThat(text(response)).isEqualTo("kept");
        assertThat(response.getProps().getDeliveryMode()).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "x-message-ttl|-1|{value_negative,-1}",
        "x-expires|0|{value_zero,0}",
        "x-max-length|-1|{value_negative,-1}",
        "x-max-priority|256|{max_value_exceeded,256}",
    })
    void argumentValuesAreChecked(String argument, long value, String reason) {
        channelError(AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - invalid arg '" + argument + "' for queue",
                () -> channel.queueDeclare(queueName(), false, false, false, Map.of(argument, value)));
        assertThat(channel.getCloseReason().getMessage()).contains(reason);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "x-message-ttl|many",
        "x-expires|soon",
        "x-max-length|long",
        "x-overflow|flood",
        "x-max-priority|urgent",
        "x-queue-mode|sleepy",
        "x-queue-type|stack",
    })
    void argumentTypesAreChecked(String argument, String value) {
        channelError(AMQP.PRECONDITION_FAILED, "'" + argument + "'",
                () -> channel.queueDeclare(queueName(), false, false, false, Map.of(argument, value)));
    }

    @Test
    void manyQueuesComeAndGo() throws Exception {
        for (int i = 0; i < 200; i++) {
            String queue = channel.queueDeclare().getQueue();
            send(queue, "n" + i);
            assertThat(takeText(queue)).isEqualTo("n" + i);
            channel.queueDelete(queue);
        }
    }

    private interface Attempt {
        void on(Channel channel) throws IOException;
    }
}
