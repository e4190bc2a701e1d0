"""Runs the checks one after the other, and leaves nothing behind.

Each check is a program under `checks/`. It gets an empty folder (`PEERS_DIR`), a time limit, and
says what it found on lines that begin with `> `; anything else it prints is its log, shown only if
it fails. This process adopts every orphan below it (a "subreaper"), so that whatever a check
started, also what daemonised, can be found and killed when the check ends, however it ends.
"""

import ctypes
import fnmatch
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CHECKS = pathlib.Path(__file__).parent.parent / "checks"
PR_SET_CHILD_SUBREAPER = 36
TIME_LIMIT = 240


def main(names):
    checks = chosen(names)
    if names == ["--list"]:
        for check in checks:
            print(f"{check.name:28} {first_sentence(check)}")
        return 0
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    passed = failed = 0
    try:
        for check in checks:
            if run(check):
                passed += 1
            else:
                failed += 1
                if not os.environ.get("PEERS_KEEP_GOING"):
                    break
    except KeyboardInterrupt:
        return 130
    finally:
        kill_descendants()
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


def chosen(names):
    checks = sorted(path for path in CHECKS.iterdir() if re.match(r"\d\d-", path.name))
    if not names or names == ["--list"]:
        return checks
    found = []
    for name in names:
        matching = [c for c in checks if fnmatch.fnmatch(c.name, name) or fnmatch.fnmatch(c.name[3:], name)]
        if not matching:
            sys.exit(f"no check is named {name}; see tests/peers/run --list")
        found += [check for check in matching if check not in found]
    return found


def first_sentence(check):
    return re.search(r'"""(.*?)(\.\s|\n\n|""")', check.read_text(), re.S).group(1).replace("\n", " ")


def run(check):
    folder = tempfile.mkdtemp(prefix=f"passeur-{check.name}-")
    os.chmod(folder, 0o755)  # servers that drop their privileges read below it
    log_path = os.path.join(folder, "check.log")
    started = time.monotonic()
    with open(log_path, "wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(check)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PEERS_DIR": folder},
            start_new_session=True,
        )
        try:
            outcome = "ok" if process.wait(limit(check)) == 0 else "FAILED"
        except subprocess.TimeoutExpired:
            outcome = "TIMED OUT"
        except BaseException:  # interrupted
            kill_descendants()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        kill_descendants()
    took = time.monotonic() - started
    text = pathlib.Path(log_path).read_text(errors="replace")
    found = "; ".join(line[2:] for line in text.splitlines() if line.startswith("> "))
    print(f"{outcome:6} {check.name:26} {took:6.1f} s  {found}", flush=True)
    if outcome != "ok":
        print(f"----- log of {check.name}\n{text}----- end of the log of {check.name}", flush=True)
        for server in sorted(pathlib.Path(folder).glob("*.server.log")):
            print(f"----- {server.name} (its end)\n{tail(server)}", flush=True)
    if outcome != "ok" and os.environ.get("PEERS_KEEP"):
        print(f"kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome == "ok"


def limit(check):
    """A check may ask for more time with a line `# time limit: SECONDS`."""
    asked = re.search(r"^# time limit: (\d+)$", check.read_text(), re.M)
    factor = 4 if os.environ.get("PEERS_FULL") else 1
    return factor * (int(asked.group(1)) if asked else TIME_LIMIT)


def tail(path, size=8000):
    data = path.read_bytes()
    return data[-size:].decode(errors="replace")


def kill_descendants():
    """Kills and reaps all that is below this process, until nothing is."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def descendants(root):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{entry}/stat").read_bytes()
            except OSError:
                continue
            parent = int(stat[stat.rindex(b")") + 2 :].split()[1])
            children.setdefault(parent, []).append(int(entry))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
