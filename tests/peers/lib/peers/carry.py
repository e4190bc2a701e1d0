"""Two instances and a Passeur that carries from one to the other, each a process of its own; and rclone.

The instances are the stand-ins of two demos; everyone speaks to them without anything in between.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

from peers import FOLDER, expect, expect_equal, fail
from peers.passeur import BINARY, Demo
from peers.process import Process, free_port, listens, wait_for

TOKEN = "carry"
FROM, TO = "alice", "bob"


class Stage:
    """Instances `one` and `two`, and a Passeur for both sites."""

    def __init__(self):
        self.one, self.two = (Demo(FOLDER / name, name=name) for name in ("one", "two"))
        self.home = FOLDER / "carrier"
        for folder in ("sites", "store"):
            (self.home / folder).mkdir(parents=True)
        (self.home / "token").write_text(TOKEN)
        for demo in (self.one, self.two):
            (self.home / f"sites/{demo.name}.toml").write_text(f"""
hosts = ["{demo.name}.localhost"]
redirect_to_https = false
[upstream]
targets = ["{demo.upstream}"]
[access.appapi]
secret = {{ file = "{FOLDER / demo.name / ".appapi-secret"}" }}
""")
        self.start()

    def start(self):
        """Starts the Passeur; its jobs are where the last one left them."""
        ports = [free_port() for _ in range(2)]
        config = self.home / "passeur.toml"
        config.write_text(f"""
[listen]
http = ["127.0.0.1:{ports[0]}"]
[admin]
listen = "127.0.0.1:{ports[1]}"
token = {{ file = "{self.home / "token"}" }}
[store]
folder = "{self.home / "store"}"
""")
        self.passeur = Process("carrier", [BINARY, "serve", "--config", config])
        expect(listens(self.passeur, ports[1]), f"serve does not listen: {self.passeur.text()}")
        self.api = f"http://127.0.0.1:{ports[1]}/api/v1/sites/one"

    # === what is carried

    def fill(self, count):
        """`many`: so many files of 1 to 20 KiB, ten folders of them."""
        random.seed(1)
        for number in range(count):
            path = FOLDER / f"many/{number % 10}/file-{number:05}.dat"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(random.randbytes(random.randint(1 << 10, 20 << 10)))
        self._upload("many")

    def large(self, size):
        """`large`: one file."""
        path = FOLDER / "large/one.bin"
        path.parent.mkdir()
        piece = random.randbytes(1 << 20)
        with open(path, "wb") as file:
            for number in range(size >> 20):
                file.write(number.to_bytes(8, "big") + piece[8:])
        self._upload("large")
        shutil.rmtree(path.parent)

    def _upload(self, folder):
        self._rclone("copy", "--transfers", "8", FOLDER / folder, f"one:{folder}")

    # === who carries

    def rclone(self, folder, to):
        """Seconds that `rclone copy` takes, with its default settings."""
        begun = time.monotonic()
        self._rclone("copy", f"one:{folder}", f"two:{to}/{folder}")
        return time.monotonic() - begun

    def clear(self, *folders):
        for folder in folders:
            self._rclone("purge", f"two:{folder}")

    def _rclone(self, *arguments):
        env = {**os.environ, "RCLONE_CONFIG": "/dev/null"}
        for demo, account in ((self.one, FROM), (self.two, TO)):
            name = f"RCLONE_CONFIG_{demo.name.upper()}"
            env[f"{name}_TYPE"], env[f"{name}_VENDOR"] = "webdav", "nextcloud"
            env[f"{name}_URL"] = f"{demo.upstream}/remote.php/dav/files/{account}"
            env[f"{name}_USER"], env[f"{name}_PASS"] = account, obscured(demo.accounts[account])
        done = subprocess.run(
            ["rclone", *map(str, arguments)], env=env, capture_output=True, text=True, timeout=3000
        )
        expect(done.returncode == 0, f"rclone {arguments}: {done.stderr}")

    def transfer(self, folder, to):
        """Seconds from asking for a plan to the end, and how much memory grew meanwhile."""
        before = self.passeur.rss()
        self.passeur.reset_peak()
        begun = time.monotonic()
        transfer = self.begin(folder, to)
        self.wait(transfer)
        return time.monotonic() - begun, self.passeur.peak() - before

    def begin(self, folder, to):
        plan = self.ask("/plans", {
            "source": FROM, "recipient": TO, "destination": f"/{to}", "target": {"url": "two"},
            "selection": {"include": [f"/{folder}"]},
        })  # fmt: skip
        expect_equal(plan["blocking"], [], "what blocks")
        return self.ask("/transfers", {"plan": plan["hash"]})["id"]

    def wait(self, transfer):
        over = {"done", "failed", "cancelled"}
        state = {}

        def is_over():
            state.update(self.ask(f"/transfers/{transfer}"))
            return state["state"] in over

        expect(wait_for(is_over, 3000, 0.1), "the transfer does not end")
        errors = [item.get("error") for item in state["items"]]
        expect_equal(state["state"], "done", f"the transfer, {state.get('note')} {errors}")

    def killed(self, folder, to, count):
        """Kills Passeur half way, starts it again; files that were there then, and those stored since."""
        transfer = self.begin(folder, to)
        expect(wait_for(lambda: len(self.stored(to)) >= count // 2, 600, 0.01), "nothing arrives")
        self.passeur.stop(signal.SIGKILL)
        # What the instance had taken in already is stored to its end.
        time.sleep(2)
        there = self.stored(to)
        self.start()
        self.wait(transfer)
        now = self.stored(to)
        same = sum(now.get(name) == etag for name, etag in there.items())
        expect_equal(same, len(there), "files that were there and were not sent again")
        return len(there), len(now) - same

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.api + path, data, fields)
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            fail(f"{path}: {error} {error.read()[:2000]}")

    # === what arrived

    def stored(self, folder):
        """Files of the recipient below a folder, by path: their entity tags."""
        database = sqlite3.connect(f"file:{FOLDER / 'two/owncloud.db'}?mode=ro", uri=True, timeout=30)
        rows = database.execute(
            "SELECT f.path, f.etag FROM oc_filecache f JOIN oc_storages s ON s.numeric_id = f.storage "
            "JOIN oc_mimetypes m ON m.id = f.mimetype WHERE s.id = ? AND f.path LIKE ? AND m.mimetype <> ?",
            (f"home::{TO}", f"files/{folder}/%", "httpd/unix-directory"),
        ).fetchall()
        database.close()
        return dict(rows)

    def same(self, folder, to, count):
        """Every byte is as it was."""
        here, there = FOLDER / folder, FOLDER / "two" / TO / "files" / to
        files = [path.relative_to(here) for path in here.rglob("*") if path.is_file()]
        expect_equal(len(files), count, "files")
        differ = [str(path) for path in files if (here / path).read_bytes() != (there / path).read_bytes()]
        expect_equal(differ[:5], [], "files that differ")


def obscured(password):
    return subprocess.run(["rclone", "obscure", password], check=True, capture_output=True, text=True).stdout.strip()
