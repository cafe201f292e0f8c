package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Method;
import com.rabbitmq.client.impl.AMQCommand;
import com.rabbitmq.client.impl.AMQImpl;
import com.rabbitmq.client.impl.Frame;
import com.rabbitmq.client.impl.LongStringHelper;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.util.Map;
import java.util.Optional;
import leveret.clients.Broker;
import leveret.clients.Eventually;

/** A socket that speaks in single frames, with the client library's own codec and none of its manners. */
final class RawClient implements Closeable {
    private final Socket socket;
    private final DataInputStream in;
    private final DataOutputStream out;

    private RawClient(String host, int port) throws IOException {
        socket = new Socket(host, port);
        socket.setTcpNoDelay(true);
        socket.setSoTimeout((int) Eventually.BOUND.toMillis());
        in = new DataInputStream(socket.getInputStream());
        out = new DataOutputStream(socket.getOutputStream());
    }

    /** A bare socket: nothing sent yet. */
    static RawClient connect(String host, int port) throws IOException {
        return new RawClient(host, port);
    }

    /** An open connection without channels, heartbeats off. */
    static RawClient open(String host, int port) throws IOException {
        RawClient client = connect(host, port);
        client.login();
        client.sendMethod(0, new AMQImpl.Connection.TuneOk(2047, 131_072, 0));
        client.sendMethod(0, new AMQImpl.Connection.Open(Broker.vhost(), "", false));
        client.expect(AMQP.Connection.OpenOk.class);
        return client;
    }

    AMQP.Connection.Tune login() throws IOException {
        sendHeader();
        expect(AMQP.Connection.Start.class);
        var factory = Broker.factory();
        sendMethod(0, new AMQImpl.Connection.StartOk(Map.of(), "PLAIN",
                LongStringHelper.asLongString("\0" + factory.getUsername() + "\0" + factory.getPassword()),
                "en_US"));
        return expect(AMQP.Connection.Tune.class);
    }

    void openChannel(int number) throws IOException {
        sendMethod(number, new AMQImpl.Channel.Open(""));
        expect(AMQP.Channel.OpenOk.class);
    }

    String declareQueue(int number) throws IOException {
        sendMethod(number, new AMQImpl.Queue.Declare(0, "", false, false, true, true, false, Map.of()));
        return expect(AMQP.Queue.DeclareOk.class).getQueue();
    }

    void sendHeader() throws IOException {
        sendOctets('A', 'M', 'Q', 'P', 0, 0, 9, 1);
    }

    void sendOctets(int... octets) throws IOException {
        byte[] bytes = new byte[octets.length];
        for (int i = 0; i < octets.length; i++) {
            bytes[i] = (byte) octets[i];
        }
        send(bytes);
    }

    void send(byte[] bytes) throws IOException {
        try {
            out.write(bytes);
            out.flush();
        } catch (SocketException e) {
            // The broker may have ended the connection half way; reading tells how.
        }
    }

    void send(Frame frame) throws IOException {
        frame.writeTo(out);
        out.flush();
    }

    Frame method(int channel, com.rabbitmq.client.impl.Method method) throws IOException {
        return method.toFrame(channel);
    }

    void sendMethod(int channel, com.rabbitmq.client.impl.Method method) throws IOException {
        send(method(channel, method));
    }

    /** The next method, which must be of this kind. Heartbeats are passed over. */
    <M extends Method> M expect(Class<M> kind) throws IOException {
        return kind.cast(command(kind).getMethod());
    }

    /** The body of the next message. */
    byte[] expectContent(Class<? extends Method> kind) throws IOException {
        return command(kind).getContentBody();
    }

    private AMQCommand command(Class<? extends Method> kind) throws IOException {
        AMQCommand command = new AMQCommand();
        while (true) {
            Frame frame = Frame.readFrom(in, () -> Integer.MAX_VALUE);
            assertThat(frame).as("a frame before the read timeout").isNotNull();
            if (frame.getType() != AMQP.FRAME_HEARTBEAT && command.handleFrame(frame)) {
                assertThat(command.getMethod()).isInstanceOf(kind);
                return command;
            }
        }
    }

    byte[] readOctets(int count) throws IOException {
        return in.readNBytes(count);
    }

    /** The broker must end the stream. */
    void expectEnd() throws IOException {
        try {
            assertThat(in.read()).as("end of stream").isEqualTo(-1);
        } catch (SocketException reset) {
            // An abortive end is an end.
        }
    }

    /** Either is an answer: RabbitMQ ends in silence here, others say why first. */
    Optional<AMQP.Connection.Close> expectEndOrClose() throws IOException {
        try {
            return Optional.of(expect(AMQP.Connection.Close.class));
        } catch (EOFException | SocketException end) {
            return Optional.empty();
        }
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            // Gone already.
        }
    }
}
