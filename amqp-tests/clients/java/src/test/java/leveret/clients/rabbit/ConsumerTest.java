package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import org.junit.jupiter.api.Test;

class ConsumerTest extends BrokerTest {

    @Test
    void deliveriesComeInOrderWithRisingTags() throws Exception {
        String queue = queue();
        Collector consumer = new Collector(channel);
        String tag = channel.basicConsume(queue, true, consumer);
        assertThat(tag).startsWith("amq.ctag-");
        assertThat(consumer.consumeOk.get(20, TimeUnit.SECONDS)).isEqualTo(tag);
        for (int i = 0; i < 1_000; i++) {
            send(queue, "m" + i);
        }
        for (int i = 0; i < 1_000; i++) {
            Delivery delivery = consumer.next();
            assertThat(Collector.text(delivery)).isEqualTo("m" + i);
            assertThat(Collector.tag(delivery)).isEqualTo(i + 1);
            assertThat(delivery.getEnvelope().isRedeliver()).isFalse();
        }
    }

    @Test
    void theClientMayNameTheTag() throws Exception {
        String queue = queue();
        Collector consumer = new Collector(channel);
        String tag = Broker.unique("tag");
        assertThat(channel.basicConsume(queue, true, tag, consumer)).isEqualTo(tag);
        assertThat(consumer.consumeOk.get(20, TimeUnit.SECONDS)).isEqualTo(tag);
    }

    @Test
    void tagsAreUniquePerChannelOnly() throws Exception {
        String queue = queue();
        Channel second = connection.createChannel();
        channel.basicConsume(queue, true, "same", new Collector(channel));
        second.basicConsume(queue, true, "same", new Collector(second));
        connectionError(AMQP.NOT_ALLOWED, "NOT_ALLOWED - attempt to reuse consumer tag 'same'",
                () -> channel.basicConsume(queue, true, "same", new Collector(channel)));
    }

    @Test
    void cancelStopsDeliveries() throws Exception {
        String queue = queue();
        Collector consumer = new Collector(channel);
        String tag = channel.basicConsume(queue, true, consumer);
        send(queue, "before");
        assertThat(consumer.nextText()).isEqualTo("before");
        channel.basicCancel(tag);
        assertThat(consumer.cancelOk.get(20, TimeUnit.SECONDS)).isEqualTo(tag);
        send(queue, "after");
        assertThat(takeText(queue)).isEqualTo("after");
        assertThat(consumer.waiting()).isZero();
    }

