"""The inbox under attack: hostile files, racing attackers, and mutants of all that carries authority.

Against a real runner with planted secrets: no leak, no hang, no crash, no effect. Of the mutants the decoders accept
none."""

import hashlib
import os
import random
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tbot_bot.config.access import Access
from tbot_bot.domain.errors import TbotError
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.envelope import Request, encode_request
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sealing import new_private_key, public_bytes, read_public_key
from tools.campaign_inbox_mutants import mutate
from tools.campaign_inbox_race import LONGEST_SILENCE, Heartbeat, figures, race
from tools.figures import Campaign
from tools.hostile_requests import DROPS, Armoury, fresh
from tools.runner_process import RunnerProcess, wait_for


@dataclass(frozen=True, slots=True)
class Size:
    files: int
    race_seconds: float
    mutants: int


SIZES = {"small": Size(400, 5, 4_000), "full": Size(20_000, 60, 220_000)}
BATCH = 200
DRAIN_SECONDS = 60.0
CHEAP = 4


def inbox_campaign(size: str, seed: int) -> Campaign:
    """A point is one hostile file, one trick carried out in the race, or one mutant."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="tbot-inbox-"))
    heart = Heartbeat(folder)
    runner = RunnerProcess(folder, {"NOTIFY_SOCKET": str(heart.address)})
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    tried: Counter[str] = Counter()
    detail: dict[str, Any] = {}
    try:
        runner.start()
        runner.provision()
        tools = _arm(runner)
        canary = _plant(tools, folder)
        before = effects(runner.paths)
        heart.start_counting()
        violations = _attack(runner, tools, SIZES[size].files, dice, tried, before)
        violations += _race(runner, tools, folder, SIZES[size].race_seconds, seed, heart, tried, detail, before)
        tried["race: honest request"] = int(detail["honest requests"])
    finally:
        runner.end()
        heart.stop()
    violations += leaks(runner.paths, folder, canary) + _audit_faults(runner.paths)
    violations += _mutants(runner, SIZES[size].mutants, dice, tried)
    if not violations:
        shutil.rmtree(folder)
    return Campaign("inbox", tried.total(), tuple(violations), time.monotonic() - began, {**tried, **detail})


def _arm(runner: RunnerProcess) -> Armoury:
    """One build request is accepted, so that it can be replayed."""
    key = read_public_key(runner.paths.runner_public_key)
    assert key is not None
    now = runner.clock.now()
    reply_to = public_bytes(new_private_key())
    request = Request("build_universe", "ab" * 16, now, "192.0.2.7", reply_to, runner.token, {})
    data, name = encode_request(request, key), f"{request.id}.req"
    (runner.paths.requests / name).write_bytes(data)
    wait_for("the job", lambda: any(runner.paths.job_folder("universe").glob("*.job")))
    outside = runner.paths.root.parent / "outside"
    return Armoury(runner.paths, key, runner.token, data, name, runner.clock.now, outside)


def _plant(tools: Armoury, folder: Path) -> bytes:
    """A secret where no request has any business, found again by its bytes wherever they turn up."""
    canary = f"canary-{secrets.token_hex(16)}".encode()
    tools.outside.mkdir()
    write_bytes(tools.outside / "secret", canary * 20)
    write_bytes(tools.paths.runner_private / "planted.key", canary)
    return canary


def _attack(
    runner: RunnerProcess,
    tools: Armoury,
    points: int,
    dice: random.Random,
    tried: Counter[str],
    before: dict[str, str],
) -> list[str]:
    found: list[str] = []
    while tried.total() < points and not found:
        batch: Counter[str] = Counter()
        for _ in range(min(BATCH, points - tried.total())):
            drop = dice.choice(DROPS)
            drop(tools, dice, runner.paths.requests)
            batch[drop.__name__] += 1
        tried.update(batch)
        found += _after(runner, before, f"after a batch of {dict(batch)}")
    return found


def _race(
    runner: RunnerProcess,
    tools: Armoury,
    folder: Path,
    seconds: float,
    seed: int,
    heart: Heartbeat,
    tried: Counter[str],
    detail: dict[str, Any],
    before: dict[str, str],
) -> list[str]:
    """The baits: a secret, the runner's own key, and a request that would be obeyed if it were opened."""
    request = fresh(tools, random.Random(seed), kind="start")  # noqa: S311 - repeatable, not secret
    bait = tools.outside / f"{request.id}.req"
    write_bytes(bait, encode_request(request, tools.runner_key))
    baits = (tools.outside / "secret", runner.paths.runner_private / "runner.key", bait)
    found = race(runner, folder, baits, seconds, seed)
    tried.update(found.tricks)
    violations = found.faults + _after(runner, before, "after the race")
    detail.update(figures(found, heart))
    if detail["longest silence"] > LONGEST_SILENCE:
        violations.append(f"the runner's heart stood still for {detail['longest silence']} s")
    return violations


