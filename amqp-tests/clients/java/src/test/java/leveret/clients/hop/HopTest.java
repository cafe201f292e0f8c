package leveret.clients.hop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.ShutdownSignalException;
import com.rabbitmq.http.client.Client;
import com.rabbitmq.http.client.ClientParameters;
import com.rabbitmq.http.client.GetAckMode;
import com.rabbitmq.http.client.GetEncoding;
import com.rabbitmq.http.client.domain.BindingInfo;
import com.rabbitmq.http.client.domain.ConnectionInfo;
import com.rabbitmq.http.client.domain.ExchangeInfo;
import com.rabbitmq.http.client.domain.InboundMessage;
import com.rabbitmq.http.client.domain.OutboundMessage;
import com.rabbitmq.http.client.domain.Page;
import com.rabbitmq.http.client.domain.PolicyInfo;
import com.rabbitmq.http.client.domain.QueryParameters;
import com.rabbitmq.http.client.domain.QueueInfo;
import com.rabbitmq.http.client.domain.UserPermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import leveret.clients.Broker;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/** The management API as hop, RabbitMQ's Java client for it, reads and uses it. */
@EnabledIfEnvironmentVariable(named = "MANAGEMENT_URL", matches = ".+")
class HopTest {
    private static final Duration LAG = Duration.ofSeconds(30);

    private Client client;
    private String vhost;

    @BeforeEach
    void makeVhost() throws Exception {
        client = new Client(new ClientParameters()
                .url(System.getenv("MANAGEMENT_URL") + "/api/")
                .username("guest")
                .password("guest"));
        vhost = Broker.unique("hop");
        client.createVhost(vhost, "made by hop", "one", "two");
    }

    @AfterEach
    void deleteVhost() {
        client.deleteVhost(vhost);
        assertThat(client.getVhost(vhost)).isNull();
    }

    private void declare(String queue, Map<String, Object> arguments) {
        client.declareQueue(vhost, queue, new QueueInfo(true, false, false, arguments));
    }

    @Test
    void readsTheNode() {
        var overview = client.getOverview();
        assertThat(overview.getServerVersion()).startsWith("3.10");
        assertThat(overview.getNode()).isNotBlank();
        assertThat(overview.getExchangeTypes()).isNotEmpty();
        assertThat(client.getNodes()).singleElement()
                .satisfies(node -> assertThat(node.getName()).isEqualTo(overview.getNode()));
        assertThat(client.getNode(overview.getNode()).isRunning()).isTrue();
        assertThat(client.whoAmI().getName()).isEqualTo("guest");
        assertThat(client.getClusterName().getName()).isNotBlank();
        assertThat(client.alivenessTest(vhost)).isTrue();
        assertThat(client.getExtensions()).isNotNull();
    }

    @Test
    void vhostsUsersAndPermissions() {
        var told = client.getVhost(vhost);
        assertThat(told.getDescription()).isEqualTo("made by hop");
        assertThat(told.getTags()).containsExactlyInAnyOrder("one", "two");
        assertThat(client.getVhosts()).anyMatch(v -> v.getName().equals(vhost));
        String user = Broker.unique("user");
        client.createUser(user, "secret".toCharArray(), List.of("monitoring", "own"));
        try {
            assertThat(client.getUser(user).getTags()).containsExactly("monitoring", "own");
            var permissions = new UserPermissions();
            permissions.setConfigure("^a");
            permissions.setWrite(".*");
            permissions.setRead("");
            client.updatePermissions(vhost, user, permissions);
            assertThat(client.getPermissions(vhost, user).getConfigure()).isEqualTo("^a");
            assertThat(client.getPermissionsOf(user)).hasSize(1);
            client.clearPermissions(vhost, user);
            assertThat(client.getPermissions(vhost, user)).isNull();
            client.updateUser(user, "other".toCharArray(), List.of("management"));
            assertThat(client.getUser(user).getTags()).containsExactly("management");
        } finally {
            client.deleteUser(user);
        }
        assertThat(client.getUser(user)).isNull();
    }

    @Test
    void declaresBindsAndDeletes() {
        declare("q", Map.of("x-max-length", 9));
        client.declareExchange(vhost, "x", new ExchangeInfo("topic", true, false));
        client.declareExchange(vhost, "y", new ExchangeInfo("fanout", true, false));
        client.bindQueue(vhost, "q", "x", "a.#");
        client.bindQueue(vhost, "q", "x", "b", Map.of("n", 1));
        client.bindExchange(vhost, "y", "x", "k");
        QueueInfo q = client.getQueue(vhost, "q");
        assertThat(q.isDurable()).isTrue();
        assertThat(q.getArguments()).containsEntry("x-max-length", 9);
        // What Spring's LocalizedQueueConnectionFactory looks at.
        assertThat(q.getNode()).isEqualTo(client.getOverview().getNode());
        assertThat(client.getExchange(vhost, "x").getType()).isEqualTo("topic");
        assertThat(client.getQueueBindingsBetween(vhost, "x", "q")).extracting(BindingInfo::getRoutingKey)
                .containsExactlyInAnyOrder("a.#", "b");
        assertThat(client.getQueueBindings(vhost, "q")).hasSize(3);
        assertThat(client.getExchangeBindingsBetween(vhost, "x", "y")).hasSize(1);
        client.unbindQueue(vhost, "q", "x", "a.#");
        client.unbindExchange(vhost, "y", "x", "k");
        assertThat(client.getBindingsBySource(vhost, "x")).extracting(BindingInfo::getRoutingKey)
                .containsExactly("b");
        client.deleteExchange(vhost, "x");
        client.deleteQueue(vhost, "q");
        assertThat(client.getQueue(vhost, "q")).isNull();
        assertThat(client.getExchange(vhost, "x")).isNull();
        assertThat(client.getBindings(vhost)).isEmpty();
    }

