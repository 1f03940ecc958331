"""Tries what its arguments name and says how each ended: `python -m tools.lab.attempts 'read /etc/passwd' ...`.

Run as one of tbot's users, or inside a unit's sandbox, it shows what a process taken over there could do. The answer is
a JSON object: "ok", or the name of the error."""

import contextlib
import errno
import json
import os
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path


def _read(path: str) -> None:
    with Path(path).open("rb") as file:
        file.read(1)


def _write(path: str) -> None:
    """Open an existing file for writing and leave it as it is."""
    os.close(os.open(path, os.O_WRONLY))


def _create(folder: str) -> None:
    path = f"{folder}/attempt-{secrets.token_hex(4)}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    # Whoever watches the folder may have taken it already.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _make_folder(folder: str) -> None:
    path = f"{folder}/attempt-{secrets.token_hex(4)}"
    os.mkdir(path)
    os.rmdir(path)


def _link(folder: str) -> None:
    path = f"{folder}/attempt-{secrets.token_hex(4)}"
    os.symlink("/etc/passwd", path)
    os.unlink(path)


def _replace(path: str) -> None:
    """Rename it to another name in its folder, and back."""
    other = f"{path}.attempt-{secrets.token_hex(4)}"
    os.rename(path, other)
    os.rename(other, path)


def _execute(path: str) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            os.execv(path, [path, "--version"])  # noqa: S606 - whether it can be run is the question
        except OSError as error:
            os._exit(error.errno or 1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(code, "exec")


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=3).close()


ATTEMPTS: dict[str, Callable[[str], object]] = {
    "read": _read,
    "list": os.listdir,
    "write": _write,
    "create-in": _create,
    "folder-in": _make_folder,
    "link-in": _link,
    "replace": _replace,
    "execute": _execute,
    "connect": _connect,
}


def outcome(words: str) -> str:
    what, _, target = words.partition(" ")
    try:
        ATTEMPTS[what](target)
    except TimeoutError:
        return "ETIMEDOUT"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "ok"


if __name__ == "__main__":
    sys.stdout.write(json.dumps({words: outcome(words) for words in sys.argv[1:]}) + "\n")
