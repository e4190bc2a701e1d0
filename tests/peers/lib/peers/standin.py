"""The stand-in for Nextcloud, as a peer among others."""

import base64

from peers import FOLDER, expect, seed
from peers.http1 import Connection
from peers.passeur import Demo, address
from peers.requests import escape

FILES = "/remote.php/dav/files"


def start(name, **more):
    """A demo with a data folder of its own."""
    return Demo(FOLDER / f"data-{name}", name=name, **more)


def login(demo, account="alice"):
    """The field that names an account."""
    pair = f"{account}:{demo.accounts[account]}".encode()
    return ("Authorization", "Basic " + base64.b64encode(pair).decode())


def fill(demo, account="alice"):
    """Puts the tree of `seed` into an account, without Passeur."""
    tree = FOLDER / f"tree-{demo.name}"
    seed.make(tree)
    connection = Connection(address(demo.upstream))
    for path in sorted(tree.rglob("*")):
        target = f"{FILES}/{account}/" + escape(str(path.relative_to(tree))).replace("%2F", "/")
        fields = [login(demo, account), ("X-OC-MTime", str(int(path.stat().st_mtime)))]
        body = path.read_bytes() if path.is_file() else None
        method = "MKCOL" if path.is_dir() else "PUT"
        answer = connection.ask(method, target, "localhost", fields, body)
        # It refuses backslashes, and takes both spellings of an é for one file, as Nextcloud does.
        expect(answer.status in (201, 204, 403), f"{method} {target} to fill the stand-in: {answer}")
    connection.close()
