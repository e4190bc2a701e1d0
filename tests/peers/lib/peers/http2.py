"""HTTP/2 over TLS, with frames by the h2 package; refuses nothing that we want to send."""

import socket

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from peers.http1 import Answer, Broken, careless

# Not of HTTP/2 (RFC 9113 section 8.2.2).
HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"}


class Connection:
    """One connection; a request at a time."""

    def __init__(self, address, timeout=30, server_name="localhost"):
        plain = socket.create_connection(address, timeout=timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = careless(("h2",)).wrap_socket(plain, server_hostname=server_name)
        if self.socket.selected_alpn_protocol() != "h2":
            raise Broken("HTTP/2 was not agreed on")
        config = h2.config.H2Configuration(
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 24)
        self.ended = None
        self._flush()

    def ask(self, method, target, host, fields=(), body=None, chunked=False):
        """Sends a request and returns the answer to it."""
        head = [(":method", method), (":scheme", "https"), (":authority", host), (":path", target)]
        head += [(name.lower(), value) for name, value in fields if name.lower() not in HOP]
        if body is not None and not chunked:
            head.append(("content-length", str(len(body))))
        stream = self.send_head(head, end=not body)
        if body:
            self.send_body(stream, body)
        return self.answer(stream)

    def send_head(self, head, end):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(_bytes(name), _bytes(value)) for name, value in head], end_stream=end)
        self._flush()
        self._answers = {**getattr(self, "_answers", {}), stream: Answer(0, "", [], b"", False)}
        return stream

    def send_body(self, stream, body, end=True):
        """All of it, as the windows allow; stops if the answer is complete before."""
        at = 0
        while at < len(body) and not self._over(stream):
            size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body) - at)
            if size <= 0:
                self._receive()
                continue
            self.h2.send_data(stream, body[at : at + size], end_stream=end and at + size == len(body))
            at += size
            self._flush()

    def answer(self, stream):
        while not self._over(stream):
            self._receive()
        answer = self._answers[stream]
        if not answer.complete:
            raise Broken(f"stream ended: {self.ended or answer.reason}")
        return answer

    def _over(self, stream):
        answer = self._answers[stream]
        return answer.complete or answer.reason or self.ended

    def _receive(self):
        try:
            data = self.socket.recv(1 << 18)
            events = self.h2.receive_data(data) if data else []
        except (ConnectionError, h2.exceptions.ProtocolError) as error:
            data, events, self.ended = b"", [], f"{error!r}"
        if not data:
            self.ended = self.ended or "the connection was closed"
        for event in events:
            self._happened(event)
        self._flush()

    def _happened(self, event):
        answer = getattr(self, "_answers", {}).get(getattr(event, "stream_id", None))
        match event:
            case h2.events.ResponseReceived():
                answer.fields = [(_text(n), _text(v)) for n, v in event.headers if _text(n) != ":status"]
                answer.status = next(int(_text(v)) for n, v in event.headers if _text(n) == ":status")
            case h2.events.DataReceived():
                answer.body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                answer.complete = True
            case h2.events.StreamReset():
                if answer and not answer.complete:
                    answer.reason = f"reset with code {int(event.error_code)}"
            case h2.events.ConnectionTerminated():
                self.ended = f"GOAWAY with code {int(event.error_code)}"

    def _flush(self):
        try:
            self.socket.sendall(self.h2.data_to_send())
        except OSError as error:
            self.ended = self.ended or repr(error)

    def close(self):
        self.socket.close()


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8")


def _text(data):
    return data if isinstance(data, str) else data.decode("latin-1")
