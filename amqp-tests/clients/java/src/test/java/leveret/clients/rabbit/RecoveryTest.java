package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoverableConnection;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.impl.recovery.AutorecoveringConnection;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import leveret.clients.TcpProxy;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The client's own recovery of connection and topology, when the network between is cut. */
class RecoveryTest extends BrokerTest {

    private TcpProxy proxy;
    private RecoverableConnection recovering;
    private Channel ch;
    private final AtomicInteger recoveries = new AtomicInteger();

    @BeforeEach
    void throughTheProxy() throws Exception {
        proxy = new TcpProxy();
        ConnectionFactory factory = Broker.factory();
        factory.setHost(proxy.host());
        factory.setPort(proxy.port());
        factory.setAutomaticRecoveryEnabled(true);
        factory.setNetworkRecoveryInterval(50);
        recovering = (RecoverableConnection) factory.newConnection("recovering");
        recovering.addRecoveryListener(new RecoveryListener() {
            @Override
            public void handleRecovery(Recoverable recoverable) {
                recoveries.incrementAndGet();
            }

            @Override
            public void handleRecoveryStarted(Recoverable recoverable) {}
        });
        ch = recovering.createChannel();
    }

    @AfterEach
    void closeProxy() throws Exception {
        recovering.abort(5_000);
        proxy.close();
    }

    private void cutAndRecover() {
        int before = recoveries.get();
        proxy.cut();
        Eventually.holds("recovered", () -> recoveries.get() > before && recovering.isOpen());
    }

    @Test
    void connectionAndChannelsComeBack() throws Exception {
        int number = ch.getChannelNumber();
        Channel second = recovering.createChannel();
        cutAndRecover();
        assertThat(proxy.accepted()).isEqualTo(2);
        assertThat(ch.isOpen()).isTrue();
        assertThat(ch.getChannelNumber()).isEqualTo(number);
        assertThat(ch.queueDeclare().getQueue()).isNotEmpty();
        assertThat(second.queueDeclare().getQueue()).isNotEmpty();
    }

    @Test
    void exclusiveQueuesBindingsAndConsumersComeBack() throws Exception {
        String exchange = Broker.unique("x");
        ch.exchangeDeclare(exchange, "topic", false, true, null);
        String queue = Broker.unique("q");
        ch.queueDeclare(queue, false, true, false, null);
        ch.queueBind(queue, exchange, "a.#");
        Collector consumer = new Collector(ch);
        String tag = ch.basicConsume(queue, true, consumer);
        cutAndRecover();
        ch.basicPublish(exchange, "a.b", null, bytes("after"));
        Delivery delivery = consumer.next();
        assertThat(Collector.text(delivery)).isEqualTo("after");
        assertThat(consumer.getConsumerTag()).isEqualTo(tag);
    }

    @Test
    void serverNamedQueuesGetANewName() throws Exception {
        String before = ch.queueDeclare().getQueue();
        var renamed = new ConcurrentHashMap<String, String>();
        ((AutorecoveringConnection) recovering).addQueueRecoveryListener(renamed::put);
        Collector consumer = new Collector(ch);
        ch.basicConsume(before, true, consumer);
        ch.queueBind(before, "amq.direct", before);
        cutAndRecover();
        String after = renamed.get(before);
        assertThat(after).startsWith("amq.gen-").isNotEqualTo(before);
        ch.basicPublish("amq.direct", before, null, bytes("by the old binding"));
        assertThat(consumer.nextText()).isEqualTo("by the old binding");
    }

    @Test
    void exchangeBindingsComeBack() throws Exception {
        String source = Broker.unique("x");
        String target = Broker.unique("x");
        ch.exchangeDeclare(target, "fanout", false, true, null);
        ch.exchangeDeclare(source, "fanout", false, true, null);
        ch.exchangeBind(target, source, "");
        String queue = ch.queueDeclare(Broker.unique("q"), false, true, false, null).getQueue();
        ch.queueBind(queue, target, "");
        Collector consumer = new Collector(ch);
        ch.basicConsume(queue, true, consumer);
        cutAndRecover();
        ch.basicPublish(source, "", null, bytes("through both"));
        assertThat(consumer.nextText()).isEqualTo("through both");
    }

