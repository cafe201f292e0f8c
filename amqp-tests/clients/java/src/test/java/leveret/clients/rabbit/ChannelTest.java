package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.ShutdownSignalException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import org.junit.jupiter.api.Test;

class ChannelTest extends BrokerTest {

    @Test
    void numbersAreGivenOutOnceAndComeBack() throws Exception {
        Connection other = another();
        Set<Integer> numbers = new HashSet<>();
        List<Channel> channels = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            Channel each = other.createChannel();
            channels.add(each);
            assertThat(numbers.add(each.getChannelNumber())).isTrue();
        }
        assertThat(numbers).hasSize(100).doesNotContain(0);
        channels.get(41).close();
        int freed = channels.get(41).getChannelNumber();
        Channel again = other.createChannel(freed);
        assertThat(again.getChannelNumber()).isEqualTo(freed);
        assertThat(again.queueDeclare().getQueue()).isNotEmpty();
        for (Channel each : channels) {
            if (each.isOpen()) {
                assertThat(each.queueDeclare().getQueue()).isNotEmpty();
                break;
            }
        }
    }

    @Test
    void aTakenNumberIsNotGivenTwice() throws Exception {
        assertThat(connection.createChannel(channel.getChannelNumber())).isNull();
    }

    @Test
    void allChannelsOfTheLimitCanBeOpen() throws Exception {
        Connection other = another();
        int max = other.getChannelMax();
        for (int i = 0; i < max; i++) {
            assertThat(other.createChannel()).isNotNull();
        }
        assertThat(other.createChannel()).isNull();
    }

    @Test
    void aHighNumberIsAsGoodAsALowOne() throws Exception {
        Connection other = another();
        Channel high = other.createChannel(other.getChannelMax());
        assertThat(high.queueDeclare().getQueue()).isNotEmpty();
    }

    @Test
    void aSmallerLimitHolds() throws Exception {
        ConnectionFactory factory = Broker.factory();
        factory.setRequestedChannelMax(3);
        Connection small = closeLater(factory.newConnection());
        for (int i = 0; i < 3; i++) {
            assertThat(small.createChannel()).isNotNull();
        }
        assertThat(small.createChannel()).isNull();
        assertThat(small.openChannel()).isEmpty();
    }

    @Test
    void openAndCloseManyTimes() throws Exception {
        for (int i = 0; i < 1_000; i++) {
            Channel each = connection.createChannel();
            each.close();
            assertThat(each.isOpen()).isFalse();
        }
    }

    @Test
    void closeTellsListenersWhoDidIt() throws Exception {
        CompletableFuture<ShutdownSignalException> seen = new CompletableFuture<>();
        channel.addShutdownListener(seen::complete);
        channel.close(AMQP.REPLY_SUCCESS, "done here");
        ShutdownSignalException signal = seen.get(20, TimeUnit.SECONDS);
        assertThat(signal.isInitiatedByApplication()).isTrue();
        assertThat(signal.isHardError()).isFalse();
        assertThat(signal.getReference()).isSameAs(channel);
        assertThat(connection.isOpen()).isTrue();
        assertThatThrownBy(() -> channel.queueDeclare()).isInstanceOf(AlreadyClosedException.class);
    }

    @Test
    void anErrorClosesOnlyItsOwnChannel() throws Exception {
        Channel bystander = connection.createChannel();
        String queue = Broker.unique("missing");
        channelError(AMQP.NOT_FOUND, "NOT_FOUND - no queue '" + queue + "' in vhost '" + Broker.vhost() + "'",
                () -> channel.queueDeclarePassive(queue));
        AMQP.Channel.Close close = (AMQP.Channel.Close) channel.getCloseReason().getReason();
        // The failing method is named by class and method id: queue.declare.
        assertThat(close.getClassId()).isEqualTo(50);
        assertThat(close.getMethodId()).isEqualTo(10);
        assertThat(bystander.queueDeclare().getQueue()).isNotEmpty();
    }

    @Test
    void theNumberOfAFailedChannelCanBeUsedAgain() throws Exception {
        int number = channel.getChannelNumber();
        channelError(AMQP.NOT_FOUND, "no exchange", () -> channel.exchangeDeclarePassive(Broker.unique("missing")));
        Channel next = Eventually.yields("the number again", () -> connection.createChannel(number));
        assertThat(next.queueDeclare().getQueue()).isNotEmpty();
    }

    @Test
    void framesSentAfterAFatalPublishAreIgnored() throws Exception {
        Channel bystander = connection.createChannel();
        String queue = queue();
        String missing = Broker.unique("missing");
        channel.basicPublish(missing, "", PLAIN, bytes("kills the channel"));
        for (int i = 0; i < 100; i++) {
            try {
                channel.basicPublish("", queue, PLAIN, bytes("too late " + i));
            } catch (AlreadyClosedException e) {
                break;
            }
        }
        awaitChannelError(channel, AMQP.NOT_FOUND, "no exchange '" + missing + "'");
        assertThat(bystander.messageCount(queue)).isZero();
        assertThat(connection.isOpen()).isTrue();
    }

    @Test
    void flowCanOnlyBeOn() throws Exception {
        assertThat(channel.rpc(new AMQP.Channel.Flow.Builder().active(true).build()).getMethod())
                .isInstanceOf(AMQP.Channel.FlowOk.class);
        connectionError(AMQP.NOT_IMPLEMENTED, "NOT_IMPLEMENTED - active=false",
                () -> channel.rpc(new AMQP.Channel.Flow.Builder().active(false).build()));
    }
}
