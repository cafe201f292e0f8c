package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import java.util.Arrays;
import java.util.Random;
import leveret.clients.Broker;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The client's three ways of driving a socket cut the stream into pieces differently. */
class TransportTest extends BrokerTest {

    enum Transport { BLOCKING, NIO, NETTY }

    private Connection open(Transport transport) throws Exception {
        ConnectionFactory factory = Broker.factory();
        switch (transport) {
            case BLOCKING -> factory.useBlockingIo();
            case NIO -> factory.useNio();
            case NETTY -> factory.netty();
        }
        return closeLater(factory.newConnection());
    }

    @ParameterizedTest
    @EnumSource(Transport.class)
    void smallAndLargeMessagesGoRound(Transport transport) throws Exception {
        Channel own = open(transport).createChannel();
        String queue = own.queueDeclare().getQueue();
        Collector consumer = new Collector(own);
        own.basicConsume(queue, true, consumer);
        own.confirmSelect();
        byte[] large = new byte[2_000_000];
        new Random(3).nextBytes(large);
        for (int i = 0; i < 2_000; i++) {
            own.basicPublish("", queue, null, bytes("m" + i));
        }
        own.basicPublish("", queue, null, large);
        own.waitForConfirmsOrDie(30_000);
        for (int i = 0; i < 2_000; i++) {
            assertThat(consumer.nextText()).isEqualTo("m" + i);
        }
        Delivery last = consumer.next();
        assertThat(Arrays.equals(last.getBody(), large)).isTrue();
    }

    @ParameterizedTest
    @EnumSource(Transport.class)
    void errorsAndClosesAreUnderstood(Transport transport) throws Exception {
        Connection own = open(transport);
        String missing = Broker.unique("missing");
        Channel failing = own.createChannel();
        channelError(404, "no queue '" + missing + "'", () -> failing.queueDeclarePassive(missing));
        own.createChannel().queueDeclare();
        own.close();
        assertThat(own.isOpen()).isFalse();
    }
}
