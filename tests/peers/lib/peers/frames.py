"""HTTP/2 frames by hand: one ill-formed request, and what came of it."""

import dataclasses
import socket
import struct

import hpack
from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame

from peers.http1 import careless

@dataclasses.dataclass
class Request:
    head: list
    body: bytes | None = None
    trailers: list | None = None


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, GOAWAY = 1, 3, 4, 7
STREAM = 1


def exchange(address, case):
    """Sends a case's frames; the status, or the words for how it ended."""
    plain = socket.create_connection(address, timeout=10)
    connection = careless(("h2",)).wrap_socket(plain, server_hostname="localhost")
    try:
        connection.sendall(PREFACE + settings() + request(case))
        return outcome(connection)
    except ConnectionError as error:
        return f"cut off: {type(error).__name__}"
    finally:
        connection.close()


def settings(ack=False):
    """The frame that begins a connection, or the one that says that the other's was taken."""
    return SettingsFrame(0, flags=["ACK"] if ack else []).serialize()


def request(case):
    """The frames of a request."""
    made = [_headers(case.head, end=case.body is None)]
    if case.body is not None:
        data = DataFrame(STREAM, case.body)
        if case.trailers is None:
            data.flags.add("END_STREAM")
        made.append(data)
    if case.trailers is not None:
        made.append(_headers(case.trailers, end=True))
    return b"".join(frame.serialize() for frame in made)


def _headers(fields, end):
    # Never indexed: each field goes as it is.
    block = b"".join(_literal(name, value) for name, value in fields)
    frame = HeadersFrame(STREAM, block, flags=["END_HEADERS"])
    if end:
        frame.flags.add("END_STREAM")
    return frame


def _literal(name, value):
    """RFC 7541 section 6.2.2, new name, no Huffman code."""
    return b"\x00" + _string(name) + _string(value)


def _string(data):
    if len(data) < 127:
        return bytes([len(data)]) + data
    length, left = bytearray([127]), len(data) - 127
    while left >= 128:
        length.append(left % 128 + 128)
        left //= 128
    return bytes([*length, left]) + data


def outcome(connection):
    decoder, data = hpack.Decoder(), b""
    while True:
        while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
            more = connection.recv(65536)
            if not more:
                return "cut off"
            data += more
        length, kind, flags, stream = int.from_bytes(data[:3], "big"), data[3], data[4], struct.unpack(">I", data[5:9])[0]
        payload, data = data[9 : 9 + length], data[9 + length :]
        if kind == HEADERS and stream == STREAM:
            return int(dict(decoder.decode(payload))[":status"])
        if kind == RST_STREAM and stream == STREAM:
            return f"reset with code {int.from_bytes(payload, 'big')}"
        if kind == GOAWAY:
            return f"GOAWAY with code {int.from_bytes(payload[4:8], 'big')}"
        if kind == SETTINGS and not flags & 1:
            connection.sendall(settings(ack=True))
