"""The one place where tools start processes: our own modules, watched and killed by campaigns and benchmarks."""

import contextlib
import os
import signal
import subprocess  # noqa: TID251 - a campaign has to start what it kills; nothing that trades does
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tbot_bot.support.path_resolver import CODE_ROOT

Process = subprocess.Popen[bytes]


def start_python(arguments: list[str], output: Path, environment: Mapping[str, str] | None = None) -> Process:
    """`python ARGUMENTS` in the checkout, in a session of its own, speaking into `output`."""
    with output.open("ab") as sink:
        return subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            [sys.executable, *arguments],
            cwd=CODE_ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def start_dialogue(arguments: list[str], errors: Path) -> Process:
    """`python ARGUMENTS` in the checkout, spoken with through pipes; its input ends when this process does."""
    with errors.open("ab") as sink:
        return subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            [sys.executable, *arguments],
            cwd=CODE_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sink,
            start_new_session=True,
        )


def start_program(words: list[str]) -> Process:
    """A program of the system, such as strace, in a session of its own and mute."""
    return subprocess.Popen(  # noqa: S603 - fixed words of ours, no shell
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that has ended: its exit code and all it said. 124: it was killed when its time was over."""

    code: int
    output: str

    @property
    def last_lines(self) -> str:
        return "\n".join(self.output.strip().splitlines()[-6:])


def run_program(
    words: Sequence[str], *, seconds: float = 600.0, folder: Path | None = None, more: Mapping[str, str] | None = None
) -> Finished:
    """Run a program of the system to its end. `more`: variables besides ours. Raises FileNotFoundError without it."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words of ours, no shell
            list(words),
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(more or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return Finished(124, (error.stdout or b"").decode(errors="replace"))
    return Finished(done.returncode, done.stdout.decode(errors="replace"))


def end(process: Process, seconds: float = 30.0) -> int:
    """SIGTERM, and SIGKILL for whatever is left of it and its children; the exit code."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.poll() is None:
        for pid in children(process.pid):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def children(pid: int) -> tuple[int, ...]:
    """Direct children of `pid`, as /proc tells them; none when it is gone."""
    try:
        return tuple(int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    except OSError:
        return ()


def command_line(pid: int) -> tuple[str, ...]:
    """The words of its command line; empty when it is gone."""
    try:
        return tuple(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1])
    except OSError:
        return ()


def child_running(pid: int, module: str) -> int | None:
    """The child of `pid` that runs `python -m module`."""
    return next((each for each in children(pid) if command_line(each)[1:3] == ("-m", module)), None)
