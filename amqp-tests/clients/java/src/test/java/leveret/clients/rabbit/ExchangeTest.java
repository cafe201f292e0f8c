package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import java.io.IOException;
import java.util.Map;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExchangeTest extends BrokerTest {

    // The two left out are plugins or versions that RabbitMQ 3.10 does not come with.
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = {"MODULUS_HASH", "LOCAL_RANDOM"})
    void everyTypeIsDeclaredAndRedeclared(BuiltinExchangeType type) throws IOException {
        String name = exchangeName();
        channel.exchangeDeclare(name, type, true);
        channel.exchangeDeclare(name, type, true);
        channel.exchangeDeclarePassive(name);
    }

    @ParameterizedTest
    @ValueSource(strings = {"amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"})
    void predeclaredExchangesExist(String name) throws IOException {
        channel.exchangeDeclarePassive(name);
    }

    @ParameterizedTest
    @ValueSource(strings = {"type", "durable", "auto_delete", "internal"})
    void redeclaringOtherwiseIsRefused(String argument) throws IOException {
        String name = exchangeName();
        channel.exchangeDeclare(name, "direct", false, false, false, null);
        String received = switch (argument) {
            case "type" -> "received 'fanout' but current is 'direct'";
            default -> "received 'true' but current is 'false'";
        };
        channelError(AMQP.PRECONDITION_FAILED,
                "PRECONDITION_FAILED - inequivalent arg '" + argument + "' for exchange '" + name
                        + "' in vhost '" + Broker.vhost() + "': " + received,
                () -> channel.exchangeDeclare(name, argument.equals("type") ? "fanout" : "direct",
                        argument.equals("durable"), argument.equals("auto_delete"),
                        argument.equals("internal"), null));
    }

    @Test
    void anotherAlternateExchangeIsRefused() throws IOException {
        String name = exchange("direct", Map.of("alternate-exchange", "amq.fanout"));
        channelError(AMQP.PRECONDITION_FAILED, "inequivalent arg 'alternate-exchange'",
                () -> channel.exchangeDeclare(name, "direct", false, false,
                        Map.of("alternate-exchange", "amq.direct")));
    }

    @Test
    void unknownArgumentsAreNotCompared() throws IOException {
        String name = exchange("direct", Map.of("colour", "blue"));
        channel.exchangeDeclare(name, "direct", false, false, Map.of("colour", "red"));
    }

    @Test
    void anUnknownTypeClosesTheConnection() {
        connectionError(AMQP.COMMAND_INVALID, "COMMAND_INVALID - unknown exchange type 'x-nonsense'",
                () -> channel.exchangeDeclare(exchangeName(), "x-nonsense"));
    }

    @Test
    void reservedNamesAreRefused() {
        channelError(AMQP.ACCESS_REFUSED, "contains reserved prefix 'amq.*'",
                () -> channel.exchangeDeclare("amq." + Broker.unique("x"), "direct"));
    }

    @Test
    void predeclaredExchangesCannotBeDeleted() {
        channelError(AMQP.ACCESS_REFUSED, "deletion of system exchange 'amq.direct'",
                () -> channel.exchangeDelete("amq.direct"));
    }

    @Test
    void theDefaultExchangeCannotBeTouched() throws Exception {
        String queue = queue();
        channelError(AMQP.ACCESS_REFUSED, "operation not permitted on the default exchange",
                () -> channel.exchangeDelete(""));
        Channel second = connection.createChannel();
        channelError(AMQP.ACCESS_REFUSED, "operation not permitted on the default exchange",
                () -> second.queueBind(queue, "", "key"));
        Channel third = connection.createChannel();
        channelError(AMQP.ACCESS_REFUSED, "operation not permitted on the default exchange",
                () -> third.queueUnbind(queue, "", queue));
    }

    @Test
    void theDefaultExchangeRoutesToEveryQueueByName() throws IOException {
        String queue = queue();
        send(queue, "by name");
        assertThat(takeText(queue)).isEqualTo("by name");
    }

    @Test
    void missingExchangesAreNamed() throws Exception {
        String missing = Broker.unique("missing");
        channelError(AMQP.NOT_FOUND, "NOT_FOUND - no exchange '" + missing + "' in vhost",
                () -> channel.exchangeDeclarePassive(missing));
        Channel second = connection.createChannel();
        second.basicPublish(missing, "k", null, bytes("lost"));
        awaitChannelError(second, AMQP.NOT_FOUND, "NOT_FOUND - no exchange '" + missing + "' in vhost");
    }

    @Test
    void deletingAMissingExchangeIsFine() {
        assertThatCode(() -> channel.exchangeDelete(Broker.unique("missing"))).doesNotThrowAnyException();
    }

    @Test
    void deleteIfUnusedSparesABoundExchange() throws Exception {
        String name = exchange("fanout");
        String queue = queue();
        channel.queueBind(queue, name, "");
        Channel second = connection.createChannel();
        channelError(AMQP.PRECONDITION_FAILED, "exchange '" + name + "' in vhost '" + Broker.vhost() + "' in use",
                () -> second.exchangeDelete(name, true));
        channel.queueUnbind(queue, name, "");
        channel.exchangeDelete(name, true);
        channelError(AMQP.NOT_FOUND, "no exchange", () -> channel.exchangeDeclarePassive(name));
    }

    @Test
    void autoDeleteGoesWithItsLastBinding() throws Exception {
        String name = exchangeName();
        channel.exchangeDeclare(name, "direct", false, true, null);
        String queue = queue();
        channel.queueBind(queue, name, "a");
        channel.queueBind(queue, name, "b");
        channel.queueUnbind(queue, name, "a");
        channel.exchangeDeclarePassive(name);
        channel.queueUnbind(queue, name, "b");
        channelError(AMQP.NOT_FOUND, "no exchange", () -> channel.exchangeDeclarePassive(name));
    }

    @Test
    void autoDeleteGoesWithItsLastQueue() throws Exception {
        String name = exchangeName();
        channel.exchangeDeclare(name, "fanout", false, true, null);
        String queue = queue();
        channel.queueBind(queue, name, "");
        channel.queueDelete(queue);
        channelError(AMQP.NOT_FOUND, "no exchange", () -> channel.exchangeDeclarePassive(name));
    }

    @Test
    void anUnusedAutoDeleteExchangeStays() throws IOException {
        String name = exchangeName();
        channel.exchangeDeclare(name, "direct", false, true, null);
        channel.exchangeDeclarePassive(name);
    }

    @Test
    void internalExchangesTakeNoPublishes() throws IOException {
        String name = exchangeName();
        channel.exchangeDeclare(name, "fanout", false, false, true, null);
        publish(name, "", "not for clients");
        awaitChannelError(channel, AMQP.ACCESS_REFUSED,
                "ACCESS_REFUSED - cannot publish to internal exchange '" + name + "'");
    }

    @Test
    void directRoutesByExactKey() throws IOException {
        String name = exchange("direct");
        String red = queue();
        String blue = queue();
        channel.queueBind(red, name, "red");
        channel.queueBind(blue, name, "blue");
        channel.queueBind(blue, name, "red");
        publish(name, "red", "r");
        publish(name, "blue", "b");
        publish(name, "green", "g");
        assertThat(takeText(red)).isEqualTo("r");
        assertThat(takeTexts(blue, 2)).containsExactly("r", "b");
        assertEmpty(red);
        assertEmpty(blue);
    }

    @Test
    void fanoutIgnoresTheKey() throws IOException {
        String name = exchange("fanout");
        String first = queue();
        String second = queue();
        channel.queueBind(first, name, "whatever");
        channel.queueBind(second, name, "");
        publish(name, "other", "all");
        assertThat(takeText(first)).isEqualTo("all");
        assertThat(takeText(second)).isEqualTo("all");
    }

    @Test
    void twoBindingsDeliverOneCopy() throws IOException {
        String name = exchange("topic");
        String queue = queue();
        channel.queueBind(queue, name, "a.*");
        channel.queueBind(queue, name, "#");
        publish(name, "a.b", "once");
        assertThat(takeText(queue)).isEqualTo("once");
        assertEmpty(queue);
    }

    @Test
    void unbindStopsRoutingAndIsIdempotent() throws IOException {
        String name = exchange("direct");
        String queue = queue();
        channel.queueBind(queue, name, "k");
        channel.queueBind(queue, name, "k");
        publish(name, "k", "bound");
        channel.queueUnbind(queue, name, "k");
        publish(name, "k", "unbound");
        channel.queueUnbind(queue, name, "k");
        assertThat(takeText(queue)).isEqualTo("bound");
        assertEmpty(queue);
    }

    @Test
    void bindNeedsBothEnds() throws Exception {
        String missing = Broker.unique("missing");
        String queue = queue();
        channelError(AMQP.NOT_FOUND, "no exchange '" + missing + "'", () -> channel.queueBind(queue, missing, ""));
        Channel second = connection.createChannel();
        channelError(AMQP.NOT_FOUND, "no queue '" + missing + "'",
                () -> second.queueBind(missing, "amq.fanout", ""));
    }

    @Test
    void publishesStopWhenTheExchangeIsGone() throws Exception {
        String name = exchange("fanout");
        channel.exchangeDelete(name);
        publish(name, "", "late");
        awaitChannelError(channel, AMQP.NOT_FOUND, "no exchange '" + name + "'");
        Eventually.holds("connection alive", () -> connection.isOpen());
    }
}
