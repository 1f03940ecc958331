"""The web process: waitress in front of the application, on loopback unless a proxy's name is configured."""

import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from waitress.server import create_server

from tbot_bot.interface import SdNotify, SystemClock, protect, root
from tbot_web.app import create_app
from tbot_web.security import MAX_BODY

LOOPBACK = "127.0.0.1"
BAD_SETTING = 78
_FIRST_PASSED = 3
"""The first descriptor that systemd passes."""
_NO_DESCRIPTOR = -1


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. `hosts`: the public names a proxy on this machine answers to; empty = no proxy."""

    port: int
    hosts: tuple[str, ...]


def listen_from(environment: Mapping[str, str]) -> Listen:
    """TBOT_WEB_PORT (8080) and TBOT_WEB_HOSTS (names, comma between). Raises ValueError saying what to correct."""
    text = environment.get("TBOT_WEB_PORT", "8080")
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError(f"TBOT_WEB_PORT is {text!r}; give a port from 1 to 65535")
    names = environment.get("TBOT_WEB_HOSTS", "")
    return Listen(int(text), tuple(n.strip().lower() for n in names.split(",") if n.strip()))


def passed_socket(environment: Mapping[str, str], pid: int) -> socket.socket | None:
    """The socket that systemd listens on for us; None outside it. Raises ValueError when there are several."""
    if environment.get("LISTEN_PID") != str(pid):
        return None
    if environment.get("LISTEN_FDS") != "1":
        raise ValueError("tbot-web.socket must have one ListenStream")
    return socket.socket(fileno=_FIRST_PASSED)


class Pulse:
    """Member of the server's own loop, which asks every member each turn: that is when the watchdog is fed."""

    accepting = False

    def __init__(self, notify: SdNotify) -> None:
        self._notify = notify

    def readable(self) -> bool:
        self._notify.beat()
        return False

    def writable(self) -> bool:
        return False

    def close(self) -> None:
        """The loop closes its members at its end; there is nothing to close."""


def main() -> int:
    """Serve until SIGTERM or Ctrl-C. Always on loopback; with TBOT_WEB_HOSTS, a TLS proxy there is trusted."""
    try:
        listen = listen_from(os.environ)
        passed = passed_socket(os.environ, os.getpid())
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_SETTING
    protect()
    signal.signal(signal.SIGTERM, _stop)
    app = create_app(root(), SystemClock(), hosts=listen.hosts)
    proxied = (
        {
            "trusted_proxy": LOOPBACK,
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"},
            "clear_untrusted_proxy_headers": True,
        }
        if listen.hosts
        else {}
    )
    place: dict[str, Any] = {"sockets": [passed]} if passed else {"host": LOOPBACK, "port": listen.port}
    notify = SdNotify()
    members: dict[int, Any] = {_NO_DESCRIPTOR: Pulse(notify)}
    server = create_server(
        app,
        map=members,
        **place,
        threads=8,
        connection_limit=1000,
        channel_timeout=5,
        cleanup_interval=2,
        max_request_body_size=MAX_BODY,
        max_request_header_size=16 * 1024,
        ident=None,
        **proxied,
    )
    notify.ready()
    server.run()
    notify.stopping()
    server.close()
    return 0


def _stop(_signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