    @Test
    void cancellingAnUnknownTagIsAClientSideError() {
        assertThatThrownBy(() -> channel.basicCancel("never seen")).isInstanceOf(IOException.class);
        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void cancelKeepsWhatIsUnacked() throws Exception {
        String queue = queue();
        Collector consumer = new Collector(channel);
        String tag = channel.basicConsume(queue, consumer);
        send(queue, "1", "2");
        List<Delivery> held = consumer.next(2);
        channel.basicCancel(tag);
        // Not requeued, and still there to be settled.
        assertEmpty(queue);
        channel.basicAck(Collector.tag(held.get(0)), false);
        channel.basicNack(Collector.tag(held.get(1)), false, true);
        assertThat(takeText(queue)).isEqualTo("2");
        assertEmpty(queue);
    }

    @Test
    void deletingTheQueueNotifiesItsConsumers() throws Exception {
        String queue = queue();
        Collector consumer = new Collector(channel);
        String tag = channel.basicConsume(queue, consumer);
        connection.createChannel().queueDelete(queue);
        assertThat(consumer.cancelledByBroker.get(20, TimeUnit.SECONDS)).isEqualTo(tag);
        assertThat(channel.isOpen()).isTrue();
        // The tag is free again.
        String next = queue();
        channel.basicConsume(next, true, tag, new Collector(channel));
    }

    @Test
    void aCancelledConsumerMayUseItsChannel() throws Exception {
        String queue = queue();
        var done = new java.util.concurrent.CompletableFuture<String>();
        channel.basicConsume(queue, false, (t, m) -> {}, t -> {
            try {
                done.complete(channel.queueDeclare().getQueue());
            } catch (IOException e) {
                done.completeExceptionally(e);
            }
        });
        connection.createChannel().queueDelete(queue);
        assertThat(done.get(20, TimeUnit.SECONDS)).startsWith("amq.gen-");
    }

    @Test
    void exclusiveConsumersAreAlone() throws Exception {
        String queue = queue();
        String tag = channel.basicConsume(queue, true, "", false, true, null, new Collector(channel));
        String text = "ACCESS_REFUSED - queue '" + queue + "' in vhost '" + Broker.vhost() + "' in exclusive use";
        Channel second = connection.createChannel();
        channelError(AMQP.ACCESS_REFUSED, text, () -> second.basicConsume(queue, new Collector(second)));
        channel.basicCancel(tag);
        channel.basicConsume(queue, true, new Collector(channel));
        Channel third = connection.createChannel();
        channelError(AMQP.ACCESS_REFUSED, text,
                () -> third.basicConsume(queue, true, "", false, true, null, new Collector(third)));
    }

    @Test
    void consumersShareRoundRobin() throws Exception {
        String queue = queue();
        Collector one = new Collector(channel);
        Collector two = new Collector(channel);
        channel.basicConsume(queue, true, one);
        channel.basicConsume(queue, true, two);
        for (int i = 0; i < 10; i++) {
            send(queue, "m" + i);
        }
        List<String> all = new ArrayList<>(one.nextTexts(5));
        all.addAll(two.nextTexts(5));
        assertThat(all).doesNotHaveDuplicates().hasSize(10);
    }

    @Test
    void higherPriorityConsumersComeFirst() throws Exception {
        String queue = queue();
        channel.basicQos(3);
        Collector low = new Collector(channel);
        Collector high = new Collector(channel);
        Collector middle = new Collector(channel);
        channel.basicConsume(queue, false, Map.of("x-priority", -5), low);
        channel.basicConsume(queue, false, Map.of("x-priority", 10), high);
        channel.basicConsume(queue, false, middle);
        for (int i = 0; i < 9; i++) {
            send(queue, "m" + i);
        }
        assertThat(high.nextTexts(3)).containsExactly("m0", "m1", "m2");
        assertThat(middle.nextTexts(3)).containsExactly("m3", "m4", "m5");
        List<Delivery> last = low.next(3);
        assertThat(last.stream().map(Collector::text)).containsExactly("m6", "m7", "m8");
    }

    @Test
    void consumerPriorityMustBeANumber() throws IOException {
        String queue = queue();
        channelError(AMQP.PRECONDITION_FAILED, "x-priority",
                () -> channel.basicConsume(queue, false, Map.of("x-priority", "high"), new Collector(channel)));
    }

    @Test
    void oneConsumerAtATimeIsActive() throws Exception {
        String queue = queue(Map.of("x-single-active-consumer", true));
        Collector first = new Collector(channel);
        Channel secondChannel = connection.createChannel();
        Collector second = new Collector(secondChannel);
        String firstTag = channel.basicConsume(queue, true, first);
        secondChannel.basicConsume(queue, true, second);
        send(queue, "1", "2", "3");
        assertThat(first.nextTexts(3)).containsExactly("1", "2", "3");
        assertThat(second.waiting()).isZero();
        channel.basicCancel(firstTag);
        send(queue, "4");
        assertThat(second.nextText()).isEqualTo("4");
        assertThat(channel.consumerCount(queue)).isEqualTo(1);
    }

    @Test
    void theActiveRoleMovesWhenAConnectionEnds() throws Exception {
        String queue = queue(Map.of("x-single-active-consumer", true));
        Connection other = another();
        Channel active = other.createChannel();
        Collector first = new Collector(active);
        active.basicConsume(queue, false, first);
        Collector second = new Collector(channel);
        channel.basicConsume(queue, false, second);
        send(queue, "1", "2");
        assertThat(first.nextTexts(2)).containsExactly("1", "2");
        other.close();
        List<Delivery> again = second.next(2);
        assertThat(again.stream().map(Collector::text)).containsExactly("1", "2");
        assertThat(again).allMatch(d -> d.getEnvelope().isRedeliver());
    }

    @Test
    void exclusiveIsRefusedWithASingleActiveConsumer() throws Exception {
        String queue = queue(Map.of("x-single-active-consumer", true));
        channelError(AMQP.ACCESS_REFUSED, "in exclusive use",
                () -> channel.basicConsume(queue, true, "", false, true, null, new Collector(channel)));
    }

    @Test
    void closingTheChannelEndsItsConsumers() throws Exception {
        String queue = queue();
        Channel consuming = connection.createChannel();
        Collector consumer = new Collector(consuming);
        consuming.basicConsume(queue, consumer);
        consuming.close();
        assertThat(consumer.shutdown.get(20, TimeUnit.SECONDS).isInitiatedByApplication()).isTrue();
        Eventually.passes("no consumer left", () -> assertThat(channel.consumerCount(queue)).isZero());
    }

    @Test
    void aConsumerMayDeclareAndPublishWhileServing() throws Exception {
        String queue = queue();
        String out = queue();
        channel.basicConsume(queue, false, (tag, message) -> {
            channel.queueDeclarePassive(out);
            channel.basicPublish("", out, null, message.getBody());
            channel.basicAck(message.getEnvelope().getDeliveryTag(), false);
        }, tag -> {});
        send(queue, "1", "2", "3");
        assertThat(takeTexts(out, 3)).containsExactly("1", "2", "3");
    }

    @Test
    void noLocalIsIgnored() throws Exception {
        String queue = queue();
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, true, "", true, false, null, consumer);
        send(queue, "own");
        assertThat(consumer.nextText()).isEqualTo("own");
    }
}
