"""Requests that could be read in two ways, as bytes, and what has to become of each.

`PATH` in the bytes stands for a path that names the case, `HIDDEN` for one that no origin may ever
see as a request of its own. Each case says what origins must see of it: nothing (`REFUSED`: the
client is answered with an error of its own making, or cut off), or one request with that method and
length of body; or at most the beginning of one (`BROKEN`), which must not take effect.
"""

import dataclasses

REFUSED = ()
BROKEN = ("broken",)


@dataclasses.dataclass
class Case:
    name: str
    data: bytes
    seen: tuple = REFUSED  # of (method, bytes of the body)


HEAD = b"Host: localhost\r\n"
INNER = b"GET HIDDEN HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"3\r\nabc\r\n0\r\n\r\n"


def post(fields, body=b"", method=b"POST", version=b"HTTP/1.1"):
    return method + b" PATH " + version + b"\r\n" + HEAD + fields + b"\r\n" + body


def cases():
    """The table of HTTP/1."""
    yield from lengths()
    yield from encodings()
    yield from chunks()
    yield from lines()
    yield from hosts()
    yield from targets()
    yield from harmless()


def lengths():
    for name, value in {
        "plus": b"+3", "minus": b"-3", "hexadecimal": b"0x3", "blank within": b"3 3", "empty": b"",
        "list of two": b"3, 4", "huge": b"9" * 30, "beyond 64 bits": b"18446744073709551619",
        "fraction": b"3.0", "quoted": b'"3"', "vertical tab": b"\x0b3", "letter": b"3a", "underscore": b"3_0",
        "fullwidth digit": "３".encode(), "comma": b"3,", "leading comma": b",3",
    }.items():  # fmt: skip
        yield Case(f"length {name}", post(b"Content-Length: " + value + b"\r\n", b"abc" + INNER))
    yield Case("two lengths that differ", post(b"Content-Length: 3\r\nContent-Length: 0\r\n", b"abc" + INNER))
    yield Case("two lengths, small first", post(b"Content-Length: 0\r\nContent-Length: 3\r\n", b"abc" + INNER))
    yield Case("length and chunked", post(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", CHUNKED + INNER))
    yield Case("chunked and length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 50\r\n", b"0\r\n\r\n" + INNER))
    yield Case("length with blank before colon", post(b"Content-Length : 3\r\n", b"abc" + INNER))
    yield Case("length with tab before colon", post(b"Content-Length\t: 3\r\n", b"abc" + INNER))
    yield Case("length with NUL in its name", post(b"Content-Length\x00: 3\r\n", b"abc" + INNER))
    yield Case("length folded", post(b"Content-Length:\r\n 3\r\n", b"abc" + INNER))


def encodings():
    for name, value in {
        "identity": b"identity", "gzip": b"gzip", "gzip, chunked": b"gzip, chunked", "xchunked": b"xchunked",
        "chunked, identity": b"chunked, identity", "chunked twice": b"chunked, chunked", "quoted": b'"chunked"',
        "parameter": b"chunked;q=1", "vertical tab": b"\x0bchunked", "NUL": b"chunked\x00", "comma": b",chunked",
        "trailing comma": b"chunked,", "fullwidth": "ｃhunked".encode(), "single quotes": b"'chunked'", "cow": b"cow",
        "empty": b"", "chunked and words": b"chunked foo", "bell": b"\x07chunked",
    }.items():  # fmt: skip
        yield Case(f"encoding {name}", post(b"Transfer-Encoding: " + value + b"\r\n", CHUNKED + INNER))
        both = b"Content-Length: 13\r\nTransfer-Encoding: " + value + b"\r\n"
        yield Case(f"encoding {name} and length", post(both, CHUNKED + INNER))
    for name, fields in {
        "two fields": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "two fields, chunked last": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "twice the same": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "blank before colon": b"Transfer-Encoding : chunked\r\n",
        "folded": b"Transfer-Encoding:\r\n chunked\r\n",
        "folded name": b"X: y\r\n Transfer-Encoding: chunked\r\n",
        "leading blank in name": b" Transfer-Encoding: chunked\r\n",
        "bare CR before": b"X: y\rTransfer-Encoding: chunked\r\n",
        "bare LF before": b"X: y\nTransfer-Encoding: chunked\r\n",
        "CR in name": b"Transfer\r-Encoding: chunked\r\n",
        "no colon": b"Transfer-Encoding chunked\r\n",
    }.items():
        yield Case(f"encoding: {name}", post(b"Content-Length: 13\r\n" + fields, CHUNKED + INNER))
    yield Case("encoding in HTTP/1.0", post(b"Transfer-Encoding: chunked\r\n", CHUNKED + INNER, version=b"HTTP/1.0"))
    kept = b"Connection: keep-alive\r\nContent-Length: 13\r\nTransfer-Encoding: chunked\r\n"
    yield Case("encoding and length in HTTP/1.0", post(kept, CHUNKED + INNER, version=b"HTTP/1.0"))
    yield Case("encoding without a chunk", post(b"Transfer-Encoding: chunked\r\n", INNER))


def chunks():
    for name, body in {
        "bare LF after the size": b"3\nabc\r\n0\r\n\r\n", "bare LF after the data": b"3\r\nabc\n0\r\n\r\n",
        "CR after the size": b"3\rabc\r\n0\r\n\r\n", "no end of the data": b"3\r\nabc0\r\n\r\n",
        "data too long": b"3\r\nabcd\r\n0\r\n\r\n", "data too short": b"5\r\nabc\r\n0\r\n\r\n",
        "size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n", "size with plus": b"+3\r\nabc\r\n0\r\n\r\n",
        "size negative": b"-3\r\nabc\r\n0\r\n\r\n", "size empty": b"\r\nabc\r\n0\r\n\r\n",
        "size of 17 digits": b"00000000000000003\r\nabc\r\n0\r\n\r\n", "size overflows": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
        "size with blank before": b" 3\r\nabc\r\n0\r\n\r\n", "size with underscore": b"0_3\r\nabc\r\n0\r\n\r\n",
        "extension with bare LF": b"3;x\ny\r\nabc\r\n0\r\n\r\n", "extension with CR": b"3;x\ry\r\nabc\r\n0\r\n\r\n",
        "extension with NUL": b"3;\x00\r\nabc\r\n0\r\n\r\n", "extension of 8 KiB": b"3;" + b"x" * 8192 + b"\r\nabc\r\n0\r\n\r\n",
        "bare LF at the end": b"3\r\nabc\r\n0\r\n\n", "bare LF after the last size": b"3\r\nabc\r\n0\n\r\n",
        "trailer that frames": b"3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n",
        "trailer that encodes": b"3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "trailer folded": b"3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n", "trailer without colon": b"3\r\nabc\r\n0\r\nX\r\n\r\n",
    }.items():  # fmt: skip
        # The head is in order, so an origin may have seen it; never as complete, and nothing after it.
        yield Case(f"chunk: {name}", post(b"Transfer-Encoding: chunked\r\n", body + INNER, b"PUT"), seen=BROKEN)


def lines():
    for name, data in {
        "bare LF everywhere": b"GET PATH HTTP/1.1\nHost: localhost\n\n" + INNER,
        "bare LF after the request line": b"GET PATH HTTP/1.1\nHost: localhost\r\n\r\n" + INNER,
        "bare CR": b"GET PATH HTTP/1.1\rHost: localhost\r\r" + INNER,
        "bare CR in a value": post(b"X: a\rb\r\n", method=b"GET"),
        "NUL in a value": post(b"X: a\x00b\r\n", method=b"GET"),
        "NUL in a name": post(b"X\x00Y: ab\r\n", method=b"GET"),
        "empty name": post(b": ab\r\n", method=b"GET"),
        "blank in a name": post(b"X Y: ab\r\n", method=b"GET"),
        "control in a name": post(b"X\x01: ab\r\n", method=b"GET"),
        "8 bit in a name": post(b"X\xff: ab\r\n", method=b"GET"),
        "no colon": post(b"Xab\r\n", method=b"GET"),
        "folded": post(b"X: a\r\n b\r\n", method=b"GET"),
        "folded with tab": post(b"X: a\r\n\tb\r\n", method=b"GET"),
        "blank line before the first field": b"GET PATH HTTP/1.1\r\n Host: localhost\r\n\r\n" + INNER,
        "HTTP/0.9": b"GET PATH\r\n" + INNER,
        "HTTP/2.0": b"GET PATH HTTP/2.0\r\n" + HEAD + b"\r\n" + INNER,
        "HTTP/1.2": b"GET PATH HTTP/1.2\r\n" + HEAD + b"\r\n" + INNER,
        "HTTP/01.1": b"GET PATH HTTP/01.1\r\n" + HEAD + b"\r\n" + INNER,
        "version in lower case": b"GET PATH http/1.1\r\n" + HEAD + b"\r\n" + INNER,
        "no version, blank": b"GET PATH \r\n" + HEAD + b"\r\n" + INNER,
        "two blanks": b"GET  PATH HTTP/1.1\r\n" + HEAD + b"\r\n" + INNER,
        "tab as blank": b"GET\tPATH\tHTTP/1.1\r\n" + HEAD + b"\r\n" + INNER,
        "trailing blank": b"GET PATH HTTP/1.1 \r\n" + HEAD + b"\r\n" + INNER,
        "leading blank": b" GET PATH HTTP/1.1\r\n" + HEAD + b"\r\n" + INNER,
        "method with control": b"G\x01T PATH HTTP/1.1\r\n" + HEAD + b"\r\n" + INNER,
        "method with colon": b"G:T PATH HTTP/1.1\r\n" + HEAD + b"\r\n" + INNER,
        "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + INNER,
        "head of 1 MiB": post(b"X: " + b"a" * (1 << 20) + b"\r\n", method=b"GET"),
    }.items():
        yield Case(f"line: {name}", data)


def hosts():
    for name, fields in {
        "none": b"", "two": HEAD + HEAD, "two that differ": HEAD + b"Host: other\r\n", "empty": b"Host:\r\n",
        "with user": b"Host: a@localhost\r\n", "with path": b"Host: localhost/x\r\n", "list": b"Host: localhost, other\r\n",
        "with blank": b"Host: local host\r\n", "bad port": b"Host: localhost:x\r\n", "8 bit": b"Host: \xe9\r\n",
        "folded": b"Host:\r\n localhost\r\n", "blank before colon": b"Host : localhost\r\n",
    }.items():  # fmt: skip
        yield Case(f"host: {name}", b"GET PATH HTTP/1.1\r\nConnection: close\r\n" + fields + b"\r\n" + INNER)
    # Of the site that answers to every host, only the host in the target counts.
    absolute = b"GET http://localhostPATH HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    yield Case("target with a host", absolute, seen=("GET", 0))


def targets():
    for name, target in {
        "fragment": b"PATH#x", "blank": b"PATH x", "control": b"PATH\x01", "NUL": b"PATH\x00", "8 bit": b"PATH\xff",
        "no slash": b"x/PATH", "angle bracket": b"PATH<", "backtick": b"PATH`", "quote in the query": b'PATH?"',
        "angle bracket in the query": b"PATH?>", "CR": b"PATH\rx", "delete": b"PATH\x7f", "host with user": b"http://a@localhostPATH",
    }.items():  # fmt: skip
        yield Case(f"target: {name}", b"GET " + target + b" HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n" + INNER)
    yield Case("method CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\nConnection: close\r\n\r\n" + INNER)
    yield Case("method TRACE", b"TRACE PATH HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
    yield Case("expectation", post(b"Content-Length: 3\r\nExpect: x\r\nConnection: close\r\n", b"abc"))


def harmless():
    """What is clear has to arrive, once; else all of the above proved nothing."""
    close = b"Connection: close\r\n"
    put = dict(method=b"PUT")
    yield Case("plain GET", post(close, method=b"GET"), seen=("GET", 0))
    yield Case("length", post(close + b"Content-Length: 3\r\n", b"abc", **put), seen=("PUT", 3))
    yield Case("length with zeros", post(close + b"Content-Length: 003\r\n", b"abc", **put), seen=("PUT", 3))
    yield Case("length of zero", post(close + b"Content-Length: 0\r\n", **put), seen=("PUT", 0))
    yield Case("chunked", post(close + b"Transfer-Encoding: chunked\r\n", CHUNKED, **put), seen=("PUT", 3))
    yield Case("chunked, other case", post(close + b"tRANSFER-eNCODING: Chunked\r\n", CHUNKED, **put), seen=("PUT", 3))
    extended = b'3;name="value"\r\nabc\r\n0\r\nX-Trailer: y\r\n\r\n'
    yield Case("chunked with extension", post(close + b"Transfer-Encoding: chunked\r\n", extended, **put), seen=("PUT", 3))
    inside = b"GET HIDDEN HTTP/1.1\r\n\r\n"
    size = len(inside) + len("/hidden/h1-000") - len("HIDDEN")
    length = b"Content-Length: %d\r\n" % size
    yield Case("request within a body", post(close + length, inside, **put), seen=("PUT", size))
    yield Case("body of a GET", post(close + b"Content-Length: 3\r\n", b"abc", method=b"GET"), seen=("GET", 3))
    yield Case("Connection names the length", post(b"Connection: close, Content-Length\r\nContent-Length: 3\r\n", b"abc", **put),
               seen=("PUT", 3))  # fmt: skip
    yield Case("Connection names the encoding",
               post(b"Connection: close, Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", CHUNKED, **put), seen=("PUT", 3))  # fmt: skip
    yield Case("upgrade to h2c", post(b"Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
                                      method=b"GET"), seen=("GET", 0))  # fmt: skip
    yield Case("names with underscore", post(close + b"Content_Length: 50\r\nTransfer_Encoding: chunked\r\n", method=b"GET"), seen=("GET", 0))
    yield Case("empty lines before", b"\r\n" + post(close, method=b"GET"), seen=("GET", 0))


# === HTTP/2

PLAIN = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"PATH")]
PUT = [(b":method", b"PUT"), *PLAIN[1:]]
SPLIT = b" HTTP/1.1\r\nHost: localhost\r\n\r\nGET HIDDEN HTTP/1.1\r\nX: "


