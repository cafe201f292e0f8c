package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.Return;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class TxTest extends BrokerTest {

    private Channel tx() throws Exception {
        Channel tx = connection.createChannel();
        tx.txSelect();
        return tx;
    }

    @Test
    void commitAndRollbackNeedSelect() throws Exception {
        channelError(AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - channel is not transactional",
                () -> channel.txCommit());
        Channel second = connection.createChannel();
        channelError(AMQP.PRECONDITION_FAILED, "PRECONDITION_FAILED - channel is not transactional",
                () -> second.txRollback());
    }

    @Test
    void publishesAppearAtCommit() throws Exception {
        String queue = queue();
        Channel tx = tx();
        tx.basicPublish("", queue, null, bytes("1"));
        tx.basicPublish("", queue, null, bytes("2"));
        tx.queueDeclarePassive(queue);
        assertEmpty(queue);
        tx.txCommit();
        assertThat(takeTexts(queue, 2)).containsExactly("1", "2");
    }

    @Test
    void rollbackDropsPublishes() throws Exception {
        String queue = queue();
        Channel tx = tx();
        tx.basicPublish("", queue, null, bytes("never"));
        tx.txRollback();
        tx.basicPublish("", queue, null, bytes("later"));
        tx.txCommit();
        assertThat(takeText(queue)).isEqualTo("later");
        assertEmpty(queue);
    }

    @Test
    void rollbackUndoesAcksButRedeliversNothing() throws Exception {
        String queue = queue();
        send(queue, "1");
        awaitReady(queue, 1);
        Channel tx = tx();
        GetResponse response = tx.basicGet(queue, false);
        long tag = response.getEnvelope().getDeliveryTag();
        tx.basicAck(tag, false);
        tx.txRollback();
        assertEmpty(queue);
        // The same tag is open again.
        tx.basicAck(tag, false);
        tx.txCommit();
        tx.close();
        assertEmpty(queue);
    }

    @Test
    void uncommittedAcksAreLostWithTheChannel() throws Exception {
        String queue = queue();
        send(queue, "1");
        awaitReady(queue, 1);
        Channel tx = tx();
        tx.basicAck(tx.basicGet(queue, false).getEnvelope().getDeliveryTag(), false);
        tx.close();
        GetResponse again = take(queue);
        assertThat(text(again)).isEqualTo("1");
        assertThat(again.getEnvelope().isRedeliver()).isTrue();
    }

    @Test
    void rejectsHappenAtCommit() throws Exception {
        String dead = queue();
        String queue = queue(Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", dead));
        send(queue, "1");
        awaitReady(queue, 1);
        Channel tx = tx();
        tx.basicReject(tx.basicGet(queue, false).getEnvelope().getDeliveryTag(), false);
        tx.queueDeclarePassive(queue);
        assertEmpty(dead);
        tx.txCommit();
        assertThat(takeText(dead)).isEqualTo("1");
    }

    @Test
    void nackWithRequeueHappensAtCommit() throws Exception {
        String queue = queue();
        send(queue, "1", "2");
        awaitReady(queue, 2);
        Channel tx = tx();
        tx.basicGet(queue, false);
        long tag = tx.basicGet(queue, false).getEnvelope().getDeliveryTag();
        tx.basicNack(tag, true, true);
        tx.queueDeclarePassive(queue);
        assertEmpty(queue);
        tx.txCommit();
        assertThat(takeTexts(queue, 2)).containsExactly("1", "2");
    }

    @Test
    void returnsComeAtCommit() throws Exception {
        CompletableFuture<Return> returned = new CompletableFuture<>();
        Channel tx = tx();
        tx.addReturnListener(returned::complete);
        tx.basicPublish("", leveret.clients.Broker.unique("missing"), true, null, bytes("x"));
        tx.queueDeclare();
        assertThat(returned).isNotDone();
        tx.txCommit();
        assertThat(returned.get(20, TimeUnit.SECONDS).getReplyCode()).isEqualTo(AMQP.NO_ROUTE);
    }

    @Test
    void anErrorInATransactionDropsIt() throws Exception {
        String queue = queue();
        Channel tx = tx();
        tx.basicPublish("", queue, null, bytes("dropped"));
        String missing = leveret.clients.Broker.unique("missing");
        tx.basicPublish(missing, "", null, bytes("fatal"));
        awaitChannelError(tx, AMQP.NOT_FOUND, "no exchange '" + missing + "'");
        assertEmpty(queue);
    }

    @Test
    void badAcksFailAtOnce() throws Exception {
        Channel tx = tx();
        tx.basicAck(17, false);
        awaitChannelError(tx, AMQP.PRECONDITION_FAILED, "unknown delivery tag 17");
    }

    @Test
    void ackAndForwardIsOneStep() throws Exception {
        String in = queue();
        String out = queue();
        send(in, "work");
        awaitReady(in, 1);
        Channel tx = tx();
        GetResponse work = tx.basicGet(in, false);
        tx.basicPublish("", out, null, work.getBody());
        tx.basicAck(work.getEnvelope().getDeliveryTag(), false);
        tx.txCommit();
        tx.close();
        assertThat(takeText(out)).isEqualTo("work");
        assertEmpty(in);
    }
}
