"""The web process in a container: it only ever listens on loopback itself, so the socket is handed to it, as systemd
does on a machine. Which addresses reach that socket is what the container's published ports say."""

import os
import socket
import sys

PORT = 8080
FIRST_HANDED = 3


def main() -> None:
    listener = socket.create_server(("0.0.0.0", PORT), backlog=1024)  # noqa: S104 - inside the container's own network
    handle = listener.detach()
    if handle != FIRST_HANDED:
        os.dup2(handle, FIRST_HANDED)
        os.close(handle)
    os.set_inheritable(FIRST_HANDED, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.execv(sys.executable, [sys.executable, "-m", "tbot_web.serve"])  # noqa: S606 - our own interpreter, no shell


if __name__ == "__main__":
    main()