@dataclasses.dataclass
class Case2:
    name: str
    head: list
    body: bytes | None = None
    seen: tuple = REFUSED
    trailers: list | None = None


def cases2():
    """The table of HTTP/2: what HTTP/1 would read in another way."""
    yield from downgrades()
    yield from lengths2()
    yield from pseudo()
    yield from harmless2()


def downgrades():
    for name, field in {
        "transfer-encoding": (b"transfer-encoding", b"chunked"), "connection": (b"connection", b"close"),
        "keep-alive": (b"keep-alive", b"x"), "proxy-connection": (b"proxy-connection", b"x"), "upgrade": (b"upgrade", b"h2c"),
        "te": (b"te", b"gzip"), "CRLF in a value": (b"x", b"a\r\nTransfer-Encoding: chunked"), "CR in a value": (b"x", b"a\rb"),
        "LF in a value": (b"x", b"a\nContent-Length: 30"), "NUL in a value": (b"x", b"a\x00b"),
        "request in a value": (b"x", b"a\r\n\r\nGET HIDDEN HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        "CRLF in a name": (b"x\r\ntransfer-encoding: chunked\r\ny", b"a"), "colon in a name": (b"transfer-encoding: chunked\r\nx", b"a"),
        "upper case": (b"Transfer-Encoding", b"chunked"), "upper case, harmless": (b"X-Upper", b"a"), "blank in a name": (b"x y", b"a"),
        "empty name": (b"", b"a"), "colon name": (b"transfer-encoding:", b"chunked"), "NUL in a name": (b"x\x00y", b"a"),
        "second host": (b"host", b"other"), "8 bit in a name": (b"x\xff", b"a"),
    }.items():  # fmt: skip
        yield Case2(f"field {name}", [*PUT, field], b"0\r\n\r\n" + INNER)


def lengths2():
    for name, value, body in (
        ("too long", b"10", b"abc"), ("too short", b"1", b"abc" + INNER), ("zero with a body", b"0", INNER),
        ("no digits", b"x", b"abc"), ("plus", b"+3", b"abc"), ("negative", b"-1", b"abc"), ("list", b"3,3", b"abc"),
        ("blank", b"3 ", b"abc"), ("huge", b"9" * 30, b"abc"), ("without a body", b"3", None),
    ):  # fmt: skip
        seen = BROKEN if name in ("too long", "too short", "zero with a body", "without a body") else REFUSED
        yield Case2(f"length {name}", [*PUT, (b"content-length", value)], body, seen)
    differing = [(b"content-length", b"3"), (b"content-length", b"4")]
    yield Case2("lengths that differ", [*PUT, *differing], b"abc")


def pseudo():
    def but(name, value):
        return [(n, value if n == name else v) for n, v in PLAIN]

    for name, head in {
        "CRLF in path": but(b":path", b"PATH" + SPLIT), "LF in path": but(b":path", b"PATH\nx"), "blank in path": but(b":path", b"PATH x"),
        "path without slash": but(b":path", b"xPATH"), "empty path": but(b":path", b""),
        "absolute path": but(b":path", b"http://otherPATH"), "NUL in path": but(b":path", b"PATH\x00"), "8 bit path": but(b":path", b"PATH\xff"),
        "CRLF in method": but(b":method", b"GET HIDDEN HTTP/1.1\r\nHost: localhost\r\n\r\nGET"),
        "blank in method": but(b":method", b"GET HIDDEN HTTP/1.1"), "empty method": but(b":method", b""),
        "CRLF in authority": but(b":authority", b"localhost\r\nTransfer-Encoding: chunked"),
        "authority with user": but(b":authority", b"a@localhost"), "authority with path": but(b":authority", b"localhost/x"),
        "empty authority": but(b":authority", b""), "CRLF in scheme": but(b":scheme", b"https\r\nX: y"),
        "scheme with path": but(b":scheme", b"https://x/?"), "no path": PLAIN[:3], "no method": PLAIN[1:], "no scheme": [PLAIN[0], *PLAIN[2:]],
        "no authority": [*PLAIN[:2], PLAIN[3]], "two paths": [*PLAIN, (b":path", b"HIDDEN")], "two methods": [*PLAIN, (b":method", b"PUT")],
        "two authorities": [*PLAIN, (b":authority", b"other")], "unknown": [*PLAIN, (b":x", b"y")], "of an answer": [*PLAIN, (b":status", b"200")],
        "after a field": [*PLAIN[:3], (b"x", b"y"), PLAIN[3]], "CONNECT": [(b":method", b"CONNECT"), (b":authority", b"localhost:80")],
        "TRACE": but(b":method", b"TRACE"), "fragment in path": but(b":path", b"PATH#HIDDEN"),
    }.items():  # fmt: skip
        yield Case2(f"pseudo field: {name}", head)
    yield Case2("CRLF in trailers", PUT, b"abc", BROKEN, trailers=[(b"x", b"a\r\n\r\nGET HIDDEN HTTP/1.1")])


def harmless2():
    yield Case2("plain GET", PLAIN, seen=("GET", 0))
    yield Case2("length", [*PUT, (b"content-length", b"3")], b"abc", ("PUT", 3))
    yield Case2("no length", PUT, b"abc", ("PUT", 3))
    yield Case2("request within a body", PUT, INNER, ("PUT", len(INNER) + len("/hidden/h1-000") - len("HIDDEN")))
    yield Case2("chunks within a body", PUT, b"0\r\n\r\n" + CHUNKED, ("PUT", 18))
    yield Case2("te: trailers", [*PLAIN, (b"te", b"trailers")], seen=("GET", 0))
    yield Case2("trailers", PUT, b"abc", ("PUT", 3), trailers=[(b"x-trailer", b"y")])
    # Malformed, but nobody reads it in two ways: trailers are not passed on.
    yield Case2("pseudo field in trailers", PUT, b"abc", ("PUT", 3), trailers=[(b":path", b"HIDDEN")])
    yield Case2("crumbs", [*PLAIN, (b"cookie", b"a=b"), (b"cookie", b"c=d")], seen=("GET", 0))
