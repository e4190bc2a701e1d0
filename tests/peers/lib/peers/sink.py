"""An origin that takes bodies as fast as they come and keeps nothing. `python -m peers.sink`."""

import socket
import threading

PIECE = 1 << 20


def serve(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=take, args=(connection,), daemon=True).start()


def take(connection):
    """Requests with a Content-Length, one after the other; answers with the number of bytes taken."""
    room, rest = bytearray(PIECE), b""
    while True:
        head, rest = _head(connection, rest)
        if head is None:
            return connection.close()
        left = length = _length(head)
        left -= len(rest)
        rest = b""
        while left > 0:
            got = connection.recv_into(room, min(PIECE, left))
            if got == 0:
                return connection.close()
            left -= got
        body = b"%d" % length
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def _head(connection, data):
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None, b""
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _length(head):
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        print(server.getsockname()[1], flush=True)
        serve(server)
