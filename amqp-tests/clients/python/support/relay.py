"""A TCP relay in front of the broker that a test can cut, freeze or close.

This is how the suites make a network fail without asking anything of the
broker: ``cut`` resets every connection (a crashed host), ``freeze`` stops
forwarding and keeps the sockets open (a pulled cable), ``refuse`` stops
listening (a broker that is down).
"""

import socket
import struct
import threading

from broker import HOST, PORT

CHUNK = 65536


class Relay:
    """Listens on a free loopback port until ``stop``; one per test."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.accepted = 0
        self._pairs = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._serve()

    def cut(self):
        """Resets every connection that is open now."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _reset(end)

    def freeze(self):
        """Forwards nothing more; what is open stays open and silent."""
        self._flowing.clear()

    def thaw(self):
        self._flowing.set()

    def refuse(self):
        """Stops listening: a new connection is refused until ``listen``."""
        # Wakes the accept, which closing alone does not.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def listen(self):
        """Listens again, on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def stop(self):
        self.refuse()
        self._flowing.set()
        self.cut()

    def _serve(self):
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((HOST, PORT))
            except OSError:
                _reset(client)
                continue
            with self._lock:
                self._pairs.append((client, server))
                self.accepted += 1
            for source, sink in ((client, server), (server, client)):
                threading.Thread(
                    target=self._forward, args=(source, sink), daemon=True
                ).start()

    def _forward(self, source, sink):
        while True:
            try:
                data = source.recv(CHUNK)
            except OSError:
                data = b""
            self._flowing.wait()
            try:
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
            except OSError:
                return


def _reset(end):
    """Closes with RST: no orderly goodbye, as when a host dies. The shutdown
    wakes the thread that is blocked in recv."""
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RD)
    except OSError:
        pass
    end.close()
