"""Sends the tables of `raw` through Passeur to an origin, and reads from the origin's own log what it
took for requests.

Through Passeur, and on connections that Passeur may use again, every case must be at the origin what
the table says: one request, or none. After each case come ordinary requests, which would find what a
case had left on a connection.
"""

import re
import socket
from collections import Counter

from peers import fail, found
from peers.frames import exchange
from peers.http1 import Broken, ask, request
from peers.passeur import Serve
from peers.process import wait_for
from peers.raw import BROKEN, REFUSED, cases, cases2

REFUSALS = (400, 404, 405, 408, 411, 413, 414, 417, 421, 431, 501, 505)


def run(origin):
    """The whole fan-out to one origin. `origin.requests()` tells `(method, target)` of its log,
    `origin.stored(path)` the size of what a PUT left, or None."""
    # `hosts` with a wildcard would refuse more; a site for all hosts is the harder case.
    passeur = Serve(origin.url)
    wrong, ran, sentinels = [], [], []
    for prefix, table, send in (("h1", cases(), _send), ("h2", cases2(), _send2)):
        for index, case in enumerate(table):
            name = f"{prefix}-{index:03}"
            outcome = send(passeur, case, f"/case/{name}", f"/hidden/{name}")
            print(f"{name} {case.name}: {outcome}", flush=True)
            ran.append((name, case, outcome))
            for number in range(2):
                sentinel = f"/after/{name}-{number}"
                sentinels.append(sentinel)
                answer = ask(passeur.address, request("GET", sentinel, "localhost", [("Connection", "close")]))
                if answer.status != 404:
                    wrong.append(f"{name} {case.name}: an ordinary request after it was answered {answer.status}")
    wait_for(lambda: sentinels[-1] in {target for _, target in origin.requests()})
    origin.stop()
    seen = origin.requests()
    for name, case, outcome in ran:
        wrong += [f"{name} {case.name} ({outcome}): {what}" for what in _judge(origin, seen, name, case, outcome)]
    counts = Counter(target for _, target in seen)
    wrong += [f"{target} was seen {counts[target]} times" for target in sentinels if counts[target] != 1]
    known = re.compile(r"/(case|after)/h[12]-\d{3}")
    wrong += [f"the origin saw {line}" for line in seen if not known.match(line[1])]
    wrong += origin.complaints()
    if wrong:
        fail("\n  ".join([f"{len(wrong)} wrong", *wrong]))
    passed = sum(1 for _, case, _ in ran if case.seen not in (REFUSED, BROKEN))
    found(f"{len(ran)} cases, {passed} pass as one request, {len(ran) - passed} refused")


def _judge(origin, seen, name, case, outcome):
    at = f"/case/{name}"
    mine = [method for method, target in seen if target.startswith(at)]
    if any(target.startswith(f"/hidden/{name}") for _, target in seen):
        yield "THE HIDDEN REQUEST WAS SEEN"
    if case.seen == REFUSED:
        if mine:
            yield f"the origin saw {mine}"
        if isinstance(outcome, int) and outcome not in REFUSALS:
            yield "not refused"
    elif case.seen == BROKEN:
        if len(mine) > 1:
            yield f"the origin saw {mine}"
        if isinstance(outcome, int) and outcome < 400:
            yield "not refused"
        if origin.stored(at) is not None:
            yield f"the origin stored {origin.stored(at)} bytes"
    else:
        method, size = case.seen
        if mine != [method]:
            yield f"the origin saw {mine}, not [{method}]"
        if method == "PUT" and origin.stored(at) != size:
            yield f"the origin stored {origin.stored(at)} bytes, not {size}"
    if outcome == "timed out":
        yield "neither answered nor cut off"


def _send(passeur, case, path, hidden):
    """The status of the first answer, or how it ended."""
    data = case.data.replace(b"PATH", path.encode()).replace(b"HIDDEN", hidden.encode())
    with socket.create_connection(passeur.address, timeout=10) as connection:
        came = b""
        try:
            connection.sendall(data)
        except ConnectionError:
            pass  # refused before its end; the answer may be there
        try:
            # Until it is closed: a second answer would be there, too.
            while piece := connection.recv(65536):
                came += piece
        except ConnectionError:
            pass
        except TimeoutError:
            return "timed out"
    statuses = re.findall(rb"HTTP/1\.[01] (\d{3}) ", came)
    if len(statuses) > 1:
        return f"answers: {statuses}"
    return int(statuses[0]) if statuses else "cut off"


def _send2(passeur, case, path, hidden):
    def put(data):
        return data.replace(b"PATH", path.encode()).replace(b"HIDDEN", hidden.encode())

    filled = type(case)(
        case.name,
        [(put(name), put(value)) for name, value in case.head],
        None if case.body is None else put(case.body),
        case.seen,
        None if case.trailers is None else [(put(name), put(value)) for name, value in case.trailers],
    )
    try:
        return exchange(passeur.tls_address, filled)
    except TimeoutError:
        return "timed out"
    except Broken as broken:
        return f"cut off: {broken}"