    @Test
    void publishesGetsAndPurges() {
        declare("q", Map.of());
        var message = new OutboundMessage().payload("hello").utf8Encoded()
                .properties(Map.of("delivery_mode", 2, "headers", Map.of("n", 1)));
        assertThat(client.publish(vhost, "amq.default", "q", message)).isTrue();
        assertThat(client.publish(vhost, "amq.default", "nowhere", message)).isFalse();
        List<InboundMessage> got =
                client.get(vhost, "q", 1, GetAckMode.NACK_REQUEUE_TRUE, GetEncoding.AUTO);
        assertThat(got).singleElement().satisfies(m -> {
            assertThat(m.getPayload()).isEqualTo("hello");
            assertThat(m.isRedelivered()).isFalse();
            assertThat(m.getProperties()).containsEntry("delivery_mode", 2);
        });
        assertThat(client.get(vhost, "q").isRedelivered()).isTrue();
        client.purgeQueue(vhost, "q");
        assertThat(client.get(vhost, "q", 9, GetAckMode.REJECT_REQUEUE_FALSE, GetEncoding.BASE64)).isEmpty();
    }

    @Test
    void policiesAndLimits() {
        declare("q", Map.of());
        client.declarePolicy(vhost, "p", new PolicyInfo("^q", 3, "queues", Map.of("max-length", 5)));
        client.declareOperatorPolicy(vhost, "o", new PolicyInfo("^q", 0, "queues", Map.of("max-length", 2)));
        assertThat(client.getPolicies(vhost)).singleElement()
                .satisfies(p -> assertThat(p.getPriority()).isEqualTo(3));
        assertThat(client.getOperatorPolicies(vhost)).hasSize(1);
        await().atMost(LAG).untilAsserted(() -> assertThat(client.getQueue(vhost, "q").getEffectivePolicyDefinition())
                .containsEntry("max-length", 2));
        client.deleteOperatorPolicy(vhost, "o");
        client.deletePolicy(vhost, "p");
        assertThat(client.getPolicies(vhost)).isEmpty();
        client.limitMaxNumberOfQueues(vhost, 1);
        assertThat(client.getVhostLimits(vhost).getMaxQueues()).isEqualTo(1);
        client.clearMaxQueuesLimit(vhost);
        assertThat(client.getVhostLimits(vhost).getMaxQueues()).isEqualTo(-1);
    }

    @Test
    void pages() {
        for (String name : List.of("a1", "a2", "b1")) {
            declare(name, Map.of());
        }
        var query = new QueryParameters().name("^a", true).pagination().pageSize(1).query();
        Page<QueueInfo> page = client.getQueues(vhost, query);
        assertThat(page.getTotalCount()).isEqualTo(3);
        assertThat(page.getFilteredCount()).isEqualTo(2);
        assertThat(page.getItemsAsList()).extracting(QueueInfo::getName).containsExactly("a1");
    }

    @Test
    void seesAndClosesConnections() throws Exception {
        ConnectionFactory factory = Broker.factory();
        factory.setVirtualHost(vhost);
        Connection connection = factory.newConnection("hop sees me");
        AtomicReference<ShutdownSignalException> ended = new AtomicReference<>();
        connection.addShutdownListener(ended::set);
        var channel = connection.createChannel();
        channel.queueDeclare("q", false, false, false, Map.of());
        channel.basicConsume("q", true, "its tag", (tag, delivery) -> {}, tag -> {});
        AtomicReference<ConnectionInfo> seen = new AtomicReference<>();
        await().atMost(LAG).untilAsserted(() -> {
            var mine = client.getConnections().stream().filter(c -> vhost.equals(c.getVhost())).toList();
            assertThat(mine).hasSize(1);
            seen.set(mine.get(0));
        });
        assertThat(seen.get().getClientProperties().getConnectionName()).isEqualTo("hop sees me");
        assertThat(seen.get().getUser()).isEqualTo("guest");
        await().atMost(LAG).untilAsserted(() -> {
            assertThat(client.getChannels(seen.get().getName())).hasSize(1);
            assertThat(client.getConsumers(vhost)).singleElement()
                    .satisfies(c -> assertThat(c.getConsumerTag()).isEqualTo("its tag"));
        });
        client.closeConnection(seen.get().getName(), "hop says so");
        await().atMost(LAG).until(() -> ended.get() != null);
        assertThat(ended.get().getMessage()).contains("320").contains("hop says so");
    }

    @Test
    void definitions() {
        declare("q", Map.of());
        var told = client.getDefinitions();
        assertThat(told.getServerVersion()).startsWith("3.10");
        assertThat(told.getQueues()).anyMatch(q -> vhost.equals(q.getVhost()) && "q".equals(q.getName()));
        assertThat(told.getVhosts()).anyMatch(v -> vhost.equals(v.getName()));
    }
}
