"""The sd_notify protocol: readiness, heartbeat and status to systemd; silent where systemd is not the parent."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping

BETWEEN = 1.0
"""Seconds between two messages of a kind, whatever the watchdog allows."""
_SEND_SECONDS = 1.0


class SdNotify:
    """Sends to $NOTIFY_SOCKET, and never fails for it. The watchdog is fed from the caller's working loop alone."""

    def __init__(
        self, meanwhile: Callable[[], None] | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """`meanwhile`: what else is to be done from the working loop, as often as it feeds the watchdog."""
        told = os.environ if environment is None else environment
        self._meanwhile = meanwhile
        self._address = told.get("NOTIFY_SOCKET", "")
        self._watchdog = _watchdog_seconds(told)
        self._every = min(BETWEEN, self._watchdog / 4) if self._watchdog else BETWEEN
        self._last_beat = float("-inf")
        self._patience = 0.0
        self._is_ready = False
        self._status = self._said = ""
        self._said_at = float("-inf")

    def ready(self) -> None:
        self._is_ready = True
        self._send("READY=1")

    def beat(self) -> None:
        """From the working loop, as often as it turns: more often than the watchdog needs is not sent."""
        now = time.monotonic()
        if now - self._last_beat >= self._every:
            self._last_beat = now
            self._send("WATCHDOG=1")
            if self._meanwhile is not None:
                self._meanwhile()
        self._say(now)

    def status(self, words: str) -> None:
        """What `systemctl status` shows; the newest words, said when a second has passed since the last ones."""
        self._status = " ".join(words.split())
        self._say(time.monotonic())

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """While starting or stopping: that may take `seconds` more from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    @contextlib.contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """A step inside which nothing can feed the watchdog, and which takes `seconds` at most: only a longer silence
        counts as hanging. Before READY it is the start that may take as long."""
        before = self._patience
        if seconds > max(before, self._watchdog):
            self._patience = seconds
            self._be_patient(seconds)
        try:
            yield
        finally:
            if self._patience != before:
                self._patience = before
                self._be_patient(before or self._watchdog)
            self.beat()

    def _be_patient(self, seconds: float) -> None:
        if self._watchdog:
            self._send(f"WATCHDOG_USEC={int(seconds * 1_000_000)}")
        if self._patience and not self._is_ready:
            self.extend(seconds)

    def _say(self, now: float) -> None:
        if self._status != self._said and now - self._said_at >= BETWEEN:
            self._said, self._said_at = self._status, now
            self._send(f"STATUS={self._status}")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
        ):
            channel.settimeout(_SEND_SECONDS)
            channel.sendto(text.encode("utf-8", "replace"), address)


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """After how long without a beat systemd takes this process for hanging; 0 = it doesn't watch."""
    text, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if pid not in ("", str(os.getpid())) or not (text.isascii() and text.isdigit()):
        return 0.0
    return int(text) / 1_000_000
