package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.GetResponse;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import leveret.clients.PemTls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Encrypted connections to {@code AMQPS_URL}, the broker's authority being {@code TLS_CA}. */
@EnabledIfEnvironmentVariable(named = "AMQPS_URL", matches = ".+", disabledReason = "AMQPS_URL is not set")
class TlsTest {

    private static ConnectionFactory factory(SSLContext context) {
        ConnectionFactory factory = Broker.factory(System.getenv("AMQPS_URL"));
        factory.useSslProtocol(context);
        return factory;
    }

    private static void roundTrip(Connection connection, byte[] body) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare().getQueue();
        channel.confirmSelect();
        channel.basicPublish("", queue, null, body);
        channel.waitForConfirmsOrDie(20_000);
        GetResponse got = Eventually.yields("the message", () -> channel.basicGet(queue, true));
        assertThat(Arrays.equals(got.getBody(), body)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.2", "TLSv1.3"})
    void bothProtocolVersionsWork(String protocol) throws Exception {
        try (Connection connection = factory(PemTls.context(protocol, true, true)).newConnection()) {
            roundTrip(connection, "encrypted".getBytes());
        }
    }

    @Test
    void largeBodiesCrossManyRecords() throws Exception {
        byte[] body = new byte[5_000_000];
        new Random(7).nextBytes(body);
        try (Connection connection = factory(PemTls.context("TLS", true, true)).newConnection()) {
            roundTrip(connection, body);
        }
    }

    @Test
    void theHostNameIsInTheCertificate() throws Exception {
        ConnectionFactory factory = factory(PemTls.context("TLS", true, true));
        factory.enableHostnameVerification();
        try (Connection connection = factory.newConnection()) {
            roundTrip(connection, "verified".getBytes());
        }
    }

    @Test
    void anUnknownAuthorityIsRefusedByTheClient() throws Exception {
        ConnectionFactory factory = factory(PemTls.context("TLS", false, true));
        assertThatThrownBy(factory::newConnection).isInstanceOf(javax.net.ssl.SSLException.class);
    }

    @Test
    void plainTextOnTheTlsPortGetsNowhere() {
        ConnectionFactory tls = Broker.factory(System.getenv("AMQPS_URL"));
        ConnectionFactory plain = Broker.factory();
        plain.setHost(tls.getHost());
        plain.setPort(tls.getPort());
        plain.setConnectionTimeout(5_000);
        plain.setHandshakeTimeout(5_000);
        assertThatThrownBy(plain::newConnection).isInstanceOfAny(
                java.io.IOException.class, java.util.concurrent.TimeoutException.class);
    }

    @Test
    void consumersWorkOverTls() throws Exception {
        try (Connection connection = factory(PemTls.context("TLS", true, true)).newConnection()) {
            Channel channel = connection.createChannel();
            String queue = channel.queueDeclare().getQueue();
            Collector consumer = new Collector(channel);
            channel.basicConsume(queue, true, consumer);
            for (int i = 0; i < 2_000; i++) {
                channel.basicPublish("", queue, null, ("m" + i).getBytes());
            }
            assertThat(consumer.nextTexts(2_000)).endsWith("m1999");
            channel.basicCancel(consumer.consumeOk.get(20, TimeUnit.SECONDS));
        }
    }
}
