package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.impl.Frame;
import leveret.clients.Broker;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A client that breaks the rules of framing: the broker says which, and closes. */
class UnexpectedFramesTest {

    private static final int CHANNEL = 1;
    private RawClient client;

    @BeforeEach
    void open() throws Exception {
        client = RawClient.open(Broker.host(), Broker.port());
        client.openChannel(CHANNEL);
    }

    @AfterEach
    void close() {
        client.close();
    }

    private void refused(int code, String text) throws Exception {
        AMQP.Connection.Close close = client.expect(AMQP.Connection.Close.class);
        assertThat(close.getReplyText()).contains(text);
        assertThat(close.getReplyCode()).isEqualTo(code);
        client.sendMethod(0, new com.rabbitmq.client.impl.AMQImpl.Connection.CloseOk());
        client.expectEnd();
    }

    private Frame publishMethod() throws Exception {
        return client.method(CHANNEL, new com.rabbitmq.client.impl.AMQImpl.Basic.Publish(
                0, "", "nowhere", false, false));
    }

    private Frame header(int classId, long size) throws Exception {
        Frame frame = new Frame(AMQP.FRAME_HEADER, CHANNEL);
        var out = frame.getOutputStream();
        out.writeShort(classId);
        out.writeShort(0);
        out.writeLong(size);
        out.writeShort(0);
        return frame;
    }

    private Frame frame(int type, int size) throws Exception {
        Frame frame = new Frame(type, CHANNEL);
        frame.getOutputStream().write(new byte[size]);
        return frame;
    }

    private Frame body(int size) throws Exception {
        return frame(AMQP.FRAME_BODY, size);
    }

    @Test
    void aHeaderWithoutAMethod() throws Exception {
        client.send(header(60, 0));
        refused(505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead");
    }

    @Test
    void aBodyWithoutAMethod() throws Exception {
        client.send(body(3));
        refused(505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead");
    }

    @Test
    void aMethodWhereAHeaderIsDue() throws Exception {
        client.send(publishMethod());
        client.send(publishMethod());
        refused(505, "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead");
    }

    @Test
    void aBodyWhereAHeaderIsDue() throws Exception {
        client.send(publishMethod());
        client.send(body(3));
        refused(505, "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead");
    }

    @Test
    void aHeaderOfAnotherClass() throws Exception {
        client.send(publishMethod());
        client.send(header(50, 3));
        refused(505, "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead");
    }

    @Test
    void aMethodWhereABodyIsDue() throws Exception {
        client.send(publishMethod());
        client.send(header(60, 3));
        client.send(publishMethod());
        refused(505, "UNEXPECTED_FRAME - expected content body, got non content body frame instead");
    }

    @Test
    void aHeaderWhereABodyIsDue() throws Exception {
        client.send(publishMethod());
        client.send(header(60, 3));
        client.send(header(60, 3));
        refused(505, "UNEXPECTED_FRAME - expected content body, got non content body frame instead");
    }

    @Test
    void aWrongEndMark() throws Exception {
        client.sendOctets(1, 0, 1, 0, 0, 0, 4, 0, 20, 0, 10, 0xAA);
        refused(501, "invalid_frame_end_marker");
    }

    @Test
    void aFrameAboveTheLimit() throws Exception {
        // The limit is frame-max less the frame's own eight octets; RabbitMQ tolerates eight more.
        client.sendOctets(3, 0, 1, 0, 2, 0, 1);
        refused(501, "{frame_too_large,131073,131064}");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 4, 7, 255})
    void anUnknownFrameType(int type) throws Exception {
        client.send(frame(type, 3));
        refused(501, "unknown_frame");
    }

    @Test
    void aHeartbeatOnAChannel() throws Exception {
        client.send(new Frame(AMQP.FRAME_HEARTBEAT, CHANNEL));
        refused(505, "UNEXPECTED_FRAME - type 8, all octets = <<>>");
    }

    @Test
    void aHeartbeatOnTheConnectionIsFine() throws Exception {
        for (int i = 0; i < 10; i++) {
            client.send(new Frame(AMQP.FRAME_HEARTBEAT, 0));
        }
        client.openChannel(2);
    }

    @Test
    void aMethodOnAChannelThatIsNotOpen() throws Exception {
        client.sendMethod(9, new com.rabbitmq.client.impl.AMQImpl.Basic.Qos(0, 1, false));
        refused(504, "CHANNEL_ERROR - expected 'channel.open'");
    }

    @Test
    void aChannelOpenedTwice() throws Exception {
        client.sendMethod(CHANNEL, new com.rabbitmq.client.impl.AMQImpl.Channel.Open(""));
        refused(504, "CHANNEL_ERROR - second 'channel.open' seen");
    }

    @Test
    void aMethodThatOnlyTheBrokerSends() throws Exception {
        client.sendMethod(CHANNEL, new com.rabbitmq.client.impl.AMQImpl.Queue.DeclareOk("q", 0, 0));
        refused(503, "COMMAND_INVALID - unimplemented method");
    }

    @Test
    void moreBodyThanAnnounced() throws Exception {
        client.send(publishMethod());
        client.send(header(60, 3));
        client.send(body(2));
        client.send(body(2));
        // RabbitMQ keeps waiting for a body that can no longer end; the next method ends that.
        client.send(publishMethod());
        AMQP.Connection.Close close = client.expect(AMQP.Connection.Close.class);
        assertThat(close.getReplyCode()).isIn(501, 505);
    }

    @Test
    void emptyBodyFramesAreHarmless() throws Exception {
        String queue = client.declareQueue(CHANNEL);
        client.send(client.method(CHANNEL,
                new com.rabbitmq.client.impl.AMQImpl.Basic.Publish(0, "", queue, false, false)));
        client.send(header(60, 4));
        client.send(body(2));
        client.send(body(0));
        client.send(body(2));
        client.sendMethod(CHANNEL, new com.rabbitmq.client.impl.AMQImpl.Basic.Get(0, queue, true));
        assertThat(client.expectContent(AMQP.Basic.GetOk.class)).hasSize(4);
    }
}
