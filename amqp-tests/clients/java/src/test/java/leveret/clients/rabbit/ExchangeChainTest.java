package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Return;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import leveret.clients.Broker;
import org.junit.jupiter.api.Test;

/** Exchanges behind exchanges: bindings between them, and alternates. */
class ExchangeChainTest extends BrokerTest {

    @Test
    void aBindingBetweenExchangesRoutesOn() throws IOException {
        String source = exchange("topic");
        String middle = exchange("fanout");
        String queue = queue();
        channel.queueBind(queue, middle, "");
        channel.exchangeBind(middle, source, "log.#");
        publish(source, "log.error", "through");
        publish(source, "metric", "not bound");
        channel.exchangeUnbind(middle, source, "log.#");
        publish(source, "log.error", "unbound");
        channel.exchangeUnbind(middle, source, "log.#");
        assertThat(takeText(queue)).isEqualTo("through");
        assertEmpty(queue);
    }

    @Test
    void theKeyStaysTheSameAlongTheChain() throws IOException {
        String source = exchange("fanout");
        String middle = exchange("direct");
        String queue = queue();
        channel.exchangeBind(middle, source, "binding key");
        channel.queueBind(queue, middle, "message key");
        publish(source, "message key", "ok");
        var response = take(queue);
        assertThat(response.getEnvelope().getRoutingKey()).isEqualTo("message key");
        assertThat(response.getEnvelope().getExchange()).isEqualTo(source);
    }

    @Test
    void manyPathsDeliverOneCopy() throws IOException {
        String source = exchange("fanout");
        String left = exchange("fanout");
        String right = exchange("fanout");
        String queue = queue();
        for (String middle : new String[] {left, right}) {
            channel.exchangeBind(middle, source, "");
            channel.queueBind(queue, middle, "");
        }
        channel.queueBind(queue, source, "");
        publish(source, "", "once");
        assertThat(takeText(queue)).isEqualTo("once");
        assertEmpty(queue);
    }

    @Test
    void aCycleEnds() throws IOException {
        String one = exchange("fanout");
        String two = exchange("fanout");
        String queue = queue();
        channel.exchangeBind(one, two, "");
        channel.exchangeBind(two, one, "");
        channel.exchangeBind(one, one, "");
        channel.queueBind(queue, two, "");
        publish(one, "", "once");
        assertThat(takeText(queue)).isEqualTo("once");
        assertEmpty(queue);
    }

    @Test
    void deletingTheDestinationRemovesTheBinding() throws IOException {
        String source = exchangeName();
        channel.exchangeDeclare(source, "fanout", false, true, null);
        String middle = exchange("fanout");
        channel.exchangeBind(middle, source, "");
        channel.exchangeDelete(middle);
        // That was the auto-delete source's last binding.
        channelError(AMQP.NOT_FOUND, "no exchange", () -> channel.exchangeDeclarePassive(source));
    }

    @Test
    void bothExchangesMustExist() throws Exception {
        String here = exchange("fanout");
        String missing = Broker.unique("missing");
        channelError(AMQP.NOT_FOUND, "no exchange '" + missing + "'", () -> channel.exchangeBind(here, missing, ""));
        var second = connection.createChannel();
        channelError(AMQP.NOT_FOUND, "no exchange '" + missing + "'", () -> second.exchangeBind(missing, here, ""));
        var third = connection.createChannel();
        channelError(AMQP.ACCESS_REFUSED, "operation not permitted on the default exchange",
                () -> third.exchangeBind(here, "", "k"));
    }

    @Test
    void theAlternateTakesWhatIsUnroutable() throws IOException {
        String alternate = exchange("fanout");
        String main = exchange("direct", Map.of("alternate-exchange", alternate));
        String rest = queue();
        String known = queue();
        channel.queueBind(rest, alternate, "");
        channel.queueBind(known, main, "known");
        publish(main, "known", "1");
        publish(main, "unknown", "2");
        assertThat(takeText(known)).isEqualTo("1");
        var response = take(rest);
        assertThat(text(response)).isEqualTo("2");
        assertThat(response.getEnvelope().getExchange()).isEqualTo(main);
        assertThat(response.getEnvelope().getRoutingKey()).isEqualTo("unknown");
        assertEmpty(rest);
    }

    @Test
    void alternatesChainAndCyclesEnd() throws IOException {
        String last = exchangeName();
        String first = exchangeName();
        channel.exchangeDeclare(last, "direct", false, false, Map.of("alternate-exchange", first));
        channel.exchangeDeclare(first, "direct", false, false, Map.of("alternate-exchange", last));
        String queue = queue();
        channel.queueBind(queue, last, "k");
        publish(first, "k", "by the alternate");
        publish(first, "nowhere", "cycle");
        assertThat(takeText(queue)).isEqualTo("by the alternate");
        assertEmpty(queue);
    }

    @Test
    void aMessageTheAlternateRoutedIsNotReturned() throws Exception {
        CompletableFuture<Return> returned = new CompletableFuture<>();
        channel.addReturnListener(returned::complete);
        String alternate = exchange("fanout");
        String main = exchange("direct", Map.of("alternate-exchange", alternate));
        String queue = queue();
        channel.queueBind(queue, alternate, "");
        channel.basicPublish(main, "k", true, PLAIN, bytes("kept"));
        assertThat(takeText(queue)).isEqualTo("kept");
        assertThat(returned).isNotDone();
        channel.queueUnbind(queue, alternate, "");
        channel.basicPublish(main, "k", true, PLAIN, bytes("returned"));
        Return back = returned.get(20, TimeUnit.SECONDS);
        assertThat(back.getReplyCode()).isEqualTo(AMQP.NO_ROUTE);
        assertThat(back.getExchange()).isEqualTo(main);
    }

    @Test
    void aMissingAlternateLosesTheMessage() throws Exception {
        String main = exchange("direct", Map.of("alternate-exchange", Broker.unique("missing")));
        channel.confirmSelect();
        publish(main, "k", "lost");
        assertThat(channel.waitForConfirms(20_000)).isTrue();
    }
}
