package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Delivery;
import java.util.ArrayList;
import java.util.List;
import leveret.clients.Eventually;
import org.junit.jupiter.api.Test;

class QosTest extends BrokerTest {

    private String filled(int count) throws Exception {
        String queue = queue();
        for (int i = 1; i <= count; i++) {
            send(queue, "m" + i);
        }
        awaitReady(queue, count);
        return queue;
    }

    @Test
    void theLimitHoldsAndAcksMakeRoom() throws Exception {
        String queue = filled(10);
        channel.basicQos(3);
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, consumer);
        List<Delivery> first = consumer.next(3);
        awaitReady(queue, 7);
        consumer.assertNothingMore();
        channel.basicAck(Collector.tag(first.get(1)), true);
        assertThat(consumer.nextTexts(2)).containsExactly("m4", "m5");
        awaitReady(queue, 5);
        consumer.assertNothingMore();
    }

    @Test
    void rejectsAndNacksMakeRoomToo() throws Exception {
        String queue = filled(3);
        channel.basicQos(1);
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, consumer);
        channel.basicReject(Collector.tag(consumer.next()), false);
        channel.basicNack(Collector.tag(consumer.next()), false, false);
        assertThat(consumer.nextText()).isEqualTo("m3");
    }

    @Test
    void zeroMeansNoLimit() throws Exception {
        String queue = filled(500);
        channel.basicQos(0);
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, consumer);
        assertThat(consumer.next(500)).hasSize(500);
    }

    @Test
    void autoAckIgnoresTheLimit() throws Exception {
        String queue = filled(20);
        channel.basicQos(1);
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, true, consumer);
        assertThat(consumer.next(20)).hasSize(20);
    }

    @Test
    void eachConsumerHasItsOwnLimit() throws Exception {
        String queue = filled(10);
        channel.basicQos(2);
        Collector one = new Collector(channel);
        Collector two = new Collector(channel);
        channel.basicConsume(queue, one);
        channel.basicConsume(queue, two);
        one.next(2);
        two.next(2);
        awaitReady(queue, 6);
        one.assertNothingMore();
        two.assertNothingMore();
    }

    @Test
    void aGlobalLimitIsShared() throws Exception {
        String queue = filled(10);
        channel.basicQos(3, true);
        Collector one = new Collector(channel);
        Collector two = new Collector(channel);
        channel.basicConsume(queue, one);
        channel.basicConsume(queue, two);
        awaitReady(queue, 7);
        Eventually.passes("three delivered", () -> assertThat(one.waiting() + two.waiting()).isEqualTo(3));
        // A round trip on the same channel lets anything surplus arrive first.
        channel.basicQos(3, true);
        assertThat(one.waiting() + two.waiting()).isEqualTo(3);
    }

    @Test
    void aReachedGlobalLimitAlsoHoldsAutoAckConsumers() throws Exception {
        String queue = filled(1);
        String other = filled(3);
        channel.basicQos(1, true);
        Collector limited = new Collector(channel);
        Collector free = new Collector(channel);
        channel.basicConsume(queue, limited);
        Delivery held = limited.next();
        channel.basicConsume(other, true, free);
        awaitReady(other, 3);
        assertThat(free.waiting()).isZero();
        channel.basicAck(Collector.tag(held), false);
        assertThat(free.nextTexts(3)).containsExactly("m1", "m2", "m3");
    }

    @Test
    void raisingTheGlobalLimitDeliversAtOnce() throws Exception {
        String queue = filled(10);
        channel.basicQos(1, true);
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, consumer);
        consumer.next();
        awaitReady(queue, 9);
        channel.basicQos(4, true);
        assertThat(consumer.next(3)).hasSize(3);
        awaitReady(queue, 6);
    }

    @Test
    void bothLimitsHoldTogether() throws Exception {
        String queue = filled(20);
        channel.basicQos(5, false);
        channel.basicQos(7, true);
        Collector one = new Collector(channel);
        Collector two = new Collector(channel);
        channel.basicConsume(queue, one);
        channel.basicConsume(queue, two);
        awaitReady(queue, 13);
        Eventually.passes("seven delivered", () -> assertThat(one.waiting() + two.waiting()).isEqualTo(7));
        assertThat(one.waiting()).isLessThanOrEqualTo(5);
        assertThat(two.waiting()).isLessThanOrEqualTo(5);
    }

    @Test
    void aLaterLimitPerConsumerLiftsTheGlobalOne() throws Exception {
        String queue = filled(20);
        channel.basicQos(7, true);
        channel.basicQos(5, false);
        Collector one = new Collector(channel);
        Collector two = new Collector(channel);
        channel.basicConsume(queue, one);
        channel.basicConsume(queue, two);
        one.next(5);
        two.next(5);
        awaitReady(queue, 10);
    }

    @Test
    void aBusyConsumerLeavesWorkToTheOthers() throws Exception {
        String queue = queue();
        channel.basicQos(1);
        Collector slow = new Collector(channel);
        Collector fast = new Collector(channel);
        channel.basicConsume(queue, slow);
        send(queue, "stuck");
        slow.next();
        channel.basicConsume(queue, fast);
        List<String> done = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            send(queue, "m" + i);
        }
        for (int i = 0; i < 20; i++) {
            Delivery delivery = fast.next();
            done.add(Collector.text(delivery));
            channel.basicAck(Collector.tag(delivery), false);
        }
        assertThat(done).hasSize(20);
        assertThat(slow.waiting()).isZero();
    }

    @Test
    void getIsNotLimitedByPrefetch() throws Exception {
        String queue = filled(5);
        channel.basicQos(1);
        for (int i = 0; i < 5; i++) {
            assertThat(channel.basicGet(queue, false)).isNotNull();
        }
    }

    @Test
    void aPrefetchSizeIsNotImplemented() {
        connectionError(AMQP.NOT_IMPLEMENTED, "NOT_IMPLEMENTED - prefetch_size!=0",
                () -> channel.basicQos(4096, 0, false));
    }
}
