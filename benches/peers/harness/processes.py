"""Processes: started on given cores, read while they run, and gone afterwards.

Every child leads a process group of its own and gets a signal from the kernel when the harness dies,
so that nothing outlives a run, however it ends. Nothing here waits without a limit.
"""

import ctypes
import os
import signal
import socket
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
GONE = 3.0  # seconds a process may take to stop before it is killed

running = []
nice = 0  # of everything that is started


def start(command, cpus, log, env=None, stdin=subprocess.DEVNULL, stdout=None):
    """Starts a process that lasts, its output in `log`."""

    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os.sched_setaffinity(0, cpus)
        if nice:
            os.setpriority(os.PRIO_PROCESS, 0, nice)
            prefer_session()

    with open(log, "ab") as out:
        child = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout or out,
            stderr=out,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            preexec_fn=prepare,
        )
    running.append(child)
    return child


def prefer_session():
    """Where sessions are scheduled as groups, priority counts only within one: raise the group's."""
    try:
        with open("/proc/self/autogroup", "w") as file:
            file.write(str(nice))
    except OSError:
        pass


def run(command, cpus, log, seconds):
    """Runs a load to its end and returns what it printed; an error or a late end raises."""
    child = start(command, cpus, log, stdout=subprocess.PIPE)
    try:
        out, _ = child.communicate(timeout=seconds)
    finally:
        stop(child)
    if child.returncode != 0:
        raise Failed(f"{os.path.basename(command[0])} failed ({child.returncode}): {tail(log)}")
    return out.decode()


class Failed(Exception):
    """A measurement that cannot be used, and why."""


def stop(child):
    """Ends a process and its group: politely, then not."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            signal_group(child.pid, sign)
            try:
                child.wait(GONE)
            except subprocess.TimeoutExpired:
                continue
        break
    signal_group(child.pid, signal.SIGKILL)  # what its leader left behind
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()
    if child in running:
        running.remove(child)


def signal_group(group, sign):
    try:
        os.killpg(group, sign)
    except (ProcessLookupError, PermissionError):
        pass


def stop_all():
    for child in list(running):
        stop(child)


def tree(pid):
    """A process and everything below it."""
    pids = [pid]
    for task in listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children") as file:
                for child in file.read().split():
                    pids += tree(int(child))
        except OSError:
            pass
    return pids


def listdir(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def cpu_seconds(pid):
    """User and system time of a process tree, all threads, to the nanosecond.

    The kernel's per-process clock counts what /proc/PID/stat counts, without rounding to 10 ms.
    """
    total = 0
    for each in tree(pid):
        try:
            total += time.clock_gettime_ns(((~each) << 3) | 2)
        except OSError:
            pass
    return total / 1e9


def memory_kib(pid):
    """Resident memory of a process tree, shared pages counted once (PSS)."""
    total = 0
    for each in tree(pid):
        try:
            with open(f"/proc/{each}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:
            pass
    return total


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, child, log, seconds=10.0):
    """Until something accepts on the port; a child that ended first raises."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if child.poll() is not None:
            raise Failed(f"ended at once: {tail(log)}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Failed(f"nothing listens on {port}: {tail(log)}")


def tail(log):
    try:
        with open(log, errors="replace") as file:
            return " | ".join(file.read().strip().splitlines()[-4:]) or "no output"
    except OSError:
        return "no output"
