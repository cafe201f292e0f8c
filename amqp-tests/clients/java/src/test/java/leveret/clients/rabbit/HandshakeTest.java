package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.impl.AMQImpl;
import com.rabbitmq.client.impl.LongStringHelper;
import java.util.Map;
import leveret.clients.Broker;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The first frames of a connection, one by one. Refusals take RabbitMQ three seconds each. */
@Execution(ExecutionMode.CONCURRENT)
class HandshakeTest {

    private RawClient client;

    @BeforeEach
    void connect() throws Exception {
        client = RawClient.connect(Broker.host(), Broker.port());
    }

    @AfterEach
    void close() {
        client.close();
    }

    @ParameterizedTest
    @CsvSource({"0,0,9,2", "0,0,8,0", "3,1,0,0", "9,9,9,9"})
    void anotherVersionIsAnsweredWithOurs(int a, int b, int c, int d) throws Exception {
        client.sendOctets('A', 'M', 'Q', 'P', a, b, c, d);
        assertThat(client.readOctets(8)).containsExactly('A', 'M', 'Q', 'P', 0, 0, 9, 1);
        client.expectEnd();
    }

    @Test
    void notAmqpAtAllIsAnsweredWithTheHeader() throws Exception {
        client.send("GET / HTTP/1.1\r\n\r\n".getBytes());
        assertThat(client.readOctets(8)).containsExactly('A', 'M', 'Q', 'P', 0, 0, 9, 1);
    }

    @Test
    void startComesFirst() throws Exception {
        client.sendHeader();
        AMQP.Connection.Start start = client.expect(AMQP.Connection.Start.class);
        assertThat(start.getVersionMajor()).isZero();
        assertThat(start.getVersionMinor()).isEqualTo(9);
        assertThat(start.getLocales().toString()).isEqualTo("en_US");
        assertThat(start.getMechanisms().toString().split(" ")).contains("PLAIN", "AMQPLAIN");
    }

    @Test
    void tuneOffersLimits() throws Exception {
        AMQP.Connection.Tune tune = client.login();
        assertThat(tune.getChannelMax()).isEqualTo(2047);
        assertThat(tune.getFrameMax()).isEqualTo(131_072);
        assertThat(tune.getHeartbeat()).isEqualTo(60);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "2048|131072|negotiated channel_max = 2048 is higher than the maximum allowed value (2047)",
        "0|131072|negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)",
        "2047|131073|negotiated frame_max = 131073 is higher than the maximum allowed value (131072)",
        "2047|4095|negotiated frame_max = 4095 is lower than the minimum allowed value (4096)",
        "2047|0|negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (131072)",
    })
    void moreThanOfferedIsRefused(int channelMax, int frameMax, String text) throws Exception {
        client.login();
        client.sendMethod(0, new AMQImpl.Connection.TuneOk(channelMax, frameMax, 0));
        // RabbitMQ writes the reason to its log and ends the stream; a reason on the wire must be this one.
        client.expectEndOrClose().ifPresent(close -> {
            assertThat(close.getReplyText()).contains(text);
            assertThat(close.getReplyCode()).isEqualTo(530);
        });
    }

    @Test
    void openSucceedsForTheVirtualHost() throws Exception {
        client.login();
        client.sendMethod(0, new AMQImpl.Connection.TuneOk(2047, 131_072, 0));
        client.sendMethod(0, new AMQImpl.Connection.Open(Broker.vhost(), "", false));
        client.expect(AMQP.Connection.OpenOk.class);
        client.sendMethod(0, new AMQImpl.Connection.Close(200, "bye", 0, 0));
        client.expect(AMQP.Connection.CloseOk.class);
    }

    @Test
    void wrongCredentialsAreRefusedWithAReasonForThoseWhoCanRead() throws Exception {
        client.sendHeader();
        client.expect(AMQP.Connection.Start.class);
        client.sendMethod(0, new AMQImpl.Connection.StartOk(
                Map.of("capabilities", Map.of("authentication_failure_close", true)), "PLAIN",
                LongStringHelper.asLongString("\0nobody\0nothing"), "en_US"));
        AMQP.Connection.Close close = client.expect(AMQP.Connection.Close.class);
        assertThat(close.getReplyCode()).isEqualTo(403);
        assertThat(close.getReplyText()).isEqualTo("ACCESS_REFUSED - Login was refused using authentication "
                + "mechanism PLAIN. For details see the broker logfile.");
    }

    @Test
    void anythingInPlaceOfStartOkEndsTheConnection() throws Exception {
        client.sendHeader();
        client.expect(AMQP.Connection.Start.class);
        client.sendMethod(0, new AMQImpl.Connection.Open("/", "", false));
        client.expectEndOrClose();
    }
}
