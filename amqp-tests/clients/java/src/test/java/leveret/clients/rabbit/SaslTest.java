package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultSaslConfig;
import com.rabbitmq.client.LongString;
import com.rabbitmq.client.PossibleAuthenticationFailureException;
import com.rabbitmq.client.SaslConfig;
import com.rabbitmq.client.SaslMechanism;
import com.rabbitmq.client.impl.LongStringHelper;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import leveret.clients.Broker;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** The login methods, seen through the client's hook for them. Refusals take RabbitMQ a while. */
@Execution(ExecutionMode.CONCURRENT)
class SaslTest {

    private static SaslMechanism mechanism(String name, byte[] response) {
        return new SaslMechanism() {
            @Override
            public String getName() {
                return name;
            }

            @Override
            public LongString handleChallenge(LongString challenge, String user, String password) {
                return LongStringHelper.asLongString(response);
            }
        };
    }

    private static ConnectionFactory with(String name, byte[] response) {
        ConnectionFactory factory = Broker.factory();
        factory.setSaslConfig(offered -> mechanism(name, response));
        return factory;
    }

    /** A field table without its length, which is what AMQPLAIN sends. */
    private static byte[] amqplain(String login, String password) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        for (String[] pair : new String[][] {{"LOGIN", login}, {"PASSWORD", password}}) {
            byte[] key = pair[0].getBytes(StandardCharsets.UTF_8);
            byte[] value = pair[1].getBytes(StandardCharsets.UTF_8);
            out.writeByte(key.length);
            out.write(key);
            out.writeByte('S');
            out.writeInt(value.length);
            out.write(value);
        }
        return bytes.toByteArray();
    }

    private static void works(ConnectionFactory factory) throws Exception {
        try (Connection connection = factory.newConnection()) {
            assertThat(connection.createChannel().queueDeclare().getQueue()).isNotEmpty();
        }
    }

    @Test
    void plainAndAmqplainAreOffered() throws Exception {
        CompletableFuture<String[]> offered = new CompletableFuture<>();
        ConnectionFactory factory = Broker.factory();
        SaslConfig plain = factory.getSaslConfig();
        factory.setSaslConfig(mechanisms -> {
            offered.complete(mechanisms);
            return plain.getSaslMechanism(mechanisms);
        });
        works(factory);
        assertThat(offered.join()).contains("PLAIN", "AMQPLAIN");
    }

    @Test
    void plainLogsIn() throws Exception {
        ConnectionFactory factory = Broker.factory();
        factory.setSaslConfig(DefaultSaslConfig.PLAIN);
        works(factory);
    }

    @Test
    void amqplainLogsIn() throws Exception {
        ConnectionFactory factory = Broker.factory();
        works(with("AMQPLAIN", amqplain(factory.getUsername(), factory.getPassword())));
    }

    @Test
    void amqplainWithAWrongPasswordIsRefused() throws Exception {
        ConnectionFactory factory = with("AMQPLAIN", amqplain(Broker.factory().getUsername(), "wrong"));
        assertThatThrownBy(factory::newConnection)
                .isInstanceOf(AuthenticationFailureException.class)
                .hasMessageContaining("using authentication mechanism AMQPLAIN");
    }

    @Test
    void mechanismsThatWereNotOfferedAreRefused() {
        for (String name : new String[] {"GSSAPI", "EXTREMELY-NEW", ""}) {
            assertThatThrownBy(() -> with(name, new byte[0]).newConnection())
                    .isInstanceOf(PossibleAuthenticationFailureException.class);
        }
    }

    @Test
    void aMalformedPlainResponseIsRefused() {
        assertThatThrownBy(() -> with("PLAIN", "no separators".getBytes(StandardCharsets.UTF_8)).newConnection())
                .isInstanceOf(IOException.class);
    }

    @Test
    void aClientWithoutTheCapabilityIsCutOffWithoutAReason() {
        ConnectionFactory factory = Broker.factory();
        factory.setPassword("wrong");
        factory.getClientProperties().remove("capabilities");
        assertThatThrownBy(factory::newConnection)
                .isInstanceOf(PossibleAuthenticationFailureException.class)
                .isNotInstanceOf(AuthenticationFailureException.class);
    }
}
