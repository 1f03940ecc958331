"""Attackers that change things in `control/requests/` while the runner takes them: `python -m tools.racing_attackers`.

Each works on a few names of its own, as fast as it can, and counts what it did. They know of a planted secret file
and of a planted request that would be obeyed, and try to have the runner open either."""

import argparse
import contextlib
import json
import os
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NAMES = 48
"""How many names an attacker plays with: what lies in the folder at once stays bounded, the pace does not."""


@dataclass(frozen=True, slots=True)
class Ground:
    """`baits`: files that the runner must not open for anyone. `own`: where the attacker prepares things."""

    folder: Path
    baits: tuple[Path, ...]
    own: Path


Trick = Callable[[Ground, Path, random.Random], None]


def _create(path: Path, data: bytes) -> int:
    """A new file at `path` and its open handle; never into a file that someone else's name leads to."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    os.write(handle, data)
    return handle


def swap_for_link(ground: Ground, path: Path, dice: random.Random) -> None:
    """A plain file that becomes a symlink between a check and an open."""
    os.close(_create(path, b"tbot-request-1 start " + b"0" * 32 + b"\n"))
    link = ground.own / f"l{dice.randrange(1 << 30)}"
    link.symlink_to(dice.choice(ground.baits))
    link.rename(path)


def swap_for_fifo(ground: Ground, path: Path, dice: random.Random) -> None:
    os.close(_create(path, b"x"))
    pipe = ground.own / f"p{dice.randrange(1 << 30)}"
    os.mkfifo(pipe)
    pipe.rename(path)


def hard_link(ground: Ground, path: Path, dice: random.Random) -> None:
    os.link(dice.choice(ground.baits), path)


def rewrite_while_read(ground: Ground, path: Path, dice: random.Random) -> None:
    """Keep the file open and go on writing after it was claimed."""
    with os.fdopen(_create(path, b"tbot"), "wb", buffering=0) as file:
        for _ in range(dice.randint(2, 20)):
            file.write(dice.randbytes(dice.choice((10, 5000))))
        file.truncate(dice.randint(0, 50))
        file.seek(dice.randrange(1 << 20))
        file.write(b"x")


def rename_back_and_forth(ground: Ground, path: Path, dice: random.Random) -> None:
    os.close(_create(path, dice.randbytes(40)))
    aside = ground.folder / f"{dice.getrandbits(128):032x}.req"
    for _ in range(5):
        path.rename(aside)
        aside.rename(path)


def folder_and_file(ground: Ground, path: Path, dice: random.Random) -> None:
    path.mkdir()
    (path / "inside").symlink_to(dice.choice(ground.baits))
    if dice.random() < 0.5:
        path.rename(ground.folder / f"{dice.getrandbits(128):032x}.req")


def huge_and_sparse(ground: Ground, path: Path, dice: random.Random) -> None:
    with os.fdopen(_create(path, b"tbot"), "wb") as file:
        file.truncate(dice.choice((65_537, 1 << 30, 1 << 40)))


def unix_socket(ground: Ground, path: Path, dice: random.Random) -> None:
    with socket.socket(socket.AF_UNIX) as channel:
        place = ground.own / f"s{dice.randrange(1 << 30)}"
        channel.bind(str(place))
        place.rename(path)


def squat(ground: Ground, path: Path, dice: random.Random) -> None:
    """The doorbell as a link, a pipe or a folder."""
    flag = ground.folder / "PROVISION_FLAG"
    how = dice.randrange(3)
    if how == 0:
        flag.symlink_to(dice.choice(ground.baits))
    elif how == 1:
        os.mkfifo(flag)
    else:
        flag.mkdir()


def deep(ground: Ground, path: Path, dice: random.Random) -> None:
    (path / "a" / "b" / "c").mkdir(parents=True)


def rapid(ground: Ground, path: Path, dice: random.Random) -> None:
    """Written, withdrawn, written: there at the listing and gone at the claim."""
    for _ in range(10):
        head = b"tbot-request-1 login " + dice.randbytes(16).hex().encode() + b"\n"
        os.close(_create(path, head + dice.randbytes(200)))
        path.unlink()


TRICKS: tuple[Trick, ...] = (
    *(swap_for_link, swap_for_link, swap_for_fifo, hard_link, hard_link, rewrite_while_read, rename_back_and_forth),
    *(folder_and_file, huge_and_sparse, unix_socket, squat, deep, rapid),
)


def attack(ground: Ground, seconds: float, dice: random.Random) -> Counter[str]:
    """How often each trick was carried out to its end. What the runner took in the middle of it is the point of it."""
    names = [ground.folder / f"{dice.getrandbits(128):032x}.req" for _ in range(NAMES)]
    done: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        trick, path = dice.choice(TRICKS), dice.choice(names)
        with contextlib.suppress(OSError):
            trick(ground, path, dice)
            done[trick.__name__] += 1
    return done


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools.racing_attackers")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--own", type=Path, required=True, help="a folder of the attacker's on the same file system")
    parser.add_argument("--bait", type=Path, action="append", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--uid", type=int, help="become this user first")
    options = parser.parse_args()
    if options.uid is not None:
        os.setgroups([])
        os.setgid(options.uid)
        os.setuid(options.uid)
    dice = random.Random(options.seed)  # noqa: S311 - repeatable, not secret
    ground = Ground(options.folder, tuple(options.bait), options.own)
    print(json.dumps(attack(ground, options.seconds, dice)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
