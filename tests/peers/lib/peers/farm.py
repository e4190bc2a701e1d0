"""A farm: thousands of sites with a certificate each, as files of a configuration."""

import datetime
import json
import secrets
import threading
import time
import urllib.error
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from peers import FOLDER, expect
from peers.http1 import Connection
from peers.passeur import BINARY
from peers.process import Process, free_port, wait_for

DOMAIN = "farm.test"


def host(number):
    return f"site-{number}.{DOMAIN}"


def settings(hosts, origin):
    """What the file of a site says."""
    names = ", ".join(f'"{name}"' for name in hosts)
    return f'hosts = [{names}]\nredirect_to_https = false\n[upstream]\ntargets = ["{origin}"]\n'


class Authority:
    """Signs certificates."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "farm")])
        self.begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        self.certificate = self._signed(self.name, self.key, None)

    def write(self, folder, name):
        """`NAME.crt`, a chain of two, and `NAME.key`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        chain = [self._signed(subject, key, name), self.certificate]
        pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
        shown = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        replace(folder / f"{name}.key", key.private_bytes(*shown))
        replace(folder / f"{name}.crt", pem)

    def _signed(self, subject, key, name):
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(self.begin).not_valid_after(self.begin + datetime.timedelta(days=60))
        if name:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def replace(path, content):
    """Writes a file as a careful program does: beside its place, and then into it."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_bytes(content if isinstance(content, bytes) else content.encode())
    fresh.rename(path)


class Farm:
    """`passeur serve` with so many sites; nothing runs before `start`."""

    def __init__(self, name, count, origin, store=None, certificates=True):
        self.name, self.origin = name, origin
        self.home = FOLDER / name
        self.sites, self.certificates = self.home / "sites", self.home / "certs"
        for folder in (self.sites, self.certificates, self.home / "store"):
            folder.mkdir(parents=True)
        self.authority = Authority()
        for number in range(count):
            (self.sites / f"site-{number}.toml").write_text(settings([host(number)], origin))
            if certificates or number == 0:
                self.authority.write(self.certificates, host(number))
        self.token = secrets.token_hex(16)
        (self.home / "token").write_text(self.token)
        (self.home / "token").chmod(0o600)
        self.http, self.https, self.admin = [("127.0.0.1", free_port()) for _ in range(3)]
        self.config = self.home / "passeur.toml"
        self.config.write_text(f"""
[listen]
http = ["127.0.0.1:{self.http[1]}"]
https = ["127.0.0.1:{self.https[1]}"]
certificates = "certs"
[admin]
listen = "127.0.0.1:{self.admin[1]}"
token = {{ file = "token" }}
[store]
{store or 'folder = "store"'}
""")

    def start(self):
        """Starts it; seconds until a request is answered."""
        begin = time.monotonic()
        self.process = Process(self.name, [BINARY, "serve", "--config", self.config])
        expect(wait_for(self._answers, 60, 0.005), f"no answer: {self.process.text()}")
        return time.monotonic() - begin

    def _answers(self):
        expect(self.process.alive(), self.process.text())
        try:
            return self.status(host(0)) == 200
        except OSError:
            return False

    def status(self, name):
        """How a request for a host is answered."""
        connection = Connection(self.http)
        try:
            return connection.ask("GET", "/small", name).status
        finally:
            connection.socket.close()

    def api(self, method, path, body=None, tag=None, raw=False):
        """Status and body of a call at the host's door; the bare body, if `raw`."""
        url = f"http://127.0.0.1:{self.admin[1]}/api/v1{path}"
        fields = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        fields.update({"If-Match": tag} if tag else {})
        data = json.dumps(body).encode() if body is not None else None
        asked = urllib.request.Request(url, data, fields, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                said = answer.read()
                return said if raw else (answer.status, json.loads(said or b"null"))
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def cpu(self):
        """Seconds of CPU that the process has used."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100


class Load:
    """Requests on kept connections, from threads, until `stop`."""

    def __init__(self, address, hosts, threads=2):
        self.address, self.hosts = address, hosts
        self.answered, self.failed = 0, []
        self.going = True
        self.threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(threads)]
        for thread in self.threads:
            thread.start()

    def _ask(self, number):
        connection, turn, fresh = Connection(self.address), number, True
        while self.going:
            name = self.hosts[turn % len(self.hosts)]
            try:
                answer = connection.ask("GET", "/small", name)
            except Exception as error:  # whatever it is, somebody did not get an answer
                connection = Connection(self.address)
                if fresh:
                    self.failed.append((name, repr(error)))
                # A kept connection may close at any time: asked again on a new one, as browsers do.
                fresh = True
                continue
            if answer.status != 200:
                self.failed.append((name, answer.status))
            fresh = answer.get("connection") == "close"
            if fresh:
                connection = Connection(self.address)
            turn += 7
            self.answered += 1

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join(60)
