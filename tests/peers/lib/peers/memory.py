"""How much memory Passeur takes for what it carries, as the kernel counts it (resident, peak)."""

import subprocess
import sys

from peers import FOLDER, expect, found
from peers.http1 import Connection
from peers.origins import Nginx
from peers.process import Process

MIB = 1 << 20


def sparse(name, size):
    """A file of zeros that takes no room."""
    path = FOLDER / name
    with open(path, "wb") as file:
        file.truncate(size)
    path.chmod(0o644)
    return path


def sink():
    """The origin that keeps nothing; its URL."""
    process = Process("sink", [sys.executable, "-m", "peers.sink"], lines=True)
    return f"http://127.0.0.1:{process.line()}"


def files(size):
    """nginx with a sparse file `big`."""
    origin = Nginx("nginx")
    with open(origin.folder / "big", "wb") as file:
        file.truncate(size)
    (origin.folder / "small").write_text("small\n")
    for path in origin.folder.iterdir():
        path.chmod(0o644)
    return origin


def warm_up(address, target="/small", tls=False, rounds=50):
    """Threads, pools and buffers exist before anything is measured."""
    for _ in range(4):
        connection = Connection(address, tls=tls)
        for _ in range(rounds):
            connection.ask("GET", target, "localhost")
        connection.close()


def growth(process, action):
    """Peak resident bytes above those at the start, while `action` runs; and its result."""
    before = process.rss()
    process.reset_peak()
    result = action()
    return process.peak() - before, result


def curl(*arguments, limit=150):
    """What curl wrote with `-w`."""
    done = subprocess.run(
        ["curl", "-sSk", "--fail", "-m", str(limit), *map(str, arguments)], capture_output=True, text=True
    )
    expect(done.returncode == 0, f"curl {arguments}: {done.stderr}")
    return done.stdout


def expect_flat(what, grown, limit, seconds=None):
    print(f"{what}: {grown / MIB:.2f} MiB", flush=True)
    expect(grown < limit, f"{what}: memory grew by {grown / MIB:.1f} MiB, more than {limit / MIB:.0f}")
    found(f"{what} +{max(grown, 0) / MIB:.1f} MiB" + (f" in {seconds:.1f} s" if seconds else ""))
