package leveret.clients.rabbit;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.LongString;
import com.rabbitmq.client.impl.LongStringHelper;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import leveret.clients.Broker;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a message carries arrives as it was sent. */
class ContentTest extends BrokerTest {

    private GetResponse echo(BasicProperties properties, byte[] body) throws Exception {
        String queue = queue();
        channel.basicPublish("", queue, properties, body);
        return take(queue);
    }

    @Test
    void allFourteenPropertiesArrive() throws Exception {
        BasicProperties sent = new BasicProperties.Builder()
                .contentType("text/plain").contentEncoding("gzip").headers(Map.of("k", 1))
                .deliveryMode(2).priority(7).correlationId("corr").replyTo("reply").expiration("600000")
                .messageId("id").timestamp(new Date(1_700_000_000_000L)).type("kind")
                .userId(Broker.factory().getUsername()).appId("app").clusterId("cluster").build();
        GetResponse got = echo(sent, bytes("body"));
        assertThat(got.getProps()).isEqualTo(sent);
        assertThat(got.getBody()).isEqualTo(bytes("body"));
    }

    @Test
    void absentPropertiesStayAbsent() throws Exception {
        assertThat(echo(PLAIN, new byte[0]).getProps()).isEqualTo(PLAIN);
        assertThat(echo(PLAIN, new byte[0]).getBody()).isEmpty();
    }

    @Test
    void headerTypesArrive() throws Exception {
        Map<String, Object> nested = new LinkedHashMap<>();
        nested.put("deep", Map.of("deeper", List.of(1, 2L, LongStringHelper.asLongString("three"))));
        Map<String, Object> headers = new LinkedHashMap<>();
        headers.put("string", LongStringHelper.asLongString("text with \u00e4\u00f6\u00fc \u20ac \uD83D\uDC07"));
        headers.put("empty string", LongStringHelper.asLongString(""));
        headers.put("int", -123_456);
        headers.put("long", Long.MIN_VALUE);
        headers.put("short", (short) -7);
        headers.put("byte", (byte) -1);
        headers.put("boolean", true);
        headers.put("double", Math.PI);
        headers.put("float", 1.5f);
        headers.put("decimal", new BigDecimal("123.45"));
        headers.put("date", new Date(1_600_000_000_000L));
        headers.put("bytes", new byte[] {0, 1, -1});
        headers.put("void", null);
        headers.put("list", Arrays.asList(1, null, true, LongStringHelper.asLongString("x")));
        headers.put("empty list", List.of());
        headers.put("table", nested);
        headers.put("empty table", Map.of());
        GetResponse got = echo(new BasicProperties.Builder().headers(headers).build(), bytes("h"));
        Map<String, Object> back = new HashMap<>(got.getProps().getHeaders());
        assertThat((byte[]) back.remove("bytes")).containsExactly(0, 1, -1);
        headers.remove("bytes");
        assertThat(back).isEqualTo(headers);
        assertThat(back.get("string")).isInstanceOf(LongString.class);
    }

    @Test
    void headersOfManyKilobytesArrive() throws Exception {
        Map<String, Object> headers = new HashMap<>();
        for (int i = 0; i < 500; i++) {
            headers.put("header-" + i, LongStringHelper.asLongString("v".repeat(i % 200)));
        }
        GetResponse got = echo(new BasicProperties.Builder().headers(headers).build(), bytes("h"));
        assertThat(got.getProps().getHeaders()).isEqualTo(headers);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4_088, 131_063, 131_064, 131_065, 262_128, 262_129, 1_048_576, 16_777_216})
    void bodiesOfAnySizeArrive(int size) throws Exception {
        byte[] body = new byte[size];
        new Random(size).nextBytes(body);
        assertThat(Arrays.equals(echo(PLAIN, body).getBody(), body)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(ints = {4_096, 5_000, 65_536})
    void bodiesAreSplitToTheNegotiatedFrame(int frameMax) throws Exception {
        ConnectionFactory factory = Broker.factory();
        factory.setRequestedFrameMax(frameMax);
        Connection small = closeLater(factory.newConnection());
        assertThat(small.getFrameMax()).isEqualTo(frameMax);
        Channel ch = small.createChannel();
        String queue = queue();
        Collector consumer = new Collector(ch);
        ch.basicConsume(queue, true, consumer);
        byte[] body = new byte[300_000];
        new Random(frameMax).nextBytes(body);
        // The client closes the connection on any frame above its limit.
        channel.basicPublish("", queue, PLAIN, body);
        ch.basicPublish("", queue, PLAIN, body);
        for (Delivery delivery : consumer.next(2)) {
            assertThat(Arrays.equals(delivery.getBody(), body)).isTrue();
        }
    }

    @Test
    void manyLargeBodiesInterleaveWithSmallOnes() throws Exception {
        String queue = queue();
        Collector consumer = new Collector(channel);
        channel.basicConsume(queue, true, consumer);
        Channel small = connection.createChannel();
        byte[] large = new byte[1_000_000];
        for (int i = 0; i < 10; i++) {
            channel.basicPublish("", queue, PLAIN, large);
            small.basicPublish("", queue, PLAIN, bytes("s"));
        }
        assertThat(consumer.next(20).stream().mapToInt(d -> d.getBody().length).sum()).isEqualTo(10_000_010);
    }

    @Test
    void theUserIdIsChecked() throws Exception {
        channel.basicPublish("", queue(), new BasicProperties.Builder().userId("somebody else").build(), bytes("x"));
        awaitChannelError(channel, AMQP.PRECONDITION_FAILED,
                "PRECONDITION_FAILED - user_id property set to 'somebody else' but authenticated user was '"
                        + Broker.factory().getUsername() + "'");
    }

    @Test
    void longRoutingKeysAndNamesArrive() throws Exception {
        String exchange = exchange("direct");
        String queue = queueName() + "q".repeat(200);
        channel.queueDeclare(queue, false, true, true, null);
        String key = "\u20ac".repeat(85);
        channel.queueBind(queue, exchange, key);
        publish(exchange, key, "255 octets");
        assertThat(take(queue).getEnvelope().getRoutingKey()).isEqualTo(key);
    }

    @Test
    void senderSelectedCopiesAreMade() throws Exception {
        String to = queue();
        String cc = queue();
        String bcc = queue();
        channel.basicPublish("", to, new BasicProperties.Builder()
                .headers(Map.of("CC", List.of(cc), "BCC", List.of(bcc))).build(), bytes("copy"));
        for (String queue : new String[] {to, cc, bcc}) {
            GetResponse got = take(queue);
            assertThat(text(got)).isEqualTo("copy");
            assertThat(got.getProps().getHeaders()).containsKey("CC").doesNotContainKey("BCC");
        }
    }
}
