"""A way from outside into a lab's own network: a port of this machine that leads to one of the lab's."""

import contextlib
import socket
import threading
from collections.abc import Callable

from tools.lab.kernel import enter_network

_CHUNK = 65536
_PATIENCE = 15.0


class Door:
    """`pid`: tells the lab's first process, which changes at a reboot; OSError while there is none."""

    def __init__(self, pid: Callable[[], int], port: int) -> None:
        self._pid, self._inside = pid, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                outer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(outer,), daemon=True).start()

    def _carry(self, outer: socket.socket) -> None:
        """One connection, both ways. Refused inside is closed outside."""
        with outer:
            try:
                inner = self._connect()
            except OSError:
                return
            with inner:
                back = threading.Thread(target=_pump, args=(inner, outer), daemon=True)
                back.start()
                _pump(outer, inner)
                back.join()

    def _connect(self) -> socket.socket:
        # The namespace is this thread's from here on; it ends with the connection.
        enter_network(self._pid())
        inner = socket.create_connection(("127.0.0.1", self._inside), timeout=_PATIENCE)
        inner.settimeout(None)
        return inner


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
