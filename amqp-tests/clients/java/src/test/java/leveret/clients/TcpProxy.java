package leveret.clients;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** A loopback proxy in front of the broker, so that a test can cut or silence the network. */
public final class TcpProxy implements Closeable {
    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final AtomicInteger accepted = new AtomicInteger();
    private final AtomicLong fromBroker = new AtomicLong();
    private final Object gate = new Object();
    private boolean silent;
    private volatile boolean refusing;

    public TcpProxy() throws IOException {
        daemon("proxy-accept", this::acceptLoop);
    }

    public String host() {
        return server.getInetAddress().getHostAddress();
    }

    public int port() {
        return server.getLocalPort();
    }

    /** How many clients have come so far. */
    public int accepted() {
        return accepted.get();
    }

    /** Bytes that the broker has sent through. */
    public long bytesFromBroker() {
        return fromBroker.get();
    }

    /** Closes every connection; new ones are welcome. */
    public void cut() {
        for (Socket socket : sockets) {
            closeQuietly(socket);
        }
        sockets.clear();
    }

    /** While true, new connections are closed at once. */
    public void refuse(boolean refuse) {
        refusing = refuse;
    }

    /** While true nothing is passed on, though every socket stays open. */
    public void silence(boolean value) {
        synchronized (gate) {
            silent = value;
            gate.notifyAll();
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        cut();
        silence(false);
    }

    private void acceptLoop() {
        while (!server.isClosed()) {
            try {
                Socket client = server.accept();
                if (refusing) {
                    closeQuietly(client);
                    continue;
                }
                Socket broker = new Socket();
                broker.connect(new InetSocketAddress(Broker.host(), Broker.port()), 5_000);
                client.setTcpNoDelay(true);
                broker.setTcpNoDelay(true);
                sockets.add(client);
                sockets.add(broker);
                accepted.incrementAndGet();
                daemon("proxy-up", () -> pump(client, broker, new AtomicLong()));
                daemon("proxy-down", () -> pump(broker, client, fromBroker));
            } catch (IOException e) {
                // The next accept either works or ends the loop.
            }
        }
    }

    private void pump(Socket from, Socket to, AtomicLong counter) {
        byte[] buffer = new byte[65_536];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                counter.addAndGet(n);
                waitWhileSilent();
                out.write(buffer, 0, n);
            }
        } catch (IOException e) {
            // Both ends are closed below, which is all that a broken pipe asks for.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            closeQuietly(from);
            closeQuietly(to);
        }
    }

    private void waitWhileSilent() throws InterruptedException {
        synchronized (gate) {
            while (silent) {
                gate.wait();
            }
        }
    }

    private static void daemon(String name, Runnable body) {
        Thread thread = new Thread(body, name);
        thread.setDaemon(true);
        thread.start();
    }

    private static void closeQuietly(Closeable closeable) {
        try {
            closeable.close();
        } catch (IOException e) {
            // Already gone.
        }
    }
}
