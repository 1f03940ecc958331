"""Asking the provisioning runner: sealed request file out, sealed reply file back."""

import contextlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tbot_bot.domain.errors import RequestRefused
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, write_bytes
from tbot_bot.support.envelope import (
    MAX_BYTES,
    REPLY_SUFFIX,
    REQUEST_SUFFIX,
    Reply,
    Request,
    decode_reply,
    encode_request,
)
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sealing import new_private_key, public_bytes, read_public_key

__all__ = ["Courier", "Reply"]

_FIRST_WAIT = 0.0005
_LONGEST_WAIT = 0.02
_READABLE = 0o640

_NOT_STARTED = (
    "The provisioning runner is not answering and has not taken this request, so nothing was changed. "
    "Check that tbot-provisioning is running, then try again. Stop and Kill work without it."
)
_TAKEN = (
    "The provisioning runner took this request and has not answered yet. It may still be carried out: "
    "look at the present state before repeating it. Stop and Kill work without it."
)


class Courier:
    """Carries requests to the runner. Holds no key of ours: each request makes its own ephemeral pair. Thread-safe."""

    def __init__(self, paths: Paths, clock: Clock) -> None:
        self._paths = paths
        self._clock = clock

    def ask(self, kind: str, body: Mapping[str, Any], *, token: str | None, ip: str, timeout: float = 20.0) -> Reply:
        """The runner's reply; never raises for what a user can type or a dead runner can cause.

        `timeout` in seconds; afterwards, or without a runner, a Reply with code `runner_silent` whose message says
        whether the request may still be carried out."""
        filled = self._fill_in(kind, body, token, ip)
        if isinstance(filled, Reply):
            return filled
        trouble = self._file(filled)
        if trouble is not None:
            return trouble
        return self._answer(filled, timeout)

    def tell(self, kind: str, body: Mapping[str, Any], *, token: str | None, ip: str) -> None:
        """File a request whose answer nobody waits for. One that cannot be written is dropped; the runner sweeps the
        answer away."""
        filled = self._fill_in(kind, body, token, ip)
        if isinstance(filled, _Filled):
            self._file(filled)

    def _fill_in(self, kind: str, body: Mapping[str, Any], token: str | None, ip: str) -> "_Filled | Reply":
        runner_key = read_public_key(self._paths.runner_public_key)
        if runner_key is None:
            return Reply(ok=False, code="runner_silent", message=_NOT_STARTED)
        answer_key = new_private_key()
        request = Request(
            kind=kind,
            id=uuid.uuid4().hex,
            at=self._clock.now(),
            ip=ip,
            reply_to=public_bytes(answer_key),
            token=token,
            body=dict(body),
        )
        try:
            sealed = encode_request(request, runner_key)
        except RequestRefused:
            return Reply(ok=False, code="runner_silent", message=_NOT_STARTED)
        if len(sealed) > MAX_BYTES:
            return Reply(ok=False, code="invalid", message="This is more than a request can carry (64 KiB).")
        return _Filled(request, sealed, answer_key)

    def _path(self, request: Request) -> Path:
        return self._paths.requests / f"{request.id}{REQUEST_SUFFIX}"

    def _file(self, filled: "_Filled") -> Reply | None:
        """Put the request where the runner finds it; a refusal when it cannot be written."""
        path = self._path(filled.request)
        try:
            ensure_folder(self._paths.requests, 0o770)
            # Not fsynced: a request that a power cut swallows was never answered, and so was never made.
            write_bytes(path, filled.sealed, _READABLE, durable=False)
            if filled.request.kind == "provision":
                write_bytes(self._paths.provision_flag, b"", _READABLE, durable=False)
        except OSError as error:
            _withdraw(path)
            return Reply(ok=False, code="failed", message=f"The request could not be written: {error.strerror}.")
        return None

    def _answer(self, filled: "_Filled", timeout: float) -> Reply:
        request = filled.request
        data = _wait_for(self._paths.replies / f"{request.id}{REPLY_SUFFIX}", timeout)
        if data is None:
            taken = not _withdraw(self._path(request))
            return Reply(ok=False, code="runner_silent", message=_TAKEN if taken else _NOT_STARTED)
        try:
            return decode_reply(data, filled.answer_key, request.kind, request.id)
        except RequestRefused:
            return Reply(ok=False, code="failed", message="The runner's reply was damaged. Look before repeating this.")


@dataclass(frozen=True, slots=True)
class _Filled:
    """A request sealed for the runner, and the key to its answer."""

    request: Request = field(repr=False)
    sealed: bytes = field(repr=False)
    answer_key: X25519PrivateKey = field(repr=False)


def _wait_for(path: Path, timeout: float) -> bytes | None:
    """The reply's bytes once it is there; it appears whole, by rename."""
    deadline = time.monotonic() + timeout
    wait = _FIRST_WAIT
    while True:
        with contextlib.suppress(OSError):
            return path.read_bytes()
        if time.monotonic() >= deadline:
            return None
        time.sleep(wait)
        wait = min(wait * 1.2, _LONGEST_WAIT)


def _withdraw(path: Path) -> bool:
    """True when the request was still there and is now gone, so that no one can act on it later."""
    try:
        path.unlink()
    except OSError:
        return False
    return True
