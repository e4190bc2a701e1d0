"""The program under test."""

import json
import os
import subprocess
from urllib.parse import urlsplit

from peers import FOLDER, expect, fail
from peers.process import Process, free_port, listens, wait_for

BINARY = os.environ.get("PASSEUR_BIN", "passeur")


class Passeur(Process):
    """`passeur proxy` in front of one origin."""

    def __init__(self, origin, name="passeur"):
        argv = [BINARY, "proxy", "--from", "127.0.0.1:0", "--to", origin]
        super().__init__(name, argv, lines=True)
        self.url = self.line()
        if not self.url.startswith("http://127.0.0.1:"):
            fail(f"passeur proxy printed {self.url!r}")
        self.address = address(self.url)


class Demo(Process):
    """`passeur demo`: the stand-in for Nextcloud, with Passeur in front of it."""

    def __init__(self, data, name="demo", arguments=()):
        argv = [BINARY, "demo", "--json", "--data", data]
        for listener in ("--http", "--https", "--admin"):
            argv += [listener, "127.0.0.1:0"]
        super().__init__(name, [*argv, *arguments], lines=True)
        self.said = json.loads(self.line())
        self.http, self.https = self.said["http"], self.said["https"]
        self.admin, self.upstream = self.said["admin"], self.said["upstream"]
        self.accounts = {account["uid"]: account["password"] for account in self.said["accounts"]}


class Serve(Process):
    """`passeur serve`: one site for `localhost`, over TLS and without, with an access log."""

    def __init__(self, origin, name="serve", hosts=("localhost", "127.0.0.1"), site="", main=""):
        self.home = FOLDER / f"{name}-config"
        (self.home / "sites").mkdir(parents=True)
        (self.home / "certs").mkdir()
        make_certificate(self.home / "certs", "localhost")
        self.site = self.home / "sites/peer.toml"
        self.access_log = self.home / "access.log"
        self.site.write_text(f"""
hosts = [{", ".join(f'"{host}"' for host in hosts)}]
redirect_to_https = false
{site}
[upstream]
targets = ["{origin}"]
""")
        # Two ports at once, so a clash is unlikely enough to be an error.
        ports = [free_port() for _ in range(2)]
        self.config = self.home / "passeur.toml"
        self.config.write_text(f"""
[listen]
http = ["127.0.0.1:{ports[0]}"]
https = ["127.0.0.1:{ports[1]}"]
certificates = "certs"
[log]
access = "file:{self.access_log}"
{main}
""")
        super().__init__(name, [BINARY, "serve", "--config", self.config])
        expect(listens(self, ports[1]), f"serve does not listen: {self.text()}")
        self.address, self.tls_address = [("127.0.0.1", port) for port in ports]
        self.url, self.tls_url = f"http://localhost:{ports[0]}", f"https://localhost:{ports[1]}"

    def exchanges(self):
        """What the access log says."""
        if not self.access_log.exists():
            return []
        return [json.loads(line) for line in self.access_log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait_for_exchanges(self, count, timeout=60):
        expect(wait_for(lambda: len(self.exchanges()) >= count, timeout, 0.1), f"less than {count} exchanges")


def make_certificate(folder, host):
    """A certificate for `host`, signed by itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1",
         "-keyout", folder / f"{host}.key", "-out", folder / f"{host}.crt"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def address(url):
    """Host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]
