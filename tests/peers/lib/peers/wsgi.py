"""An application for WSGI servers that stores what is PUT, and writes down what it was asked."""

import os
import pathlib

FOLDER = pathlib.Path(os.environ["WSGI_FOLDER"])


def application(environ, start):
    target = environ["RAW_URI"]
    with open(FOLDER.parent / "access.log", "a", errors="surrogateescape") as log:
        log.write(f"{environ['REQUEST_METHOD']} {target} {environ.get('HTTP_HOST')} - -\n")
    body = environ["wsgi.input"].read()
    if environ["REQUEST_METHOD"] == "PUT":
        (FOLDER / target.strip("/").replace("/", "_")).write_bytes(body)
        start("201 Created", [("Content-Length", "0")])
    else:
        start("404 Not Found", [("Content-Length", "0")])
    return []
