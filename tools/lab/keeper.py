"""The process that owns a lab: `python -m tools.lab.keeper FOLDER`.

It reads words from its standard input, boot, off, and answers each with a line. When the input ends, because whoever
started it is gone, the lab is switched off. Whatever is killed takes all below it along: the lab's first process dies
with the keeper, and everything in the lab with its first process."""

import contextlib
import os
import pty
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tools.lab.cgroups import Groups, join, make_groups, remove_groups
from tools.lab.kernel import die_with_parent, mount, unshare
from tools.lab.machine import HOST_NAME, Machine

SYSTEMD = Path("/lib/systemd/systemd")
_DISK_SIZE = "4g"
_POWER_OFF = signal.SIGRTMIN + 4
_POLITE_SECONDS = 90.0
_ENVIRONMENT = {
    "container": "tbot-lab",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "HOME": "/root",
}


class Keeper:
    """One lab, which may be booted again and again on the same disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._disk = folder / "disk"
        self._console, terminal = pty.openpty()
        self._terminal = os.ttyname(terminal)
        self._middle = 0
        self._groups: Groups | None = None
        self._init = 0

    def prepare(self) -> None:
        """A disk in memory that exists only in this process's view."""
        unshare("mount")
        mount(None, Path("/"), None, "rec private")
        self._disk.mkdir(exist_ok=True)
        mount("lab", self._disk, "tmpfs", "", f"mode=755,size={_DISK_SIZE}")
        (self._disk / "upper").mkdir()
        threading.Thread(target=self._log_console, daemon=True).start()

    def boot(self) -> int:
        """The lab's first process, which is systemd by now. Raises OSError."""
        self._groups = make_groups()
        read, write = os.pipe()
        self._middle = os.fork()
        if self._middle == 0:
            os.close(read)
            _last_words(write, lambda: self._stay_between(write))
        os.close(write)
        words = _all_of(read)
        if not words.startswith(b"PID "):
            self.off()
            raise OSError(words.decode(errors="replace") or "the lab's first process said nothing")
        self._init = int(words.split()[1])
        return self._init

    def off(self, *, polite: bool = True) -> None:
        """Switched off as by the button, pulled out when that takes too long; its control groups removed."""
        if self._init:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._init, _POWER_OFF if polite else signal.SIGKILL)
        end = time.monotonic() + _POLITE_SECONDS
        while self._middle and os.waitpid(self._middle, os.WNOHANG)[0] == 0:
            if time.monotonic() > end and self._init:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._init, signal.SIGKILL)
            time.sleep(0.01)
        self._middle = self._init = 0
        if self._groups is not None:
            remove_groups(self._groups.folders)
            self._groups = None

    def _stay_between(self, report: int) -> None:
        """Join the lab's groups, unshare, fork its first process, leave the groups, wait for the end."""
        assert self._groups is not None
        die_with_parent()
        outside = [(folder.parent / "cgroup.procs").open("w") for folder in self._groups.folders]
        join(self._groups.folders)
        unshare("mount", "uts", "ipc", "cgroup", "pid", "net")
        read, write = os.pipe()
        wait, go = os.pipe()
        first = os.fork()
        if first == 0:
            os.close(go)
            os.read(wait, 1)
            _last_words(write, lambda: self._become_systemd(write))
        # A process of the outside in the root group would make systemd's own moves fail.
        for handle in outside:
            handle.write(str(os.getpid()))
            handle.close()
        os.close(go)
        os.close(write)
        words = _all_of(read)
        os.write(report, words or f"PID {first}".encode())
        os.close(report)
        os.waitpid(first, 0)
        os._exit(0)

    def _become_systemd(self, report: int) -> None:
        assert self._groups is not None
        die_with_parent()
        os.setsid()
        os.umask(0o022)
        Machine(self._disk, self._groups, self._terminal).enter()
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        console = os.open("/dev/console", os.O_WRONLY | os.O_NOCTTY)
        os.dup2(console, 1)
        os.dup2(console, 2)
        os.set_inheritable(report, False)
        for handle in map(int, os.listdir("/proc/self/fd")):
            if handle > 2 and handle != report:
                with contextlib.suppress(OSError):
                    os.close(handle)
        for number in signal.valid_signals():
            with contextlib.suppress(OSError):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        words = [str(SYSTEMD), "--system", "--unit=multi-user.target", "--show-status=0", "--crash-reboot=0"]
        words.append(f"systemd.hostname={HOST_NAME}")
        if self._groups.hybrid:
            words += ["systemd.unified_cgroup_hierarchy=0", "systemd.legacy_systemd_cgroup_controller=0"]
        else:
            words.append("systemd.unified_cgroup_hierarchy=1")
        os.execve(SYSTEMD, words, _ENVIRONMENT)  # noqa: S606 - this process is to be systemd

    def _log_console(self) -> None:
        with (self._folder / "console.txt").open("ab", buffering=0) as sink:
            while True:
                try:
                    sink.write(os.read(self._console, 65536))
                except OSError:
                    time.sleep(0.1)


def _last_words(report: int, work: Callable[[], None]) -> NoReturn:
    """Do `work` in a forked process, which never returns from here; say why it failed."""
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - the parent tells it
        os.write(report, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(1)


def _all_of(handle: int) -> bytes:
    """Everything until the other end is closed."""
    with os.fdopen(handle, "rb") as stream:
        return stream.read()


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    keeper = Keeper(Path(sys.argv[1]))
    words: dict[str, Callable[[], str | None]] = {
        "boot": lambda: f"up {keeper.boot()}",
        "off": keeper.off,
        "pull": lambda: keeper.off(polite=False),
        "ready": lambda: None,
    }
    try:
        keeper.prepare()
        for line in sys.stdin:
            try:
                answer = words[line.strip()]() or "done"
            except OSError as error:
                answer = f"failed {error}".replace("\n", " ")
            print(answer, flush=True)
    finally:
        keeper.off()
    return 0


if __name__ == "__main__":
    sys.exit(main())
