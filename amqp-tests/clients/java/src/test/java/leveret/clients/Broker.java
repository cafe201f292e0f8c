package leveret.clients;

import com.rabbitmq.client.ConnectionFactory;
import java.net.URI;
import java.security.GeneralSecurityException;
import java.net.URISyntaxException;
import java.util.concurrent.atomic.AtomicLong;

/** The broker under test, as named by {@code AMQP_URL}, and names nobody else uses on it. */
public final class Broker {
    private static final String RUN = Long.toString(System.nanoTime(), 36);
    private static final AtomicLong NEXT = new AtomicLong();

    private Broker() {}

    public static String url() {
        String url = System.getenv("AMQP_URL");
        return url == null || url.isBlank() ? "amqp://guest:guest@127.0.0.1:5672/%2f" : url;
    }

    public static String host() {
        return URI.create(url()).getHost();
    }

    public static int port() {
        int port = URI.create(url()).getPort();
        return port < 0 ? 5672 : port;
    }

    /** A factory without automatic recovery: most tests want to see the connection end. */
    public static ConnectionFactory factory() {
        return factory(url());
    }

    public static ConnectionFactory factory(String url) {
        ConnectionFactory factory = new ConnectionFactory();
        try {
            factory.setUri(url);
        } catch (URISyntaxException | GeneralSecurityException e) {
            throw new IllegalArgumentException("AMQP_URL: " + e.getMessage(), e);
        }
        factory.setAutomaticRecoveryEnabled(false);
        factory.setConnectionTimeout(10_000);
        factory.setChannelRpcTimeout(20_000);
        return factory;
    }

    /** A name unique to this run, so that runs may share a broker. */
    public static String unique(String hint) {
        return "java." + hint + "." + RUN + "." + NEXT.incrementAndGet();
    }

    /** The virtual host as RabbitMQ prints it in reply texts. */
    public static String vhost() {
        return factory().getVirtualHost();
    }
}
