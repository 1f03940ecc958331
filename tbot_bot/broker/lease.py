"""One writer for each account on this machine: a name that the kernel gives to one process at a time."""

import hashlib
import socket
import threading

from tbot_bot.domain.errors import AlreadyRunning

_lock = threading.Lock()
_held: dict[str, tuple[socket.socket, int]] = {}
"""Names that this process holds, and how often: it may open its account anew before it closes what it had."""


class AccountLease:
    """Held from `take` until `release` or the end of the process, however it ends; there is no file to be left behind.

    An abstract UNIX socket's name belongs to one socket of the machine (of its network namespace), whatever root, user
    or installation the process has. Other machines are not kept out."""

    def __init__(self, broker: str, account: str) -> None:
        digest = hashlib.sha256(f"{broker}|{account}".encode()).hexdigest()[:32]
        self._name = f"\0tbot-account-{digest}"
        self._taken = False

    def take(self) -> None:
        """Raises AlreadyRunning while another process trades this account."""
        with _lock:
            known = _held.get(self._name)
            if known is not None:
                _held[self._name] = (known[0], known[1] + (not self._taken))
            else:
                _held[self._name] = (_bound(self._name), 1)
            self._taken = True

    def release(self) -> None:
        with _lock:
            if self._taken:
                held, count = _held.pop(self._name)
                if count > 1:
                    _held[self._name] = (held, count - 1)
                else:
                    held.close()
                self._taken = False


def _bound(name: str) -> socket.socket:
    held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        held.bind(name)
    except OSError as error:
        held.close()
        raise AlreadyRunning(
            "another tbot on this machine trades this account: stop it first, or give each an account of its own"
        ) from error
    return held
