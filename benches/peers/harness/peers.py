"""The proxies: how each is started and where it listens.

All are asked for the same: the cores they are told, keep-alive to the origin, no access log, one
certificate. A peer has doors (`plain`, `tls`, and for some `tour`, `owners`); most peers serve all
doors from one process, Passeur from one process per door, and their CPU time is added.
"""

import os
import re
import shutil
import subprocess

from . import processes
from .processes import Failed

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = {
    "nginx": "nginx", "haproxy": "haproxy", "caddy": "caddy", "apache2": "apache2",
    "wrk": "wrk", "h2load": "nghttp2-client", "openssl": "openssl",
}


class Bench:
    """What all peers share: folder, cores, certificate, origin."""

    def __init__(self, folder, proxy_cpus, load_cpus):
        self.folder = folder
        self.proxy_cpus = proxy_cpus
        self.load_cpus = load_cpus
        self.cert, self.key = f"{folder}/localhost.crt", f"{folder}/localhost.key"
        self.pem = f"{folder}/haproxy.pem"
        self.origin_port = processes.free_port()
        self.rig = None
        self.origin = None

    def make_certificate(self):
        """ECDSA P-256, for every peer alike; below a folder of its own for those that read folders."""
        command = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", self.key, "-out", self.cert,
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext", "basicConstraints=critical,CA:FALSE",
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=20)
        with open(self.pem, "w") as out:
            for part in (self.cert, self.key):
                with open(part) as file:
                    out.write(file.read())
        os.makedirs(f"{self.folder}/certificates")
        shutil.copy(self.cert, f"{self.folder}/certificates/localhost.crt")
        shutil.copy(self.key, f"{self.folder}/certificates/localhost.key")

    def start_origin(self):
        log = f"{self.folder}/origin.log"
        address = f"127.0.0.1:{self.origin_port}"
        threads = str(max(1, len(self.load_cpus) // 2))
        command = [self.rig, "origin", "--listen", address, "--threads", threads]
        self.origin = processes.start(command, self.load_cpus, log)
        processes.wait_for_port(self.origin_port, self.origin, log)

    def values(self, **more):
        """What templates may hold between `@`."""
        return {
            "DIR": self.folder, "CERT": self.cert, "KEY": self.key, "PEM": self.pem,
            "CERTIFICATES": f"{self.folder}/certificates", "WORKERS": len(self.proxy_cpus),
            "ORIGIN": f"127.0.0.1:{self.origin_port}", **more,
        }


class Instance:
    """One process of a peer and the ports of its doors."""

    def __init__(self, bench, name, doors, command, template=None, env=None):
        self.bench, self.name, self.command, self.template = bench, name, command, template
        self.env = env
        self.ports = {door: processes.free_port() for door in doors}
        self.log = f"{bench.folder}/{name}.log"
        self.child = None

    def start(self):
        values = self.bench.values()
        for door, port in self.ports.items():
            values |= {door.upper(): f"127.0.0.1:{port}", f"{door.upper()}_PORT": port}
        if self.template:
            values["CONFIG"] = self.configure(values)
        command = [fill(part, values) for part in self.command]
        self.child = processes.start(command, self.bench.proxy_cpus, self.log, self.env)
        for port in self.ports.values():
            processes.wait_for_port(port, self.child, self.log)

    def configure(self, values):
        """Fills the template, and what lies beside it where it has a folder; returns its path."""
        source = f"{HERE}/configs/{self.template}"
        target = f"{self.bench.folder}/{self.name}-config"
        for folder, _, files in os.walk(os.path.dirname(source)):
            for file in files:
                path = os.path.join(folder, file)
                if "/" not in self.template and path != source:
                    continue
                out = os.path.join(target, os.path.relpath(path, os.path.dirname(source)))
                os.makedirs(os.path.dirname(out), exist_ok=True)
                with open(path) as text, open(out, "w") as filled:
                    filled.write(fill(text.read(), values))
        return os.path.join(target, os.path.basename(source))

    def stop(self):
        if self.child:
            processes.stop(self.child)
            self.child = None


class Peer:
    """A proxy under test."""

    def __init__(self, name, version, instances):
        self.name, self.version, self.instances = name, version, instances

    def instance(self, door):
        return next((i for i in self.instances if door in i.ports), None)

    def port(self, door):
        return self.instance(door).ports[door]

    def start(self):
        """Starts every door that opens; one that does not is left out, and all closed is an error."""
        faults = []
        for instance in list(self.instances):
            try:
                instance.start()
            except Failed as why:
                instance.stop()
                self.instances.remove(instance)
                faults.append(f"{self.name}: no door {', '.join(instance.ports)}: {why}")
        if not self.instances:
            raise Failed("; ".join(faults))
        return faults

    def restart(self, door):
        """A fresh process, for rows about memory."""
        self.instance(door).stop()
        self.instance(door).start()

    def stop(self):
        for instance in self.instances:
            instance.stop()

    def cpu_seconds(self):
        return sum(processes.cpu_seconds(i.child.pid) for i in self.instances if i.child)

    def memory_kib(self, door):
        return processes.memory_kib(self.instance(door).child.pid)


def fill(text, values):
    def value(match):
        if match[1] not in values:
            raise Failed(f"template asks for unknown @{match[1]}@")
        return str(values[match[1]])

    return re.sub(r"@([A-Z_]+)@", value, text)


def install(names):
    """Installs by apt-get what is missing, and says so; nothing else needs root."""
    missing = sorted({PACKAGES[n] for n in names if not which(n)})
    if not missing:
        return
    print(f"installing {' '.join(missing)}", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"],
                    ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]):
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL, timeout=300)
    # Debian starts what it installs; the copies of the comparison are its own.
    for service in set(missing) & {"nginx", "haproxy", "caddy", "apache2"}:
        subprocess.run(["service", service, "stop"], capture_output=True, timeout=30)