def _after(runner: RunnerProcess, before: dict[str, str], when: str) -> list[str]:
    """What was changed that must not have been."""
    try:
        wait_for("an empty request folder", lambda: not _left(runner.paths), DRAIN_SECONDS)
    except TimeoutError:
        return [f"{when}: left in the folder: {_left(runner.paths)[:3]}; alive: {runner.alive}"]
    if not runner.alive:
        return [f"{when}: the runner ended"]
    found = []
    probe = runner.ask("validate", {"values": {"MAX_TRADES": "nonsense"}}, timeout=15)
    if probe.code != "invalid":
        found.append(f"{when}: an honest request was answered {probe.code}: {probe.message}")
    after = effects(runner.paths)
    found += [f"{when}: {name} changed" for name in before if before[name] != after[name]]
    return found


def _left(paths: Paths) -> list[str]:
    return [name for name in os.listdir(paths.requests) if not name.startswith(".")]


def effects(paths: Paths) -> dict[str, str]:
    """Everything that a request could change, as names and digests."""
    jobs = sorted(str(path.relative_to(paths.jobs)) for path in paths.jobs.rglob("*.job"))
    return {
        "the start flag": str(paths.start_flag.exists()),
        "queued jobs": ",".join(jobs),
        "logins": ",".join(sorted(path.name for path in paths.sessions.iterdir())),
        "users": hashlib.sha256(paths.users_db.read_bytes()).hexdigest(),
        "the generation": str(paths.current_generation.readlink()),
        "the state": paths.bot_state.read_text(),
        "the runner's key": hashlib.sha256((paths.runner_private / "runner.key").read_bytes()).hexdigest(),
        "exported keys": str(paths.exports.exists()),
    }


def leaks(paths: Paths, folder: Path, canary: bytes) -> list[str]:
    """Files other than the planted ones that hold the planted secret, or the runner's private key."""
    key = (paths.runner_private / "runner.key").read_bytes()
    found = []
    for path in _files(folder):
        if path.parent.name == "outside" or path.name in {"planted.key", "runner.key"}:
            continue
        data = path.read_bytes() if path.stat().st_size < 64 * 1024 * 1024 else b""
        for name, secret in (("the planted secret", canary), ("the runner's key", key)):
            if secret in data or secret.hex().encode() in data:
                found.append(f"{name} is in {path.relative_to(folder)}")
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def _audit_faults(paths: Paths) -> list[str]:
    try:
        found = verify(paths)
    except TbotError as error:
        return [f"the audit log: {error}"]
    return [] if found.problem is None else [f"the audit log after record {found.last}: {found.problem}"]


def _mutants(runner: RunnerProcess, points: int, dice: random.Random, tried: Counter[str]) -> list[str]:
    audit = AuditWriter(runner.paths, runner.clock)
    try:
        access = Access(runner.paths, runner.clock, CHEAP, audit)
        attempt = mutate(runner.paths, access, runner.token, points, dice)
    finally:
        audit.close()
    tried.update(attempt.tried)
    return attempt.accepted
