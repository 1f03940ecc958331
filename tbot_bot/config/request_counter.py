"""From a file in `control/requests/` to a sealed reply: claim, open, refuse what is not true and fresh, act once."""

import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tbot_bot.config.desk import Desk
from tbot_bot.config.desk_kind import Lane, refused
from tbot_bot.config.replay import ReplayGuard
from tbot_bot.domain.errors import RequestRefused, TbotError
from tbot_bot.ports.books import AuditLog
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, write_bytes
from tbot_bot.support.envelope import REPLY_SUFFIX, REQUEST_SUFFIX, Reply, Request, decode_request, encode_reply
from tbot_bot.support.inbox import Claimed, Evicted, Inbox
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths

_log = get_logger("requests")
_REQUEST_NAME = re.compile(r"[0-9a-f]{32}\.req")
_KEPT_SECONDS = 60.0
_MAX_SLOW = 16
_NICE = 10
_REPLY_MODE = 0o640
_AUDIT_EVERY = 1.0
_SHOWN_REFUSALS = 5
_LONGEST_WORK = 1800.0
"""Seconds after which whoever still works on one request is taken for hanging; a restore is the longest."""


class RequestCounter:
    """Serves requests. Slow ones wait in two bounded lines: strangers' logins, and the work of users."""

    def __init__(
        self,
        paths: Paths,
        clock: Clock,
        *,
        key: X25519PrivateKey,
        desk: Desk,
        audit: AuditLog,
        owners: frozenset[int] | None,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called, from any thread, after an act that may change what is published."""
        ensure_folder(paths.requests, 0o770)
        ensure_folder(paths.replies, 0o750)
        self._paths = paths
        self._clock = clock
        self._key = key
        self._desk = desk
        self._audit = audit
        self._changed = changed
        self._replay = ReplayGuard(paths, clock)
        self._flag = paths.provision_flag.name
        self._inbox = Inbox(
            paths.requests,
            paths.runner_private / "claimed",
            paths.runner_private / "refused",
            wanted=lambda name: name == self._flag or _REQUEST_NAME.fullmatch(name) is not None,
            leave=self._belongs_to_others,
            owners=owners,
            fair=True,
        )
        for stale in self._inbox.leftovers():
            # Claimed before a crash: whether it was acted on is unknown, so it is not acted on now.
            self._inbox.finish(stale)
        self._lines: dict[Lane, _Line] = {lane: _Line(lane) for lane in Lane if lane is not Lane.INLINE}
        self._refused: list[Evicted] = []
        self._audited_at = 0.0

    def serve(self) -> int:
        """Take what is there; returns how many entries came in. Raises what a slow request's worker raised."""
        self._settle()
        claimed, evicted = self._inbox.take()
        self._refused += evicted
        for one in claimed:
            if one.name == self._flag:
                self._inbox.finish(one)
            else:
                self._serve_one(one)
        self._audit_refused()
        return len(claimed) + len(evicted)

    @property
    def under_attack(self) -> bool:
        """Whether bad files came in just now, so that the caller slows down instead of spinning."""
        return bool(self._refused)

    @property
    def waiting(self) -> int:
        """Requests that were taken in and are not answered yet."""
        return sum(line.waiting for line in self._lines.values())

    @property
    def hangs(self) -> bool:
        """Whether a request has been worked on for longer than any takes."""
        return any(line.busy_for > _LONGEST_WORK for line in self._lines.values())

    def sweep(self) -> None:
        """Remove replies that nobody will fetch any more."""
        oldest = self._clock.now().timestamp() - _KEPT_SECONDS
        for path in self._paths.replies.iterdir():
            if path.lstat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Finish what is under way, and nothing more."""
        for line in self._lines.values():
            line.close()
        self._audited_at = 0.0
        self._audit_refused()
        self._replay.close()

    def _serve_one(self, claimed: Claimed) -> None:
        request = self._opened(claimed)
        if request is None:
            return
        self._inbox.finish(claimed)
        line = self._line_of(request)
        if line is None:
            self._answer(request)
        else:
            line.add(self._answer, request)

    def _line_of(self, request: Request) -> "_Line | None":
        return self._lines.get(self._desk.lane(request))

    def _no_room(self, claimed: Claimed, request: Request) -> bool:
        """A full line is said so before anything is written: what is not acted on needs no note against replay, and a
        flood that cost a write each would hold everyone up."""
        line = self._line_of(request) if self._desk.knows(request.kind) else None
        if line is None or line.has_room:
            return False
        self._inbox.finish(claimed)
        self._reply(request, refused("busy", "Too many requests at once. Try again in a few seconds."))
        return True

    def _opened(self, claimed: Claimed) -> Request | None:
        """The request, if it is true, fresh, new, of a known kind and has its place; otherwise it is answered for."""
        try:
            request = decode_request(claimed.data, self._key)
        except RequestRefused as error:
            self._set_aside(claimed, str(error))
            return None
        if claimed.name != f"{request.id}{REQUEST_SUFFIX}":
            self._set_aside(claimed, "its name is not its id")
            return None
        if self._no_room(claimed, request):
            return None
        objection = self._replay.objection(request)
        if objection is None and self._desk.knows(request.kind):
            return request
        self._set_aside(claimed, objection or "its kind is unknown")
        if objection is None or "replay" not in objection:
            self._reply(request, refused("invalid", f"The request was refused: {objection or 'its kind is unknown'}."))
        return None

    def _answer(self, request: Request) -> None:
        started = time.monotonic()
        outcome = self._desk.handle(request)
        self._reply(request, outcome.reply)
        taken = round((time.monotonic() - started) * 1000, 1)
        fields = {"kind": request.kind, "code": outcome.reply.code, "ip": request.ip, "ms": taken}
        _log.info("request answered", extra={"fields": fields})
        if outcome.then is not None:
            outcome.then()
        if outcome.reply.ok and self._desk.changes_facts(request.kind):
            self._changed()

    def _reply(self, request: Request, reply: Reply) -> None:
        path = self._paths.replies / f"{request.id}{REPLY_SUFFIX}"
        try:
            # Not fsynced: after a power cut no one waits for it.
            write_bytes(path, encode_reply(reply, request), _REPLY_MODE, durable=False)
        except (OSError, RequestRefused) as error:
            _log.warning("a reply could not be written", extra={"fields": {"why": str(error)}})

    def _set_aside(self, claimed: Claimed, why: str) -> None:
        self._inbox.refuse(claimed)
        self._refused.append(Evicted(claimed.name, why))

    def _audit_refused(self) -> None:
        """At most one record a second, however many came: a flood must not fill the log."""
        if not self._refused or time.monotonic() - self._audited_at < _AUDIT_EVERY:
            return
        shown = [{"name": one.name, "why": one.why} for one in self._refused[:_SHOWN_REFUSALS]]
        try:
            self._audit.record("requests_refused", "unknown", {"count": len(self._refused), "first": shown})
        except TbotError as error:
            _log.error("refused requests are not on record", extra={"fields": {"why": str(error)}})
        self._refused.clear()
        self._audited_at = time.monotonic()

    def _settle(self) -> None:
        for line in self._lines.values():
            line.settle()

    def _belongs_to_others(self, name: str) -> bool:
        """Flags are the bot's; a fresh temporary file is a request in the making."""
        flags = {self._paths.stop_flag.name, self._paths.kill_flag.name, self._paths.start_flag.name}
        if name in flags:
            return True
        if not name.startswith("."):
            return False
        try:
            age = self._clock.now().timestamp() - (self._paths.requests / name).lstat().st_mtime
        except OSError:
            return True
        return age < _KEPT_SECONDS


def _give_way() -> None:
    """This thread computes passwords: whatever trades on this machine goes before it."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        if os.getpriority(os.PRIO_PROCESS, thread) < _NICE:
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, thread, _NICE)


class _Line:
    """One lane's worker and its bounded queue."""

    def __init__(self, lane: Lane) -> None:
        self._worker = ThreadPoolExecutor(1, f"{lane}-requests", initializer=_give_way)
        self._pending: list[Future[None]] = []
        self._began: float | None = None

    @property
    def waiting(self) -> int:
        return len(self._pending)

    @property
    def busy_for(self) -> float:
        """Seconds since the worker began with the request that it works on; 0 when it rests."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    @property
    def has_room(self) -> bool:
        return len(self._pending) < _MAX_SLOW

    def add(self, act: Callable[[Request], None], request: Request) -> None:
        self._pending.append(self._worker.submit(self._work, act, request))

    def _work(self, act: Callable[[Request], None], request: Request) -> None:
        self._began = time.monotonic()
        try:
            act(request)
        finally:
            self._began = None

    def settle(self) -> None:
        """Collect what is finished; an unexpected error in one ends the process rather than hide."""
        finished = [future for future in self._pending if future.done()]
        self._pending = [future for future in self._pending if not future.done()]
        for future in finished:
            future.result()

    def close(self) -> None:
        self._worker.shutdown(wait=True, cancel_futures=True)
