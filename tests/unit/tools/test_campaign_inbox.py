"""The inbox campaign notices what it is there to notice."""

import contextlib
import os
import random
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from tbot_bot.support.path_resolver import Paths
from tools.campaign_inbox import leaks
from tools.campaign_inbox_mutants import Attempt, Target
from tools.campaign_inbox_race import Heartbeat
from tools.mutants import MUTATIONS, mutant
from tools.racing_attackers import TRICKS, Ground, Trick, attack

ORIGINALS = (b"tbot-request-1 login abcdef\n\x01\x02\x03" * 4, b"idle\n")


def test_no_mutant_is_an_original_and_every_mutation_has_its_turn() -> None:
    dice = random.Random(1)
    made = [mutant(ORIGINALS, dice) for _ in range(3000)]

    assert not any(data in ORIGINALS for _, data in made)
    assert {how for how, _ in made} == {how.__name__ for how in MUTATIONS}


def test_a_decoder_that_takes_a_blank_too_many_is_reported() -> None:
    attempt = Attempt()
    attempt.run(Target("lax", 1, [b"word"], lambda data: data.strip() == b"word"), 2000, random.Random(1))

    assert attempt.tried == {"mutated lax": 2000}
    assert attempt.accepted
    assert all(any(how in words for how in ("extended", "prefixed", "inserted")) for words in attempt.accepted)


def test_a_decoder_that_refuses_everything_proves_nothing_and_is_reported() -> None:
    attempt = Attempt()
    attempt.run(Target("deaf", 1, [b"word"], lambda _: False), 10, random.Random(1))

    assert attempt.accepted == ["deaf: the unchanged original is refused, so this proves nothing"]


def test_a_planted_secret_is_found_wherever_it_turns_up(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "root")
    refused = paths.runner_private / "refused"
    refused.mkdir(parents=True)
    (paths.runner_private / "runner.key").write_bytes(b"k" * 32)
    (paths.runner_private / "planted.key").write_bytes(b"canary")
    assert leaks(paths, tmp_path, b"canary") == []

    os.link(paths.runner_private / "planted.key", refused / "a~b.req")
    (tmp_path / "runner.txt").write_bytes(b"k" * 40)
    assert sorted(leaks(paths, tmp_path, b"canary")) == [
        "the planted secret is in root/tbot_bot/storage/runner/refused/a~b.req",
        "the runner's key is in runner.txt",
    ]


def test_silence_of_the_heart_is_measured(tmp_path: Path) -> None:
    heart = Heartbeat(tmp_path)
    heart.start_counting()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(b"WATCHDOG=1", str(heart.address))
        time.sleep(0.7)
        channel.sendto(b"WATCHDOG=1", str(heart.address))
        time.sleep(0.1)
    heart.stop()

    assert heart.beats == 2
    assert 0.6 < heart.longest < 5


def naive(folder: Path, bait: bytes) -> bool:
    """A reader that checks and then opens; whether it was led to the bait."""
    for path in folder.iterdir():
        try:
            if not path.is_file() or path.is_symlink():
                continue
            with path.open("rb") as file:
                if file.read(100) == bait:
                    return True
        except OSError:
            continue
    return False


def test_the_attackers_do_lead_a_naive_reader_astray(tmp_path: Path) -> None:
    folder, own, bait = tmp_path / "in", tmp_path / "own", tmp_path / "bait"
    folder.mkdir()
    own.mkdir()
    bait.write_bytes(b"secret")

    dice = random.Random(1)
    done: Counter[str] = Counter()
    led = False
    # What lies there when an attack ends is chance: the reader looks again and again, as it would in earnest.
    while not led or not set(done) >= {trick.__name__ for trick in TRICKS if trick.__name__ not in {"squat", "deep"}}:
        done.update(attack(Ground(folder, (bait,), own), 0.2, dice))
        led = led or naive(folder, b"secret")

    assert led, "a hard link to it lay there"
    assert bait.read_bytes() == b"secret", "no attacker writes through a name"


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_never_writes_into_what_its_name_leads_to(trick: Trick, tmp_path: Path) -> None:
    folder, own, bait = tmp_path / "in", tmp_path / "own", tmp_path / "bait"
    folder.mkdir()
    own.mkdir()
    bait.write_bytes(b"secret")
    for make in (os.link, os.symlink):
        name = folder / f"{make.__name__}.req"
        make(bait, name)
        with contextlib.suppress(OSError):
            trick(Ground(folder, (bait,), own), name, random.Random(2))
    assert bait.read_bytes() == b"secret"
