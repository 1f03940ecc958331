"""Hostile request files against a real runner: none may have an effect, and the runner must go on answering."""

import hashlib
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from tbot_bot.domain.errors import TbotError
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.support.envelope import Request, encode_request
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sealing import new_private_key, public_bytes, read_public_key
from tools.figures import Campaign
from tools.hostile_requests import DROPS, Armoury
from tools.runner_process import RunnerProcess, wait_for

POINTS = {"small": 300, "full": 20_000}
BATCH = 200
DRAIN_SECONDS = 60.0


def requests_campaign(size: str, seed: int) -> Campaign:
    """A point is one hostile file."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="tbot-requests-"))
    runner = RunnerProcess(folder)
    tried: Counter[str] = Counter()
    try:
        runner.start()
        runner.provision()
        violations = _attack(runner, POINTS[size], random.Random(seed), tried)  # noqa: S311 - repeatable, not secret
    finally:
        runner.end()
    violations += _audit_faults(runner.paths)
    if not violations:
        shutil.rmtree(folder)
    return Campaign("requests", tried.total(), tuple(violations), time.monotonic() - began, dict(tried))


def _attack(runner: RunnerProcess, points: int, dice: random.Random, tried: Counter[str]) -> list[str]:
    tools = _arm(runner)
    before = effects(runner.paths)
    found: list[str] = []
    while tried.total() < points and not found:
        batch: Counter[str] = Counter()
        for _ in range(min(BATCH, points - tried.total())):
            drop = dice.choice(DROPS)
            drop(tools, dice, runner.paths.requests)
            batch[drop.__name__] += 1
        tried += batch
        found += _after(runner, before, f"after a batch of {dict(batch)}")
    return found


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
    return Armoury(runner.paths, key, runner.token, data, name, runner.clock.now)


def _after(runner: RunnerProcess, before: dict[str, str], when: str) -> list[str]:
    """What the batch changed that it must not have."""
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
    }


def _audit_faults(paths: Paths) -> list[str]:
    try:
        found = verify(paths)
    except TbotError as error:
        return [f"the audit log: {error}"]
    return [] if found.problem is None else [f"the audit log after record {found.last}: {found.problem}"]
