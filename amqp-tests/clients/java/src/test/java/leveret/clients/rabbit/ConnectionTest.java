package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.MissedHeartbeatException;
import com.rabbitmq.client.ShutdownSignalException;
import com.rabbitmq.client.impl.CredentialsProvider;
import com.rabbitmq.client.impl.CredentialsRefreshService;
import com.rabbitmq.client.impl.DefaultCredentialsProvider;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import leveret.clients.Broker;
import leveret.clients.Eventually;
import leveret.clients.TcpProxy;
import org.junit.jupiter.api.Test;

class ConnectionTest extends BrokerTest {

    @Test
    void serverPropertiesNameAProductAndTheNineCapabilities() {
        Map<String, Object> properties = connection.getServerProperties();
        assertThat(properties).containsKeys(
                "product", "version", "platform", "copyright", "information", "cluster_name", "capabilities");
        assertThat(properties.get("version").toString()).matches("\\d+\\.\\d+.*");
        @SuppressWarnings("unchecked")
        Map<String, Object> capabilities = (Map<String, Object>) properties.get("capabilities");
        for (String capability : new String[] {"publisher_confirms", "exchange_exchange_bindings",
            "basic.nack", "consumer_cancel_notify", "connection.blocked", "consumer_priorities",
            "authentication_failure_close", "per_consumer_qos", "direct_reply_to"}) {
            assertThat(capabilities).containsEntry(capability, true);
        }
    }

    @Test
    void clientPropertiesAndNameAreKept() throws Exception {
        ConnectionFactory factory = Broker.factory();
        factory.getClientProperties().put("owner", "accounts");
        Connection named = closeLater(factory.newConnection("invoices"));
        assertThat(named.getClientProvidedName()).isEqualTo("invoices");
        assertThat(named.getClientProperties()).containsEntry("connection_name", "invoices");
        assertThat(named.createChannel().queueDeclare().getQueue()).startsWith("amq.gen-");
    }

    @Test
    void offersTheUsualLimits() {
        assertThat(connection.getChannelMax()).isEqualTo(2047);
        assertThat(connection.getFrameMax()).isEqualTo(131_072);
        assertThat(connection.getHeartbeat()).isEqualTo(60);
    }

    @Test
    void lowerLimitsOfTheClientWin() throws Exception {
        ConnectionFactory factory = Broker.factory();
        factory.setRequestedChannelMax(7);
        factory.setRequestedFrameMax(8192);
        factory.setRequestedHeartbeat(13);
        Connection small = closeLater(factory.newConnection());
        assertThat(small.getChannelMax()).isEqualTo(7);
        assertThat(small.getFrameMax()).isEqualTo(8192);
        assertThat(small.getHeartbeat()).isEqualTo(13);
    }

    @Test
    void wrongPasswordIsAnAuthenticationFailure() {
        ConnectionFactory factory = Broker.factory();
        factory.setPassword("not-" + factory.getPassword());
        assertThatThrownBy(factory::newConnection)
                .isInstanceOf(AuthenticationFailureException.class)
                .hasMessageContaining("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN");
    }

    @Test
    void unknownUserIsAnAuthenticationFailure() {
        ConnectionFactory factory = Broker.factory();
        factory.setUsername(Broker.unique("nobody"));
        assertThatThrownBy(factory::newConnection).isInstanceOf(AuthenticationFailureException.class);
    }

    @Test
    void unknownVirtualHostIsNotAllowed() {
        ConnectionFactory factory = Broker.factory();
        String vhost = Broker.unique("vhost");
        factory.setVirtualHost(vhost);
        connectionError(AMQP.NOT_ALLOWED, "NOT_ALLOWED - vhost " + vhost + " not found", factory::newConnection);
    }

    @Test
    void closeIsSeenByListenersAndChannels() throws Exception {
        CompletableFuture<ShutdownSignalException> onConnection = new CompletableFuture<>();
        CompletableFuture<ShutdownSignalException> onChannel = new CompletableFuture<>();
        connection.addShutdownListener(onConnection::complete);
        channel.addShutdownListener(onChannel::complete);
        connection.close(200, "that is all");
        ShutdownSignalException signal = onConnection.get(20, TimeUnit.SECONDS);
        assertThat(signal.isHardError()).isTrue();
        assertThat(signal.isInitiatedByApplication()).isTrue();
        assertThat(onChannel.get(20, TimeUnit.SECONDS).isInitiatedByApplication()).isTrue();
        assertThat(connection.isOpen()).isFalse();
        assertThatThrownBy(() -> channel.queueDeclare()).isInstanceOf(AlreadyClosedException.class);
        assertThatThrownBy(() -> connection.createChannel()).isInstanceOf(AlreadyClosedException.class);
    }

    @Test
    void connectionErrorEndsEveryChannelWithTheSameReason() throws Exception {
        Channel second = connection.createChannel();
        String queue = queue();
        channel.basicConsume(queue, true, "twice", new Collector(channel));
        connectionError(AMQP.NOT_ALLOWED, "attempt to reuse consumer tag 'twice'",
                () -> channel.basicConsume(queue, true, "twice", new Collector(channel)));
        awaitConnectionError(connection, AMQP.NOT_ALLOWED, "attempt to reuse consumer tag 'twice'");
        Eventually.holds("second channel closed", () -> !second.isOpen());
        assertThat(second.getCloseReason().getReason()).isEqualTo(connection.getCloseReason().getReason());
    }