def which(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def version(command):
    """The first thing like a version that the program prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except OSError:
        return "?"
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return found[0] if found else "?"


def nginx(bench):
    path = which("nginx")
    doors = ["plain", "tls", "tour", "owners"]
    instance = Instance(bench, "nginx", doors, [path, "-c", "@CONFIG@"], "nginx.conf")
    return Peer("nginx", version([path, "-v"]), [instance])


def haproxy(bench):
    path = which("haproxy")
    command = [path, "-q", "-db", "-f", "@CONFIG@"]
    instance = Instance(bench, "haproxy", ["plain", "tls"], command, "haproxy.cfg")
    return Peer("haproxy", version([path, "-v"]), [instance])


def caddy(bench):
    path = which("caddy")
    command = [path, "run", "--config", "@CONFIG@", "--adapter", "caddyfile"]
    env = {"GOMAXPROCS": str(len(bench.proxy_cpus)), "HOME": bench.folder,
           "XDG_DATA_HOME": bench.folder, "XDG_CONFIG_HOME": bench.folder}
    instance = Instance(bench, "caddy", ["plain", "tls"], command, "Caddyfile", env)
    return Peer("caddy", version([path, "version"]), [instance])


def apache(bench):
    path = which("apache2")
    command = [path, "-DFOREGROUND", "-f", "@CONFIG@"]
    instance = Instance(bench, "apache", ["tour"], command, "apache.conf")
    return Peer("apache", version([path, "-v"]), [instance])


def passeur(bench, binary):
    """One process per door: `proxy` for plain and TLS, `serve` with a file for what only files say."""
    if not os.access(binary, os.X_OK):
        raise Failed(f"no {binary}: build it with `cargo build --release`")
    proxy = [binary, "proxy", "--to", "http://@ORIGIN@", "--workers", "@WORKERS@", "--from"]
    instances = [
        Instance(bench, "passeur", ["plain"], [*proxy, "@PLAIN@"]),
        # Apart, because plain HTTP of a host that has a certificate is only a redirect.
        Instance(bench, "passeur-tls", ["tls", "redirect"],
                 [*proxy, "@REDIRECT@", "--https", "@TLS@", "--certificates", "@CERTIFICATES@"]),
    ]
    for door in ("tour", "owners"):
        template = f"passeur-{door}/passeur.toml"
        if os.path.exists(f"{HERE}/configs/{template}"):
            command = [binary, "serve", "--config", "@CONFIG@"]
            instances.append(Instance(bench, f"passeur-{door}", [door], command, template))
    return Peer("passeur", version([binary, "--version"]), instances)
