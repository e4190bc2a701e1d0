"""A network between two places that are far from each other, as a relay on loopback.

`tc netem` would need a kernel module and privileges that test machines seldom have. What matters to a
flow-controlled protocol is the same here: every byte arrives `delay` seconds after it was sent, in both
directions, `rate` bytes per second pass, and no more is on its way than fits.
"""

import collections
import socket
import threading
import time

PIECE = 16 << 10


class Far:
    """Relays to `target`; `address` is where to connect."""

    def __init__(self, target, delay, rate):
        self.target, self.delay, self.rate = target, delay, rate
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(self.target)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Lane(self, near, far)
            _Lane(self, far, near)


class _Lane:
    """One direction of a connection."""

    def __init__(self, network, source, sink):
        self.network, self.source, self.sink = network, source, sink
        # What fits on the line, and a router's buffer of the same size.
        self.room = max(2 * int(network.rate * network.delay), 4 * PIECE)
        self.held, self.pieces, self.changed = 0, collections.deque(), threading.Condition()
        threading.Thread(target=self._take, daemon=True).start()
        threading.Thread(target=self._deliver, daemon=True).start()

    def _take(self):
        piece = b"?"
        while piece:
            try:
                piece = self.source.recv(PIECE)
            except OSError:
                piece = b""
            with self.changed:
                self.changed.wait_for(lambda: self.held < self.room)
                self.held += len(piece)
                self.pieces.append((time.monotonic() + self.network.delay, piece))
                self.changed.notify_all()

    def _deliver(self):
        free = 0.0
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.pieces)
                due, piece = self.pieces.popleft()
            # The line is busy with one piece at a time.
            free = max(free, due) + len(piece) / self.network.rate
            time.sleep(max(0.0, free - time.monotonic()))
            try:
                if not piece:
                    return self.sink.shutdown(socket.SHUT_WR)
                self.sink.sendall(piece)
            except OSError:
                return
            finally:
                with self.changed:
                    self.held -= len(piece)
                    self.changed.notify_all()
