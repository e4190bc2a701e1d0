"""Processes that a check starts: logs in its folder, waits that end, memory as the kernel counts it."""

import ctypes
import os
import pathlib
import queue
import signal
import socket
import subprocess
import threading
import time

from peers import FOLDER, fail

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """A child whose output goes to `NAME.server.log`."""

    def __init__(self, name, argv, env=None, cwd=None, lines=False):
        self.name = name
        self.log = FOLDER / f"{name}.server.log"
        self._lines = queue.Queue() if lines else None
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                [str(arg) for arg in argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if lines else log,
                stderr=log,
                env={**os.environ, **(env or {})},
                cwd=cwd or FOLDER,
                preexec_fn=_die_with_parent,
            )
        if lines:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with open(self.log, "ab") as log:
            for line in self.child.stdout:
                log.write(line)
                log.flush()
                self._lines.put(line.decode(errors="replace").rstrip("\n"))
        self._lines.put(None)

    @property
    def pid(self):
        return self.child.pid

    def line(self, timeout=20):
        """The next line of its standard output."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            fail(f"{self.name} said nothing for {timeout} s")
        if line is None:
            fail(f"{self.name} ended with code {self.child.wait()}: {self.text()}")
        return line

    def text(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.child.poll() is None

    def stop(self, how=signal.SIGTERM, timeout=20):
        """Ends it; its exit code."""
        if self.alive():
            self.child.send_signal(how)
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            fail(f"{self.name} still ran {timeout} s after {signal.Signals(how).name}")

    # === memory

    def rss(self):
        """Resident bytes, now."""
        return self._status("VmRSS")

    def peak(self):
        """The most resident bytes since `reset_peak`."""
        return self._status("VmHWM")

    def reset_peak(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _status(self, field):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        fail(f"{self.name} has no {field}")


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def free_port():
    """A port that the kernel holds free just now, for servers that cannot be told `:0`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_on_free_port(start, attempts=5):
    """Calls `start(port)`, which returns a process, until one listens.

    Between the choice and the server's own bind another process may take the port: then the server
    ends, and the next port is tried.
    """
    for _ in range(attempts):
        port = free_port()
        process = start(port)
        if listens(process, port):
            return process, port
    fail(f"{process.name} does not start: {process.text()}")


def listens(process, port, timeout=30):
    """Waits until something accepts on `port`; false if the process ended instead."""
    return wait_for(lambda: _accepts(port) or not process.alive(), timeout) and process.alive()


def _accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def wait_for(condition, timeout=20, step=0.02):
    """Polls for what cannot be waited for; whether it came true in time."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(step)
    return bool(condition())
