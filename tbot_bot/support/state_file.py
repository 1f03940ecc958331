"""`control/bot_state.txt`: one state word, moved by compare-and-swap under a lock, each move logged first-to-last."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tbot_bot.domain.errors import IllegalTransition, StateCorrupt
from tbot_bot.domain.session import NEXT, BotState
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import LineLog, ensure_folder, open_shared, write_bytes
from tbot_bot.support.line_tail import newest_first
from tbot_bot.support.path_resolver import Paths

_MAX_BYTES = 64


class StateFile:
    """The shared state word. Safe between processes; readers never lock."""

    def __init__(self, paths: Paths, clock: Clock) -> None:
        self._paths = paths
        self._clock = clock

    def exists(self) -> bool:
        return self._paths.bot_state.exists()

    def read(self) -> BotState:
        """The present state. Raises StateCorrupt when the file is missing or holds anything but one state word."""
        try:
            with self._paths.bot_state.open("rb") as file:
                text = file.read(_MAX_BYTES)
        except OSError as error:
            raise StateCorrupt(f"{self._paths.bot_state.name} cannot be read: {error.strerror}") from error
        word, newline, rest = text.partition(b"\n")
        if not newline or rest:
            raise StateCorrupt(f"{self._paths.bot_state.name} holds no state word and newline")
        try:
            return BotState(word.decode("ascii"))
        except ValueError as error:
            raise StateCorrupt(f"{self._paths.bot_state.name} holds no state word") from error

    def last_reason(self) -> str:
        """Why the state is what it is, in the words of whoever moved it; empty before the first move.

        What led to `shutdown_triggered` is the reason of the emergency before it, not that it ended well."""
        rows = newest_first(self._paths.state_log)
        return next((str(row.get("why", "")) for row in rows if row.get("to") != BotState.SHUTDOWN_TRIGGERED), "")

    def last_move(self) -> dict[str, Any]:
        """The newest entry of the state log: seq, from, to, by, why, at; empty before the first move."""
        return next(newest_first(self._paths.state_log), {})

    def initialize(self, by: str) -> None:
        """Write `initialize` on a system that has no state yet; an existing state is left alone."""
        with self._locked():
            if not self.exists():
                self._write(None, BotState.INITIALIZE, by, "first start")

    def move(self, frm: BotState | None, to: BotState, by: str, why: str) -> None:
        """Move from `frm` (None: from whatever it is) to `to`.

        Raises IllegalTransition when the state is no longer `frm` or the table has no such move. A corrupt state can
        only be moved to `error`."""
        with self._locked():
            try:
                now: BotState | None = self.read()
            except StateCorrupt:
                if to is not BotState.ERROR:
                    raise
                now = None
            if now is not None:
                if frm is not None and now is not frm:
                    raise IllegalTransition(f"the state is {now}, not {frm}; {by} wanted {to}")
                if to not in NEXT[now]:
                    raise IllegalTransition(f"no move leads from {now} to {to} ({by}: {why})")
            self._write(now, to, by, why)

    def _write(self, now: BotState | None, to: BotState, by: str, why: str) -> None:
        seq = self._last_seq() + 1
        log = LineLog(self._paths.state_log, 0o644)
        try:
            stamp = self._clock.now().isoformat()
            log.append({"seq": seq, "from": now, "to": to, "by": by, "why": why, "at": stamp})
        finally:
            log.close()
        write_bytes(self._paths.bot_state, to.encode() + b"\n", 0o644)

    def _last_seq(self) -> int:
        """Of the newest row that has one: a damaged log must never keep the state from moving."""
        seqs = (row.get("seq") for row in newest_first(self._paths.state_log))
        return next((seq for seq in seqs if isinstance(seq, int) and not isinstance(seq, bool)), 0)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        ensure_folder(self._paths.control, 0o755)
        handle = open_shared(self._paths.state_lock, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
