"""The system calls that Python 3.11 lacks: namespaces, mounts, capabilities, and what names a process for good."""

import ctypes
import os
import signal
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
NAMESPACES = {
    "mount": 0x20000,
    "cgroup": 0x2000000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
_FLAGS = {
    "ro": 1,
    "nosuid": 2,
    "nodev": 4,
    "noexec": 8,
    "remount": 32,
    "bind": 4096,
    "rec": 16384,
    "private": 1 << 18,
    "shared": 1 << 20,
}
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP = 1, 24
_MNT_DETACH = 2

CAPABILITIES = {
    "sys_module": 16,
    "sys_rawio": 17,
    "sys_pacct": 20,
    "sys_time": 25,
    "audit_control": 30,
    "mac_override": 32,
    "mac_admin": 33,
    "syslog": 34,
    "wake_alarm": 35,
    "block_suspend": 36,
    "audit_read": 37,
}
"""Those by which a unit could reach the machine's own kernel: modules, raw devices, clock, log, audit, policy."""


def _require(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def mount(source: str | None, target: Path, kind: str | None = None, flags: str = "", data: str = "") -> None:
    number = 0
    for word in flags.split():
        number |= _FLAGS[word]
    done = _LIBC.mount(_bytes(source), str(target).encode(), _bytes(kind), ctypes.c_ulong(number), _bytes(data or None))
    _require(done, f"mount {source} on {target} ({kind} {flags} {data})")


def bind(source: Path, target: Path, *, writable: bool = False) -> None:
    mount(str(source), target, None, "bind rec")
    if not writable:
        mount(None, target, None, "bind remount ro")


def unshare(*names: str) -> None:
    number = 0
    for name in names:
        number |= NAMESPACES[name]
    _require(_LIBC.unshare(number), f"unshare {names}")


def enter_network(pid: int) -> None:
    """The calling thread alone: sockets that it opens from now on are in the network of `pid`."""
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _require(_LIBC.setns(handle, NAMESPACES["net"]), f"the network of process {pid}")
    finally:
        os.close(handle)


def become_root_folder(folder: Path) -> None:
    """`folder` becomes /, and everything that was mounted besides vanishes from this namespace."""
    os.chdir(folder)
    _require(_LIBC.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _require(_LIBC.umount2(b".", _MNT_DETACH), "umount of the old root")
    os.chdir("/")


def name_host(name: str) -> None:
    _require(_LIBC.sethostname(name.encode(), len(name)), "sethostname")


def drop_dangerous_capabilities() -> None:
    for number in CAPABILITIES.values():
        _LIBC.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)


def die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
