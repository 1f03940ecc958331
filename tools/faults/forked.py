"""Work in a forked child, so that each start of tbot begins with a fresh process state and may die or hang alone."""

import contextlib
import json
import os
import select
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LONGEST = 60.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What a child said, one JSON value a line, and how it ended (0 = by itself; negative = by that signal)."""

    said: tuple[Any, ...]
    status: int


Say = Callable[[Any], None]
"""Tells the parent a JSON value, in one write."""
READY = {"ready": True}


class ForkedChild:
    """A child that makes itself ready, waits at a gate, and then acts.

    `begin(say)` runs before the gate and returns what runs behind it."""

    def __init__(self, begin: Callable[[Say], Callable[[], None]]) -> None:
        gate_read, self._gate = os.pipe()
        self._said, said_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._gate)
            os.close(self._said)
            _run(begin, gate_read, said_write)
        os.close(gate_read)
        os.close(said_write)
        self._data = b""

    def wait_until_ready(self) -> None:
        """Until it stands at the gate, or has ended before it."""
        while b"\n" not in self._data and self._hear(_LONGEST):
            pass

    def release(self) -> None:
        os.write(self._gate, b"g")

    def wait(self, seconds: float = _LONGEST) -> Ended:
        """Everything it said until it ended; it is killed when that takes longer than `seconds`."""
        while self._hear(seconds):
            pass
        os.close(self._said)
        os.close(self._gate)
        _, status = os.waitpid(self.pid, 0)
        said = [json.loads(line) for line in self._data.split(b"\n")[:-1]]
        return Ended(tuple(value for value in said if value != READY), os.waitstatus_to_exitcode(status))

    def _hear(self, seconds: float) -> bool:
        """Take in what it says next; False when it has ended or had to be killed."""
        ready, _, _ = select.select([self._said], [], [], seconds)
        if not ready:
            os.kill(self.pid, signal.SIGKILL)
            self._data += b'{"trouble":"it hung"}\n'
            return False
        piece = os.read(self._said, 1 << 16)
        self._data += piece
        return bool(piece)


class ChildFailed(Exception):
    """A child ended without its answer; the words say how."""


def in_child(work: Callable[[], Any]) -> Any:
    """The JSON value that `work` returns in a child of its own. Raises ChildFailed with its traceback otherwise."""

    def begin(say: Say) -> Callable[[], None]:
        return lambda: say({"value": work()})

    child = ForkedChild(begin)
    child.release()
    ended = child.wait()
    last = ended.said[-1] if ended.said else None
    if ended.status != 0 or not isinstance(last, dict) or "value" not in last:
        raise ChildFailed(str(last.get("trouble") if isinstance(last, dict) else last) + f" (status {ended.status})")
    return last["value"]


def _run(begin: Callable[[Say], Callable[[], None]], gate: int, said: int) -> None:
    """The child's whole life; never returns."""

    def say(value: Any) -> None:
        view = memoryview(json.dumps(value).encode() + b"\n")
        while view:
            # Not `write`, which faults may be put on.
            view = view[os.writev(said, [view]) :]

    code = 1
    with contextlib.suppress(BrokenPipeError):
        try:
            act = begin(say)
            say(READY)
            os.read(gate, 1)
            act()
            code = 0
        except BaseException as error:  # noqa: BLE001 - a child's own main(): its parent is told, whatever it is
            say({"trouble": "".join(traceback.format_exception(error)[-4:])})
        finally:
            os._exit(code)
