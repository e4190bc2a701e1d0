"""One measurement each: a load at one door of one peer, and what it cost.

Every load checks its answers; wrong or missing ones raise `Failed` instead of giving figures. CPU time
is the proxy's own, read from the kernel around the load, so it holds on a machine that is busy with
other things, where requests per second do not.
"""

import json
import os
import re
import select
import subprocess
import time

from . import processes
from .processes import Failed

MIB = 1 << 20


class Target:
    """What a load is aimed at: one peer's door."""

    def __init__(self, bench, peer, door):
        self.bench, self.peer, self.door = bench, peer, door
        self.address = f"127.0.0.1:{peer.port(door)}"
        self.log = f"{bench.folder}/load.log"
        open(self.log, "w").close()

    def run(self, command, seconds):
        """Runs a load; returns its output and the CPU seconds that the proxy spent meanwhile."""
        before = self.peer.cpu_seconds()
        out = processes.run(command, self.bench.load_cpus, self.log, seconds)
        return out, self.peer.cpu_seconds() - before

    def rig(self, *arguments, seconds):
        out, cpu = self.run([self.bench.rig, *map(str, arguments), "--to", self.address], seconds)
        return json.loads(out.strip().splitlines()[-1]), cpu

    def ca(self):
        return ["--ca", self.bench.cert]


def per_request(count, cpu, rate):
    if not count:
        raise Failed("no answers")
    return {"cpu": cpu / count * 1e6, "rate": rate}


def wrk(target, seconds, path, fields=(), script=None, connections=64):
    scheme = "https" if target.door == "tls" else "http"
    url = f"{scheme}://localhost:{target.address.split(':')[1]}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s"]
    for field in fields:
        command += ["-H", field]
    if script:
        command += ["-s", os.path.join(os.path.dirname(__file__), "..", "wrk", script)]
    out, cpu = target.run([*command, url + path], seconds + 15)
    count = int(re.search(r"(\d+) requests in", out)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    wrong = re.search(r"(Non-2xx|Socket errors).*", out)
    if wrong and not re.fullmatch(r"Socket errors: connect 0, read 0, write 0, timeout 0", wrong[0]):
        raise Failed(wrong[0])
    return per_request(count, cpu, rate)


def h2load(target, seconds, path, streams=100):
    clients = len(target.bench.proxy_cpus)
    port = target.address.split(":")[1]
    command = ["h2load", "-t1", f"-c{clients}", f"-m{streams}", f"-D{seconds}",
               f"--connect-to={target.address}", f"https://localhost:{port}{path}"]
    out, cpu = target.run(command, seconds + 15)
    done = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", out)
    rate = re.search(r"([\d.]+) req/s", out)
    if not done or int(done[2]) or int(done[3]):
        raise Failed(done[0] if done else "h2load: no result")
    if "Application protocol: h2" not in out:
        raise Failed("no h2")
    return per_request(int(done[1]), cpu, float(rate[1]))


def body(target, mib, path, put=False, h2=False):
    arguments = ["body", "--mib", mib, "--path", path]
    arguments += target.ca() if target.door == "tls" else []
    arguments += ["--put"] if put else []
    arguments += ["--h2"] if h2 else []
    result, cpu = target.rig(*arguments, seconds=60)
    return {"cpu": cpu * 1024 / mib, "rate": result["bytes"] / MIB / result["seconds"]}


def handshakes(target, seconds, resume=False):
    arguments = ["handshakes", *target.ca(), "--seconds", seconds]
    result, cpu = target.rig(*arguments, *(["--resume"] if resume else []), seconds=seconds + 20)
    count, resumed = result["connections"], result["resumed"]
    if resume and resumed < 0.9 * count:
        raise Failed(f"only {resumed} of {count} resumed")
    return per_request(count, cpu, count / result["seconds"])


def idle(target, count, h2=False):
    """Memory per idle connection, from a fresh process that has served some requests."""
    base = fresh(target)
    arguments = ["idle", *target.ca(), "--count", str(count), *(["--h2"] if h2 else [])]
    with Staged(target, arguments) as load:
        load.line(60)
        time.sleep(0.3)
        return {"kib": (target.peer.memory_kib(target.door) - base) / count}


def websocket(target, seconds, count):
    """Echoes, and the memory of a pair of sockets after them."""
    base = fresh(target)
    arguments = ["websocket", "--count", str(count), "--seconds", str(seconds)]
    with Staged(target, arguments) as load:
        load.line(30)
        before = target.peer.cpu_seconds()
        load.go()
        result = load.line(seconds + 20)
        cpu = target.peer.cpu_seconds() - before
        kib = (target.peer.memory_kib(target.door) - base) / count
        echoes = result["echoes"]
        return {**per_request(echoes, cpu, echoes / result["seconds"]), "kib": kib}


def latency(target, seconds, rate):
    """Times at a constant rate, in milliseconds."""
    result, _ = target.rig(
        "latency", "--seconds", seconds, "--rate", round(rate), seconds=seconds + 30)
    return {"p50": result["p50"] / 1e3, "p99": result["p99"] / 1e3}


def latency_beside_uploads(target, seconds, rate, path):
    """How long the slowest hundredth takes, alone and beside 20 uploads of 10 MiB/s each."""
    alone = latency(target, seconds, rate)
    command = [target.bench.rig, "body", "--put", "--path", path, "--parallel", "20",
               "--pace", "10", "--to", target.address]
    uploads = processes.start(command, target.bench.load_cpus, target.log)
    try:
        time.sleep(0.3)
        beside = latency(target, seconds, rate)
        if uploads.poll() is not None:
            raise Failed(f"uploads ended early: {processes.tail(target.log)}")
    finally:
        processes.stop(uploads)
    return {"p99": beside["p99"], "alone": alone["p99"]}


def fresh(target):
    """Restarts the peer, warms it up a little and returns its memory."""
    target.peer.restart(target.door)
    wrk(target, 1, "/small", connections=16)
    time.sleep(0.2)
    return target.peer.memory_kib(target.door)


class Staged:
    """A load of the rig that waits for the word to go on."""

    def __init__(self, target, arguments):
        command = [target.bench.rig, *arguments, "--to", target.address]
        self.log = target.log
        self.child = processes.start(
            command, target.bench.load_cpus, target.log,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        processes.stop(self.child)

    def go(self):
        os.write(self.child.stdin.fileno(), b"\n")

    def line(self, seconds):
        """The next line it prints, as JSON."""
        end = time.monotonic() + seconds
        while b"\n" not in self.pending:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                raise Failed("the load does not get ready")
            more = os.read(self.child.stdout.fileno(), 4096)
            if not more:
                raise Failed(f"the load ended: {processes.tail(self.log)}")
            self.pending += more
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)