    @Test
    void abortIsQuietOnAClosedConnection() {
        connection.abort();
        assertThatCode(() -> connection.abort()).doesNotThrowAnyException();
        assertThat(connection.isOpen()).isFalse();
    }

    @Test
    void blockedListenersComeAndGo() throws Exception {
        var listener = connection.addBlockedListener(reason -> {}, () -> {});
        send(queue(), "the connection carries on with a listener");
        assertThat(connection.removeBlockedListener(listener)).isTrue();
        assertThat(connection.removeBlockedListener(listener)).isFalse();
    }

    @Test
    void updateSecretIsAcceptedAndTheConnectionLivesOn() throws Exception {
        CompletableFuture<Callable<Boolean>> refresh = new CompletableFuture<>();
        ConnectionFactory factory = Broker.factory();
        String user = factory.getUsername();
        String password = factory.getPassword();
        factory.setCredentialsProvider(new DefaultCredentialsProvider(user, password) {
            @Override
            public Duration getTimeBeforeExpiration() {
                return Duration.ofHours(1);
            }
        });
        factory.setCredentialsRefreshService(new CredentialsRefreshService() {
            @Override
            public String register(CredentialsProvider provider, Callable<Boolean> action) {
                refresh.complete(action);
                return "only";
            }

            @Override
            public void unregister(CredentialsProvider provider, String id) {}

            @Override
            public boolean isApproachingExpiration(Duration timeBeforeExpiration) {
                return false;
            }
        });
        Connection renewing = closeLater(factory.newConnection());
        // The client's own hook: it sends update-secret and waits for the answer.
        assertThat(refresh.get(20, TimeUnit.SECONDS).call()).isTrue();
        assertThat(renewing.createChannel().queueDeclare().getQueue()).isNotEmpty();
    }

    @Test
    void brokerSendsHeartbeatsOnAnIdleConnection() throws Exception {
        try (TcpProxy proxy = new TcpProxy()) {
            ConnectionFactory factory = through(proxy);
            factory.setRequestedHeartbeat(1);
            Connection idle = closeLater(factory.newConnection());
            long before = proxy.bytesFromBroker();
            // A heartbeat frame is eight octets; nothing else is due on an idle connection.
            Eventually.holds("three heartbeats", () -> proxy.bytesFromBroker() >= before + 24);
            assertThat((proxy.bytesFromBroker() - before) % 8).isZero();
            assertThat(idle.isOpen()).isTrue();
        }
    }

    @Test
    void clientNoticesASilentBroker() throws Exception {
        try (TcpProxy proxy = new TcpProxy()) {
            ConnectionFactory factory = through(proxy);
            factory.setRequestedHeartbeat(1);
            Connection quiet = closeLater(factory.newConnection());
            proxy.silence(true);
            Eventually.holds("missed heartbeats", () -> !quiet.isOpen());
            assertThat(quiet.getCloseReason()).hasCauseInstanceOf(MissedHeartbeatException.class);
        }
    }

    @Test
    void brokerForgetsASilentClient() throws Exception {
        String queue = Broker.unique("exclusive");
        try (TcpProxy proxy = new TcpProxy()) {
            ConnectionFactory factory = through(proxy);
            factory.setRequestedHeartbeat(1);
            Connection quiet = closeLater(factory.newConnection());
            quiet.createChannel().queueDeclare(queue, false, true, false, null);
            proxy.silence(true);
            // Its exclusive queue goes with it, and then the name is free.
            Eventually.holds("exclusive queue of the silent client gone", () -> {
                Channel probe = connection.createChannel();
                try {
                    probe.queueDeclare(queue, false, true, true, null);
                    probe.close();
                    return true;
                } catch (IOException locked) {
                    return false;
                }
            });
        }
    }

    @Test
    void heartbeatCanBeTurnedOff() throws Exception {
        ConnectionFactory factory = Broker.factory();
        factory.setRequestedHeartbeat(0);
        Connection open = closeLater(factory.newConnection());
        assertThat(open.createChannel().queueDeclare().getQueue()).isNotEmpty();
    }

    @Test
    void aCutSocketIsAnUnexpectedEnd() throws Exception {
        try (TcpProxy proxy = new TcpProxy()) {
            Connection cut = closeLater(through(proxy).newConnection());
            Channel ch = cut.createChannel();
            proxy.cut();
            Eventually.holds("connection noticed", () -> !cut.isOpen());
            assertThat(cut.getCloseReason().isInitiatedByApplication()).isFalse();
            assertThat(cut.getCloseReason().isHardError()).isTrue();
            Eventually.holds("channel noticed", () -> !ch.isOpen());
        }
    }

    @Test
    void manyConnectionsComeAndGo() throws Exception {
        for (int i = 0; i < 50; i++) {
            try (Connection each = Broker.factory().newConnection()) {
                assertThat(each.createChannel().queueDeclare().getQueue()).isNotEmpty();
            }
        }
    }

    private static ConnectionFactory through(TcpProxy proxy) {
        ConnectionFactory factory = Broker.factory();
        factory.setHost(proxy.host());
        factory.setPort(proxy.port());
        return factory;
    }
}
