"""The warden: a tiny program that starts one other program and outlives everything that one starts.

It stands between the service and the agent, with sandbox and without. It is the reaper of every orphan below it
(PR_SET_CHILD_SUBREAPER), so a process that left its group, its session or its parent is still found and killed.
It dies with the service (PR_SET_PDEATHSIG) and takes the tree along. A service that is alive but frozen (stopped, or
its machine paused) is told by nothing: so it gives a sign of life every few seconds, and without one the warden kills
the tree, too, before another service takes the run over. What must hold: when the warden is gone, so is everything that
it started.

It is run by file name in an isolated interpreter (`python -I -S warden.py`), so it imports the standard library only.

    SIGTERM   ask the tree to end, kill what is left after the grace
    SIGHUP    kill the tree now; also sent by the kernel when the service dies
    SIGURG    the service is alive (does nothing to a warden that is not awake yet)
    exit code that of the program, 128 + signal when a signal ended it, 127 when it could not be started
"""

import ctypes
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
ALIVE = signal.SIGURG
_OVERSLEPT = 1.0
"""Seconds that a warden wakes late when it was frozen itself, with the service: that one is given a moment to wake."""
_WALL = "bwrap"
"""Name of the sandbox's own processes: asking them to end would kill the agent before it could tidy up."""


@dataclass(frozen=True)
class Process:
    """One line of the process table. `ticks` is CPU time spent, in clock ticks; `memory` is in bytes."""

    pid: int
    parent: int
    name: str
    ticks: int
    threads: int = 1
    memory: int = 0


def _process(pid: str) -> Process | None:
    try:
        text = (Path("/proc") / pid / "stat").read_text(errors="replace")
    except OSError:
        return None  # it ended while we were reading the table
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    ticks, memory = int(fields[11]) + int(fields[12]), int(fields[21]) * resource.getpagesize()
    return Process(int(pid), int(fields[1]), name, ticks, int(fields[17]), memory)


def descendants(root: int) -> list[Process]:
    """Return every living process below `root`, in no particular order; `root` itself is not among them."""
    children: dict[int, list[Process]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208  # names only: this runs every few seconds
        process = _process(entry) if entry.isdigit() else None
        if process:
            children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += [process.pid for process in below]
    return found


def send(signal_number: int, processes: list[Process]) -> None:
    """Send a signal to each of them; one that has ended meanwhile is fine."""
    for process in processes:
        try:
            os.kill(process.pid, signal_number)
        except ProcessLookupError:
            continue


def _reap(main: int) -> int | None:
    """Reap whatever has ended; return the exit code of `main` when it was among it."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == main:
            code = os.waitstatus_to_exitcode(status)


def _kill_all(main: int, patience: float = 10.0) -> int | None:
    """Kill until nothing is left (a process stuck in the kernel is given `patience` seconds)."""
    code = None
    end = time.monotonic() + patience
    while time.monotonic() < end:
        left = descendants(os.getpid())
        if not left:
            break
        send(signal.SIGKILL, left)
        time.sleep(0.005)
        ended = _reap(main)
        code = ended if ended is not None else code
    return code


def _become(argv: list[str], limits: dict[int, int], groups: list[str]) -> None:
    """In the child: set the limits and turn into the program. Never returns."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        for group in groups:
            Path(group).write_text("0")
    except OSError as error:
        os.write(2, f"callboard: {error}\n".encode())
        os._exit(126)
    for which, most in limits.items():
        hard = resource.getrlimit(which)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (value, value))
    Path("/proc/self/oom_score_adj").write_text("500")  # when memory runs out, the agent goes before the service
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)  # Python ignores them, and what is ignored is inherited
    try:
        os.execvp(argv[0], argv)  # noqa: S606  # an argument list, no shell
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)


def _watch(main: int, grace: float, unattended: float) -> int | None:
    """Wait for the program; return its exit code, or None when the tree is to be killed."""
    deadline: float | None = None
    alone = time.monotonic() + unattended
    while True:
        patience = min(alone, deadline or alone) - time.monotonic()
        caught = signal.sigtimedwait({signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, ALIVE}, max(patience, 0.0))
        code = _reap(main)
        if code is not None:
            return code
        if caught is None:
            late = time.monotonic() - alone
            if deadline is not None or late < _OVERSLEPT:
                return None
            alone = time.monotonic() + unattended / 4
            continue
        if caught.si_signo == ALIVE:
            alone = time.monotonic() + unattended
        if caught.si_signo == signal.SIGHUP:
            return None
        if caught.si_signo == signal.SIGTERM and deadline is None:
            deadline = time.monotonic() + grace
            send(signal.SIGTERM, [process for process in descendants(os.getpid()) if process.name != _WALL])


def main(arguments: list[str]) -> int:
    """Run `PARENT GRACE UNATTENDED CPU_SECONDS GROUPS PROGRAM [ARGUMENT…]`.

    PARENT is a process id, GRACE, UNATTENDED (the longest time without a sign of life of PARENT) and CPU_SECONDS are in
    seconds, GROUPS are the files to join control groups by, with colons in between, or `-`.
    """
    parent, grace, unattended, cpu = int(arguments[0]), float(arguments[1]), float(arguments[2]), int(arguments[3])
    groups, argv = arguments[4].split(":") if arguments[4] != "-" else [], arguments[5:]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, ALIVE})
    system = ctypes.CDLL(None)
    system.prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
    system.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != parent:
        return 128 + signal.SIGHUP  # the service died before we could ask to be told
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_FSIZE: 2 << 30,
        resource.RLIMIT_NPROC: 4096,
    }  # neither DATA nor AS: Claude Code reserves address space far beyond what it uses, and crashes
    child = os.fork()
    if child == 0:
        _become(argv, limits, groups)
    code = _watch(child, grace, unattended)
    killed = _kill_all(child)
    code = code if code is not None else killed if killed is not None else -signal.SIGKILL
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