    @Test
    void unackedMessagesAreRedelivered() throws Exception {
        String queue = queue();
        ch.basicQos(10);
        Collector consumer = new Collector(ch);
        ch.basicConsume(queue, consumer);
        send(queue, "1", "2");
        List<Delivery> before = consumer.next(2);
        cutAndRecover();
        List<Delivery> again = consumer.next(2);
        assertThat(again.stream().map(Collector::text)).containsExactly("1", "2");
        assertThat(again).allMatch(d -> d.getEnvelope().isRedeliver());
        // The client drops acks of deliveries from before the cut by itself.
        ch.basicAck(Collector.tag(before.get(1)), true);
        ch.basicAck(Collector.tag(again.get(1)), true);
        ch.close();
        assertEmpty(queue);
    }

    @Test
    void prefetchConfirmAndTxModesComeBack() throws Exception {
        String queue = queue();
        ch.basicQos(1);
        ch.confirmSelect();
        Channel tx = recovering.createChannel();
        tx.txSelect();
        cutAndRecover();
        ch.basicPublish("", queue, null, bytes("1"));
        ch.basicPublish("", queue, null, bytes("2"));
        assertThat(ch.waitForConfirms(20_000)).isTrue();
        Collector consumer = new Collector(ch);
        ch.basicConsume(queue, consumer);
        consumer.next();
        awaitReady(queue, 1);
        tx.basicPublish("", queue, null, bytes("3"));
        tx.txCommit();
        awaitReady(queue, 2);
    }

    @Test
    void severalCutsInARow() throws Exception {
        String queue = ch.queueDeclare(Broker.unique("q"), false, true, false, null).getQueue();
        Collector consumer = new Collector(ch);
        ch.basicConsume(queue, true, consumer);
        for (int i = 0; i < 5; i++) {
            cutAndRecover();
            ch.basicPublish("", queue, null, bytes("round " + i));
            assertThat(consumer.nextText()).isEqualTo("round " + i);
        }
    }

    @Test
    void recoveryWaitsForTheNetwork() throws Exception {
        String queue = ch.queueDeclare(Broker.unique("q"), false, true, false, null).getQueue();
        proxy.refuse(true);
        proxy.cut();
        Eventually.holds("connection noticed", () -> !recovering.isOpen());
        proxy.refuse(false);
        Eventually.holds("recovered", () -> recoveries.get() == 1);
        assertThat(ch.queueDeclarePassive(queue).getMessageCount()).isZero();
    }

    @Test
    void theBrokerDropsWhatTheLostConnectionOwned() throws Exception {
        String exclusive = Broker.unique("q");
        String shared = queue();
        recovering.createChannel().queueDeclare(exclusive, false, true, false, null);
        ch.basicConsume(shared, new Collector(ch));
        proxy.refuse(true);
        proxy.cut();
        Eventually.holds("consumer of the lost connection gone", () -> channel.consumerCount(shared) == 0);
        Eventually.holds("exclusive queue of the lost connection gone", () -> {
            Channel probe = connection.createChannel();
            try {
                probe.queueDeclarePassive(exclusive);
                probe.close();
                return false;
            } catch (IOException e) {
                AMQP.Channel.Close close = (AMQP.Channel.Close) probe.getCloseReason().getReason();
                return close.getReplyCode() == AMQP.NOT_FOUND;
            }
        });
    }

    @Test
    void publishersAndConsumersSurviveManyCuts() throws Exception {
        String queue = queueName();
        channel.queueDeclare(queue, true, false, false, null);
        int count = 300;
        var seen = new ConcurrentHashMap<String, Boolean>();
        CountDownLatch all = new CountDownLatch(count);
        ch.basicQos(20);
        ch.basicConsume(queue, false, (tag, message) -> {
            if (seen.putIfAbsent(new String(message.getBody()), true) == null) {
                all.countDown();
            }
            try {
                ch.basicAck(message.getEnvelope().getDeliveryTag(), false);
            } catch (IOException | com.rabbitmq.client.AlreadyClosedException e) {
                // Cut in between: it will be redelivered.
            }
        }, tag -> {});
        channel.confirmSelect();
        for (int i = 0; i < count; i++) {
            channel.basicPublish("", queue, new AMQP.BasicProperties.Builder().deliveryMode(2).build(), bytes("m" + i));
            if (i % 100 == 50) {
                cutAndRecover();
            }
        }
        channel.waitForConfirmsOrDie(20_000);
        assertThat(all.await(30, TimeUnit.SECONDS)).as("%s missing", all.getCount()).isTrue();
    }
}
