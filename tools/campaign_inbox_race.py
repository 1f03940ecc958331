"""Racing attackers against a real runner, while honest requests go on and the runner's heartbeat is listened to."""

import json
import os
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tbot_bot.support.atomic_file import ensure_folder
from tools.child import Process, end, start_python
from tools.runner_process import RunnerProcess

NOBODY = 65_534
LONGEST_ANSWER = 10.0
"""Seconds within which an honest request must be answered though the folder is full of hostile ones."""
LONGEST_SILENCE = 10.0
"""Seconds between two heartbeats; systemd is told to wait three times as long."""
_PAUSE = 0.1


class Heartbeat:
    """Listens where the runner thinks that systemd is."""

    def __init__(self, folder: Path) -> None:
        self.address = folder / "notify"
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.bind(str(self.address))
        self._channel.settimeout(0.2)
        self._last = time.monotonic()
        self.longest = 0.0
        self.beats = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                message = self._channel.recv(4096)
            except TimeoutError:
                message = b""
            now = time.monotonic()
            if message:
                self.beats += message == b"WATCHDOG=1"
                self.longest = max(self.longest, now - self._last)
                self._last = now

    def start_counting(self) -> None:
        self.longest, self._last = 0.0, time.monotonic()

    def stop(self) -> None:
        self.longest = max(self.longest, time.monotonic() - self._last)
        self._ended.set()
        self._thread.join()
        self._channel.close()


@dataclass
class Race:
    """What came of it. `answers`: seconds that each honest request took."""

    tricks: Counter[str] = field(default_factory=Counter)
    answers: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def race(runner: RunnerProcess, folder: Path, baits: tuple[Path, ...], seconds: float, seed: int) -> Race:
    """Three attackers for `seconds`: two as the runner's own user and, as root, one as nobody."""
    found = Race()
    attackers = _start(runner, folder, baits, seconds, seed)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        _ask(runner, found)
        time.sleep(_PAUSE)
    for process, output in attackers:
        code = process.wait(30)
        end(process)
        if code != 0:
            found.faults.append(f"an attacker ended with {code}: {output.read_text()[-300:]}")
            continue
        tricks: dict[str, int] = json.loads(output.read_text().splitlines()[-1])
        found.tricks.update({f"race: {name}": count for name, count in tricks.items()})
    slow = [taken for taken in found.answers if taken > LONGEST_ANSWER]
    if slow:
        found.faults.append(f"{len(slow)} honest requests took more than {LONGEST_ANSWER:.0f} s")
    return found


def _start(
    runner: RunnerProcess, folder: Path, baits: tuple[Path, ...], seconds: float, seed: int
) -> list[tuple[Process, Path]]:
    users: tuple[int | None, ...] = (None, None, NOBODY) if os.geteuid() == 0 else (None, None, None)
    started = []
    for number, user in enumerate(users):
        own = folder / f"attacker{number}"
        ensure_folder(own)
        if user is not None:
            # As the web's user in production: may write into this one folder.
            for place in (folder, runner.paths.root, runner.paths.control):
                place.chmod(0o711)
            runner.paths.requests.chmod(0o777)
            os.chown(own, user, user)
        options = ["--folder", str(runner.paths.requests), "--own", str(own), "--seconds", str(seconds)]
        options += [word for bait in baits for word in ("--bait", str(bait))]
        options += ["--seed", str(seed * 100 + number), *([] if user is None else ["--uid", str(user)])]
        output = folder / f"attacker{number}.txt"
        started.append((start_python(["-m", "tools.racing_attackers", *options], output), output))
    return started


def _ask(runner: RunnerProcess, found: Race) -> None:
    began = time.monotonic()
    reply = runner.ask("validate", {"values": {"MAX_TRADES": "nonsense"}}, timeout=30)
    found.answers.append(time.monotonic() - began)
    if reply.code != "invalid":
        found.faults.append(f"an honest request was answered {reply.code}: {reply.message}")


def figures(found: Race, heart: Heartbeat) -> dict[str, float]:
    """The honest requests' times and the longest silence, in seconds."""
    times = sorted(found.answers) or [0.0]
    return {
        "honest requests": len(found.answers),
        "answer p50": round(times[len(times) // 2], 3),
        "answer p99": round(times[int(len(times) * 0.99)], 3),
        "answer longest": round(times[-1], 3),
        "heartbeats": heart.beats,
        "longest silence": round(heart.longest, 2),
    }
