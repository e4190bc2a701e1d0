"""Nextcloud's own sync client, over TLS, with reloads of Passeur while it works.

One folder is synced up; then it is changed and synced again; then an empty folder is synced down, and
has to equal the first. No file is empty: this client fails over new empty files among many small ones
(its bulk upload), with or without a proxy.
"""

import hashlib
import os
import random
import signal
import time
from collections import Counter

from peers import FOLDER, expect, expect_equal, found, standin
from peers.passeur import Serve
from peers.process import Process, wait_for

SMALL = 2000
LARGE = 1 << 30
RELOAD_EVERY = 0.5


def run(http2):
    """The whole story, with one protocol."""
    demo = standin.start("demo")
    passeur = Serve(demo.upstream)
    here, there = FOLDER / "here", FOLDER / "there"
    make(here, LARGE)
    there.mkdir()
    password = demo.accounts["alice"]

    times = [sync(passeur, here, password, http2)]
    change(here)
    times.append(sync(passeur, here, password, http2))
    times.append(sync(passeur, there, password, http2))
    first, second = digests(here), digests(there)
    expect(len(first) > SMALL - 20, f"only {len(first)} files are left")
    expect_equal(sorted(set(first.items()) ^ set(second.items())), [], "files that differ")

    reloads = passeur.text().count("configuration reloaded")
    expect(reloads >= 10, f"only {reloads} reloads")
    expect_equal(passeur.stop(), 0, "exit code of Passeur")
    exchanges = passeur.exchanges()
    bad = Counter(e["status"] for e in exchanges if e["status"] >= 500 or e["status"] == 0)
    expect(not bad, f"answers: {bad}")
    # It was told to use this protocol; that it did is another matter.
    spoken = Counter(exchange["protocol"] for exchange in exchanges)
    wanted = "HTTP/2" if http2 else "HTTP/1.1"
    expect(spoken[wanted] > 0.9 * spoken.total() > 1000, f"protocols: {spoken}")
    seconds = ", ".join(f"{took:.1f}" for took in times)
    found(f"{len(first)} files, one of {LARGE >> 20} MiB, up, changed, down in {seconds} s; "
          f"{spoken[wanted]} requests over {wanted}, {reloads} reloads")  # fmt: skip


def sync(passeur, folder, password, http2):
    """One run of the client, during which Passeur is reloaded again and again; its time."""
    home = FOLDER / f"home-{folder.name}"
    home.mkdir(exist_ok=True)
    argv = ["nextcloudcmd", "--non-interactive", "--silent", "--trust", "-u", "alice", "-p", password]
    env = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "OWNCLOUD_HTTP2_ENABLED": str(int(http2))}
    client = Process("nextcloudcmd", [*argv, folder, passeur.tls_url], env)
    started = time.monotonic()
    while client.alive():
        expect(time.monotonic() - started < 200, "nextcloudcmd does not end")
        reload(passeur)
        wait_for(lambda: not client.alive(), RELOAD_EVERY)
    expect_equal(client.child.returncode, 0, "exit code of nextcloudcmd")
    return time.monotonic() - started


def reload(passeur):
    """Changes the site's file, as an editor does it, and sends SIGHUP on top."""
    text, switch = passeur.site.read_text(), "security_headers = true\n"
    text = text.replace(switch, "") if switch in text else switch + text
    new = passeur.site.with_suffix(".new")
    new.write_text(text)
    new.rename(passeur.site)
    passeur.child.send_signal(signal.SIGHUP)


def make(folder, large):
    chance = random.Random(3)
    for index in range(SMALL):
        path = folder / f"folder {index % 20:02}" / f"é {index:04} 日本.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.randint(1, 4000)))
    block = chance.randbytes(1 << 20)
    with open(folder / "large.bin", "wb") as file:
        for index in range(large >> 20):
            file.write(index.to_bytes(8, "big") + block[8:])


def change(folder):
    """Files changed, renamed, deleted; a folder renamed."""
    files = sorted(folder.glob("folder 0*/*"))
    for path in files[:40]:
        path.write_bytes(b"changed " + path.name.encode())
    for path in files[40:60]:
        path.rename(path.with_name("renamed " + path.name))
    for path in files[60:70]:
        path.unlink()
    (folder / "folder 19").rename(folder / "folder with another name")


def digests(folder):
    """Relative path to digest, without the client's own files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith((".sync", "._sync", ".nextcloudsync", ".owncloudsync")):
            with open(path, "rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha1").hexdigest()
    return found
