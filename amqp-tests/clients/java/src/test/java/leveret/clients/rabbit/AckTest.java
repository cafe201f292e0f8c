package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class AckTest extends BrokerTest {

    private List<Long> hold(Channel on, String queue, int count) throws Exception {
        List<Long> tags = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            tags.add(on.basicGet(queue, false).getEnvelope().getDeliveryTag());
        }
        return tags;
    }

    private String filled(int count) throws Exception {
        String queue = queue();
        for (int i = 1; i <= count; i++) {
            send(queue, "m" + i);
        }
        awaitReady(queue, count);
        return queue;
    }

    @Test
    void anAckedMessageIsGoneForGood() throws Exception {
        String queue = filled(1);
        Channel other = connection.createChannel();
        long tag = hold(other, queue, 1).get(0);
        other.basicAck(tag, false);
        other.close();
        assertEmpty(queue);
    }

    @Test
    void multipleSettlesUpToTheTag() throws Exception {
        String queue = filled(5);
        Channel other = connection.createChannel();
        List<Long> tags = hold(other, queue, 5);
        other.basicAck(tags.get(2), true);
        other.close();
        awaitReady(queue, 2);
        assertThat(takeTexts(queue, 2)).containsExactly("m4", "m5");
    }

    @Test
    void tagZeroWithMultipleMeansAll() throws Exception {
        String queue = filled(3);
        channel.basicAck(0, true);
        Channel other = connection.createChannel();
        hold(other, queue, 3);
        other.basicAck(0, true);
        other.basicAck(0, true);
        other.close();
        assertEmpty(queue);
    }

    @Test
    void outOfOrderAcksAreFine() throws Exception {
        String queue = filled(3);
        Channel other = connection.createChannel();
        List<Long> tags = hold(other, queue, 3);
        other.basicAck(tags.get(1), false);
        other.basicAck(tags.get(2), false);
        other.close();
        awaitReady(queue, 1);
        assertThat(takeText(queue)).isEqualTo("m1");
    }

    @Test
    void rejectWithRequeueGoesBackToItsPlace() throws Exception {
        String queue = filled(3);
        List<Long> tags = hold(channel, queue, 2);
        channel.basicReject(tags.get(1), true);
        channel.basicReject(tags.get(0), true);
        awaitReady(queue, 3);
        List<GetResponse> all = List.of(take(queue), take(queue), take(queue));
        assertThat(all.stream().map(BrokerTest::text)).containsExactly("m1", "m2", "m3");
        assertThat(all.stream().map(r -> r.getEnvelope().isRedeliver())).containsExactly(true, true, false);
    }

    @Test
    void nackMultipleWithRequeueKeepsOrder() throws Exception {
        String queue = filled(5);
        List<Long> tags = hold(channel, queue, 4);
        channel.basicNack(tags.get(3), true, true);
        awaitReady(queue, 5);
        assertThat(takeTexts(queue, 5)).containsExactly("m1", "m2", "m3", "m4", "m5");
    }

    @Test
    void nackZeroMultipleRequeuesAll() throws Exception {
        String queue = filled(3);
        hold(channel, queue, 3);
        channel.basicNack(0, true, true);
        awaitReady(queue, 3);
        assertThat(takeTexts(queue, 3)).containsExactly("m1", "m2", "m3");
    }

    @Test
    void rejectWithoutRequeueDrops() throws Exception {
        String queue = filled(2);
        channel.basicReject(hold(channel, queue, 1).get(0), false);
        assertThat(takeText(queue)).isEqualTo("m2");
        assertEmpty(queue);
    }

    @Test
    void closingTheChannelRequeuesInOrder() throws Exception {
        String queue = filled(10);
        Channel other = connection.createChannel();
        List<Long> tags = hold(other, queue, 6);
        other.basicAck(tags.get(2), false);
        other.close();
        awaitReady(queue, 9);
        assertThat(takeTexts(queue, 9)).containsExactly(
                "m1", "m2", "m4", "m5", "m6", "m7", "m8", "m9", "m10");
    }

    @Test
    void closingTheConnectionRequeuesInOrder() throws Exception {
        String queue = filled(4);
        Connection other = another();
        Channel one = other.createChannel();
        Channel two = other.createChannel();
        hold(one, queue, 1);
        hold(two, queue, 1);
        hold(one, queue, 1);
        other.close();
        awaitReady(queue, 4);
        List<GetResponse> all = List.of(take(queue), take(queue), take(queue), take(queue));
        assertThat(all.stream().map(BrokerTest::text)).containsExactly("m1", "m2", "m3", "m4");
        assertThat(all.get(0).getEnvelope().isRedeliver()).isTrue();
        assertThat(all.get(3).getEnvelope().isRedeliver()).isFalse();
    }

    @Test
    void aChannelErrorRequeuesToo() throws Exception {
        String queue = filled(2);
        Channel other = connection.createChannel();
        hold(other, queue, 2);
        channelError(AMQP.NOT_FOUND, "no queue", () -> other.queueDeclarePassive(leveret.clients.Broker.unique("m")));
        awaitReady(queue, 2);
        assertThat(takeTexts(queue, 2)).containsExactly("m1", "m2");
    }

    @Test
    void unknownTagsCloseTheChannel() throws Exception {
        channel.basicAck(99, false);
        awaitChannelError(channel, AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - unknown delivery tag 99");
        Channel second = connection.createChannel();
        second.basicNack(7, false, true);
        awaitChannelError(second, AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - unknown delivery tag 7");
        Channel third = connection.createChannel();
        third.basicReject(0, false);
        awaitChannelError(third, AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - unknown delivery tag 0");
    }

    @Test
    void ackingTwiceClosesTheChannel() throws Exception {
        String queue = filled(1);
        long tag = hold(channel, queue, 1).get(0);
        channel.basicAck(tag, false);
        channel.basicAck(tag, false);
        awaitChannelError(channel, AMQP.PRECONDITION_FAILED, "unknown delivery tag " + tag);
    }

    @Test
    void anUnknownTagWithMultipleClosesTheChannelToo() throws Exception {
        filled(1);
        channel.basicAck(5, true);
        awaitChannelError(channel, AMQP.PRECONDITION_FAILED, "unknown delivery tag 5");
    }

    @Test
    void tagsBelongToTheirChannel() throws Exception {
        String queue = filled(1);
        long tag = hold(channel, queue, 1).get(0);
        Channel other = connection.createChannel();
        other.basicAck(tag, false);
        awaitChannelError(other, AMQP.PRECONDITION_FAILED, "unknown delivery tag " + tag);
        channel.basicAck(tag, false);
        assertThat(channel.messageCount(queue)).isZero();
    }

    @Test
    void ackingAnAutoAckedDeliveryClosesTheChannel() throws Exception {
        String queue = filled(1);
        long tag = channel.basicGet(queue, true).getEnvelope().getDeliveryTag();
        channel.basicAck(tag, false);
        awaitChannelError(channel, AMQP.PRECONDITION_FAILED, "unknown delivery tag " + tag);
    }

    @Test
    void recoverDeliversAgain() throws Exception {
        String queue = queue();
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, consumer);
        send(queue, "1", "2", "3");
        List<Delivery> first = consumer.next(3);
        channel.basicAck(Collector.tag(first.get(0)), false);
        assertThat(channel.basicRecover(true)).isNotNull();
        List<Delivery> again = consumer.next(2);
        assertThat(again.stream().map(Collector::text)).containsExactly("2", "3");
        assertThat(again).allMatch(d -> d.getEnvelope().isRedeliver());
        assertThat(Collector.tag(again.get(0))).isEqualTo(4);
        channel.basicAck(Collector.tag(again.get(1)), true);
    }

    @Test
    void recoverWithoutRequeueIsNotImplemented() {
        connectionError(AMQP.NOT_IMPLEMENTED, "NOT_IMPLEMENTED", () -> channel.basicRecover(false));
    }
}
