"""The sd_notify protocol: readiness, heartbeat and status to systemd; silent where systemd is not the parent."""

import os
import socket
import time
from collections.abc import Callable


class SdNotify:
    """Sends to $NOTIFY_SOCKET; the watchdog is fed from the caller's working loop, at most once a second."""

    def __init__(self, meanwhile: Callable[[], None] | None = None) -> None:
        """`meanwhile`: what else is to be done from the working loop, as often as it feeds the watchdog."""
        self._meanwhile = meanwhile
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._last_beat = 0.0
        self._said = ""

    def _send(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(text.encode(), address)

    def ready(self) -> None:
        self._send("READY=1")

    def beat(self) -> None:
        now = time.monotonic()
        if now - self._last_beat >= 1:
            self._last_beat = now
            self._send("WATCHDOG=1")
            if self._meanwhile is not None:
                self._meanwhile()

    def status(self, words: str) -> None:
        """One line; said again only when it is another."""
        line = " ".join(words.split())
        if line != self._said:
            self._said = line
            self._send(f"STATUS={line}")

    def stopping(self) -> None:
        self._send("STOPPING=1")
