"""HTTP/1.1 without comfort: sends the bytes it is given, reads what comes, hides nothing."""

import dataclasses
import functools
import socket
import ssl


class Broken(Exception):
    """An answer that ends too early, or is none."""


@dataclasses.dataclass
class Answer:
    status: int
    reason: str
    fields: list  # of (name in lower case, value), in order
    body: bytes
    complete: bool = True

    def all(self, name):
        return [value for field, value in self.fields if field == name]

    def get(self, name):
        return next(iter(self.all(name)), None)


class Connection:
    """One connection; a request at a time."""

    def __init__(self, address, tls=False, timeout=30, alpn=("http/1.1",)):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = careless(alpn).wrap_socket(self.socket, server_hostname="localhost")
        self.file = self.socket.makefile("rb")
        self.interim = []

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, method, target, host, fields=(), body=None, chunked=False):
        """Sends a request and returns the answer to it."""
        try:
            self.send(request(method, target, host, fields, body, chunked))
        except ConnectionError:
            pass  # an early answer may be there nevertheless
        return self.answer(method)

    def answer(self, method="GET"):
        """The next final answer; interim ones (1xx) are put aside."""
        while True:
            answer = self._head()
            if 100 <= answer.status < 200 and answer.status != 101:
                self.interim.append(answer)
                continue
            if method != "HEAD" and answer.status not in (101, 204, 304):
                answer.body = self._body(answer)
            return answer

    def _head(self):
        line = self.file.readline(65536)
        if not line.endswith(b"\r\n"):
            raise Broken(f"a status line {line!r}")
        version, status, *reason = line.decode("latin-1").rstrip("\r\n").split(" ", 2)
        if not version.startswith("HTTP/1."):
            raise Broken(f"a status line {line!r}")
        return Answer(int(status), "".join(reason), self._fields(), b"")

    def _fields(self):
        fields = []
        while True:
            line = self.file.readline(1 << 20)
            if line == b"\r\n":
                return fields
            if not line.endswith(b"\n"):
                raise Broken(f"a field line {line!r}")
            name, _, value = line.decode("latin-1").partition(":")
            fields.append((name.lower(), value.strip()))

    def _body(self, answer):
        if "chunked" in (answer.get("transfer-encoding") or "").lower():
            return self._chunks()
        length = answer.get("content-length")
        if length is None:
            return self.file.read()
        body = self.file.read(int(length))
        if len(body) != int(length):
            raise Broken(f"a body of {len(body)} bytes instead of {length}")
        return body

    def _chunks(self):
        body = bytearray()
        while True:
            line = self.file.readline(65536)
            if not line.endswith(b"\r\n"):
                raise Broken(f"a chunk size {line!r}")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                self._fields()
                return bytes(body)
            data = self.file.read(size)
            if len(data) != size or self.file.read(2) != b"\r\n":
                raise Broken("a broken chunk")
            body += data

    def rest(self):
        """All bytes until the other side closes (or resets)."""
        try:
            return self.file.read()
        except (ConnectionError, ssl.SSLError):
            return b""

    def close(self):
        self.file.close()
        self.socket.close()


@functools.cache
def careless(alpn=()):
    """TLS without asking who it is: the certificates are made on the spot."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def ask(address, data, method="GET", tls=False, timeout=30):
    """One request on a connection of its own."""
    connection = Connection(address, tls=tls, timeout=timeout)
    try:
        connection.send(data)
        return connection.answer(method)
    finally:
        connection.close()


def request(method, target, host, fields=(), body=None, chunked=False):
    """The bytes of a request; `fields` are `(name, value)`, a value may be bytes."""
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines = [line.encode("utf-8") for line in head]
    for name, value in fields:
        value = value if isinstance(value, bytes) else value.encode("utf-8")
        lines.append(name.encode() + b": " + value)
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
        body = chunks(body or b"")
    elif body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def chunks(body, size=1000):
    """A body in chunks of odd sizes."""
    parts, at = [], 0
    while at < len(body):
        piece = body[at : at + size]
        parts.append(b"%x\r\n%s\r\n" % (len(piece), piece))
        at, size = at + size, size * 3 + 1
    return b"".join(parts) + b"0\r\n\r\n"
