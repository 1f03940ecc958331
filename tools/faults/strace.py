"""strace at a forked child: recording all that it does to files, killing it at a call, or failing a call."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tools.child import Process, start_program
from tools.faults.forked import Ended, ForkedChild, Say

RECORDED = "/^(open|openat|creat|p?writev?(64|2)?|f?truncate(64)?|fallocate|f(data)?sync|sync_file_range|rename.*"
RECORDED += "|link|linkat|symlink.*|unlink.*|mkdir.*|rmdir|f?chmod(at)?2?|close|dup[23]?)$"
_LONGEST_WRITE = 8 << 20
_ATTACH_SECONDS = 10.0


class NoStrace(Exception):
    """`strace` is not installed: apt-get install strace."""


def program() -> str:
    found = shutil.which("strace")
    if found is None:
        raise NoStrace("strace is not installed: apt-get install strace")
    return found


def record(begin: Callable[[Say], Callable[[], None]], trace: Path, at_gate: Callable[[], None]) -> Ended:
    """Run a child, with every call that it makes to files behind its gate written to `trace`.

    `at_gate` is called while it waits there."""
    child = ForkedChild(begin)
    size = str(_LONGEST_WRITE)
    flags = ["-f", "-qq", "-y", "-xx", "-s", size, "-e", f"trace={RECORDED}", "-e", "signal=none", "-o", str(trace)]
    return _run(child, flags, at_gate)


def inject(
    begin: Callable[[Say], Callable[[], None]], call: str, what: str, when: str, notes: Path
) -> tuple[Ended, int]:
    """Run a child to whose call number `when` (as strace counts) `what` happens; how it ended, and how often it hit.

    `notes`: a file for strace's own output."""
    flags = ["-f", "-qq", "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={when}", "-e", "signal=none"]
    ended = _run(ForkedChild(begin), [*flags, "-o", str(notes)])
    return ended, ended.status == -signal.SIGKILL or notes.read_bytes().count(b"(INJECTED)")


def _run(child: ForkedChild, flags: list[str], at_gate: Callable[[], None] = lambda: None) -> Ended:
    child.wait_until_ready()
    at_gate()
    tracer = start_program([program(), *flags, "-p", str(child.pid)])
    _wait_for_attach(child.pid, tracer)
    child.release()
    ended = child.wait()
    tracer.wait()
    return ended


def _wait_for_attach(pid: int, tracer: Process) -> None:
    status = Path(f"/proc/{pid}/status")
    deadline = time.monotonic() + _ATTACH_SECONDS
    while "TracerPid:\t0\n" in status.read_text():
        if tracer.poll() is not None or time.monotonic() > deadline:
            raise NoStrace("strace cannot attach to a child of ours: is ptrace forbidden here?")
        time.sleep(0.001)
