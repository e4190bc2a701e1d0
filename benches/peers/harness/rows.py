"""The rows of the table: what is measured, at which door, against whom, and what Passeur has to reach.

Bars are ratios of Passeur's figure to the best peer's, or a named peer's, in the same run; `absolute`
bars hold by themselves. Paths are Nextcloud's, because a proxy for Nextcloud looks at them.
"""

from . import loads

DAV = "/remote.php/dav"
PAGE = ["Accept: text/html", "Sec-Fetch-Dest: document"]
MAIN = ["passeur", "nginx", "haproxy", "caddy"]


class Metric:
    """One figure: its name in results, how it is shown, which way is better, what must be reached.

    A figure `of` two others is their quotient, made from the best of each. A bar is against the best
    peer, or `against` one that is named.
    """

    def __init__(self, key, label, digits=1, higher=False, bar=None, against=None, absolute=None,
                 of=None):
        self.key, self.label, self.digits, self.higher = key, label, digits, higher
        self.bar, self.against, self.absolute, self.of = bar, against, absolute, of

    def best(self, values):
        return max(values) if self.higher else min(values)


class Row:
    def __init__(self, key, title, metrics, load, door="plain", entrants=None, rounds=1.0, check=None):
        self.key, self.title, self.metrics, self.load, self.door = key, title, metrics, load, door
        # Label in the table → (peer, path prefix of large bodies).
        self.entrants = entrants or {name: (name, f"{DAV}/big/") for name in MAIN}
        self.rounds = rounds
        self.check = check


class Size:
    """How long and how large loads are: full or quick."""

    def __init__(self, quick):
        self.rounds = 2 if quick else 5
        self.seconds = 1 if quick else 2
        self.mib = 256 if quick else 1024
        self.idle = 1000 if quick else 5000
        self.sockets = 1000
        self.budget = 170 if quick else 870


def requests(bar=None, against=None):
    return [Metric("cpu", "CPU µs/request", 1, bar=bar, against=against),
            Metric("rate", "requests/s", 0, higher=True)]


def wrk(path, **more):
    return lambda target, size, _: loads.wrk(target, size.seconds, path, **more)


def propfind(path):
    return wrk(path, script="propfind.lua")


def transfers(size):
    """1 GiB down and up; nginx also the way it is by default, through its buffers."""
    plain = [Metric("cpu", "CPU s/GiB", 2, bar=0.6), Metric("rate", "MiB/s", 0, higher=True)]
    secure = [Metric("cpu", "CPU s/GiB", 2, bar=0.9), Metric("rate", "MiB/s", 0, higher=True)]
    also = {"nginx-buffered": ("nginx", f"{DAV}/buffered/big/")}
    for put in (False, True):
        verb = "PUT" if put else "GET"
        for key, name, door, h2 in (("", "h1", "plain", False), ("-tls", "h1 TLS", "tls", False),
                                    ("-h2", "h2 TLS", "tls", True)):
            def load(target, size, path, put=put, h2=h2):
                return loads.body(target, size.mib, path, put, h2)

            entrants = {n: (n, f"{DAV}/big/") for n in MAIN} | ({} if h2 or size.mib < 1024 else also)
            yield Row(f"{verb.lower()}{key}", f"1 GiB {verb}, {name}", secure if key else plain,
                      load, door, entrants, rounds=0.6)


def all_rows(size):
    tours = {name: (name, "") for name in ("passeur", "nginx", "apache")}
    owners = {name: (name, "") for name in ("passeur", "nginx")}
    connection = [Metric("cpu", "CPU µs/connection", 0), Metric("rate", "connections/s", 0, higher=True)]
    small, large = f"{DAV}/folder-30", f"{DAV}/folder-2000"
    return [
        Row("small", "1 KiB, h1 keep-alive", requests(bar=0.9), wrk("/small")),
        Row("page", "36 KiB page passed", requests(bar=0.95, against="haproxy"), wrk("/apps/files/page", fields=PAGE)),
        Row("page-tour", "36 KiB page with a tour", requests(bar=0.7, against="nginx"),
            wrk("/apps/files/page", fields=PAGE), "tour", tours, check=("/apps/files/page", b"<script", 41)),
        Row("folder", "PROPFIND 30 entries passed", requests(), propfind(small)),
        Row("folder-owners", "PROPFIND 30, owners rewritten", requests(), propfind(small),
            "owners", owners, check=(small, b">carol<", 8)),
        Row("large-folder", "PROPFIND 2,000 entries passed", requests(), propfind(large), rounds=0.6),
        Row("large-folder-owners", "PROPFIND 2,000, owners rewritten", requests(), propfind(large),
            "owners", owners, rounds=0.6, check=(large, b">carol<", 500)),
        Row("mixed", "mixed Nextcloud load", requests(), wrk("", script="mixed.lua")),
        Row("tls", "1 KiB, h1 over TLS", requests(), wrk("/small"), "tls"),
        Row("h2", "1 KiB, h2, 100 streams", requests(),
            lambda target, size, _: loads.h2load(target, size.seconds, "/small"), "tls"),
        *transfers(size),
        Row("handshake", "new TLS connections, full", connection,
            lambda target, size, _: loads.handshakes(target, size.seconds), "tls", rounds=0.6),
        Row("resumed", "new TLS connections, resumed", connection,
            lambda target, size, _: loads.handshakes(target, size.seconds, True), "tls", rounds=0.6),
        Row("idle", f"{size.idle:,} idle TLS connections", [Metric("kib", "KiB each", 1, absolute=20)],
            lambda target, size, _: loads.idle(target, size.idle), "tls", rounds=0.2),
        Row("idle-h2", f"{size.idle:,} idle h2 connections", [Metric("kib", "KiB each", 1)],
            lambda target, size, _: loads.idle(target, size.idle, True), "tls", rounds=0.2),
        Row("websocket", f"WebSocket echo, {size.sockets:,} sockets",
            [Metric("cpu", "CPU µs/echo", 1), Metric("rate", "echoes/s", 0, higher=True),
             Metric("kib", "KiB per pair", 1, absolute=20)],
            lambda target, size, _: loads.websocket(target, size.seconds, size.sockets), rounds=0.4),
        # Filled in by the command, which knows the rate.
        Row("latency", "added latency at half load",
            [Metric("p50", "p50 ms", 3, absolute=0.2), Metric("p99", "p99 ms", 3, absolute=1.0)],
            None, rounds=1.2),
        Row("beside-uploads", "latency beside 20 uploads",
            [Metric("times", "p99 beside / alone", 2, absolute=2.0, of=("p99", "alone")),
             Metric("p99", "p99 ms beside", 3), Metric("alone", "p99 ms alone", 3)],
            None, rounds=0.8),
    ]
