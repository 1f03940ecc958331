"""Tampering with the audit log in every way of tools/audit_mutations: none may go unnoticed where it must be noticed.

What must be noticed where depends on what the forger has (Wields). The campaign also tries verifiers that leave
something out: each must let something through, or the campaign would prove nothing."""

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import pairwise
from pathlib import Path

import pyrage

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.reporting import audit_chain as chain
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_key import sealed_key_file
from tbot_bot.reporting.audit_verify import Verified, verify
from tbot_bot.support.audit_anchors import Anchor
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tools.audit_mutations import MUTATIONS, Files, Material, Wields, every_cut
from tools.figures import Campaign

POINTS = {"small": 2_000, "full": 110_000}
_RECORDS = 24
_SELF_TEST = 300
_ANCHORED = (1, 5, 9, 14, 19, _RECORDS)
_EVENTS = ("login", "login_refused", "provisioned", "order", "state", "key_use")


class Setting(Enum):
    """How the log is verified: (with the first key, with the anchors)."""

    FULL = (True, False)
    CHAIN = (False, False)
    FULL_ANCHORED = (True, True)
    CHAIN_ANCHORED = (False, True)


MUST_NOTICE: Mapping[Wields, tuple[Setting, ...]] = {
    Wields.LOG: (Setting.FULL, Setting.CHAIN),
    Wields.KEY: (Setting.FULL, Setting.CHAIN_ANCHORED),
    Wields.PAST: (Setting.FULL_ANCHORED, Setting.CHAIN_ANCHORED),
    Wields.SEAL: (Setting.FULL,),
}

Verifier = Callable[[Paths, str | None, tuple[Anchor, ...]], Verified]


@dataclass(frozen=True, slots=True)
class Forgery:
    name: str
    wields: Wields
    files: Files


def audit_campaign(size: str, seed: int) -> Campaign:
    """A point is one forged log, verified at two settings."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="tbot-audit-"))
    try:
        bench = Bench(folder)
        tried: Counter[str] = Counter()
        violations = bench.false_alarms()
        for forgery in forgeries(bench.material, POINTS[size], seed):
            tried[forgery.name] += 1
            missed = bench.unnoticed(forgery, honest)
            violations += [f"{forgery.name}, number {tried[forgery.name]}, is not noticed at {how}" for how in missed]
        violations += self_test(bench, seed)
    finally:
        shutil.rmtree(folder)
    detail = {**tried, "verifications": 2 * tried.total()}
    return Campaign("audit", tried.total(), tuple(violations), time.monotonic() - began, detail)


def forgeries(material: Material, points: int, seed: int) -> Iterator[Forgery]:
    """Every cut, then all kinds in turn, with dice; what came out as the true log is none."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    made = 0
    for number, files in enumerate(every_cut(material)):
        made += 1
        yield Forgery("every_cut", Wields.KEY if number % 4 == 3 else Wields.LOG, files)
    kinds = [(mutation, wields) for wields, mutations in MUTATIONS.items() for mutation in mutations]
    while made < points:
        for mutation, wields in kinds:
            files = mutation(material, dice)
            if files != material.true and made < points:
                made += 1
                yield Forgery(mutation.__name__, wields, files)


class Bench:
    """A true log with its sealed first key, and a folder in which forged ones are laid before the verifier."""

    def __init__(self, folder: Path) -> None:
        self._identity = pyrage.x25519.Identity.generate()
        recipient = self._identity.to_public()
        true, states = _written(Paths(folder / "true"), str(recipient), "ada")
        other, _ = _written(Paths(folder / "other"), str(recipient), "bob")
        self.material = Material(true, states, other, recipient)
        self.anchors = tuple(Anchor("journal", n, chain.hash_of(self.material.lines[n - 1])) for n in _ANCHORED)
        self.paths = Paths(folder / "forged")
        self.paths.audit_log.parent.mkdir(parents=True)

    def unnoticed(self, forgery: Forgery, verifier: Verifier) -> list[str]:
        """The settings at which it had to be noticed and was not."""
        self._lay(forgery.files)
        return [how.name for how in MUST_NOTICE[forgery.wields] if not self._noticed(how, verifier)]

    def false_alarms(self) -> list[str]:
        """What a crash can leave is no forgery: each true state, and a head that is one record behind."""
        states = self.material.states
        behind = [Files(after.log, before.head, after.sealed) for before, after in pairwise(states)]
        found = []
        for number, files in enumerate([*states, *behind]):
            self._lay(files)
            levels = (Setting.FULL, Setting.CHAIN)
            found += [f"true state {number} is called forged at {how.name}" for how in levels if self._noticed(how)]
        self._lay(self.material.true)
        anchored = (Setting.FULL_ANCHORED, Setting.CHAIN_ANCHORED)
        return found + [f"the true log is called forged at {how.name}" for how in anchored if self._noticed(how)]

    def _noticed(self, how: Setting, verifier: Verifier | None = None) -> bool:
        full, anchored = how.value
        try:
            found = (verifier or honest)(
                self.paths, str(self._identity) if full else None, self.anchors if anchored else ()
            )
        except AuditUnavailable:
            return True
        return found.problem is not None or found.torn > 0

    def _lay(self, files: Files) -> None:
        self.paths.audit_log.write_bytes(files.log)
        for path, data in ((chain.head_file(self.paths), files.head), (sealed_key_file(self.paths), files.sealed)):
            if data is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(data)


def self_test(bench: Bench, seed: int) -> list[str]:
    """Verifiers that leave something out, and did not let a forgery through."""
    found = []
    for blind in (checks_nothing, without_signatures, without_anchors, without_head, without_end):
        forged = forgeries(bench.material, _SELF_TEST, seed + 1)
        if not any(bench.unnoticed(forgery, blind) for forgery in forged):
            found.append(f"self-test: a verifier that is {blind.__name__} passes")
    return found


def honest(paths: Paths, identity: str | None, anchors: tuple[Anchor, ...]) -> Verified:
    return verify(paths, identity=identity, anchors=anchors)


def checks_nothing(paths: Paths, identity: str | None, anchors: tuple[Anchor, ...]) -> Verified:
    return Verified(_RECORDS, chain.GENESIS, None)


def without_signatures(paths: Paths, identity: str | None, anchors: tuple[Anchor, ...]) -> Verified:
    return verify(paths, anchors=anchors)


def without_anchors(paths: Paths, identity: str | None, anchors: tuple[Anchor, ...]) -> Verified:
    return verify(paths, identity=identity)


def without_head(paths: Paths, identity: str | None, anchors: tuple[Anchor, ...]) -> Verified:
    return _deaf(verify(paths, identity=identity, anchors=anchors), "head.json")


def without_end(paths: Paths, identity: str | None, anchors: tuple[Anchor, ...]) -> Verified:
    return _deaf(verify(paths, identity=identity, anchors=anchors), "cut off")


def _deaf(found: Verified, to: str) -> Verified:
    return Verified(found.last, found.line_hash, None) if found.problem and to in found.problem else found


def _written(paths: Paths, recipient: str, actor: str) -> tuple[Files, list[Files]]:
    """A log by the real writer, and every state that it went through."""
    clock = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))
    writer = AuditWriter(paths, clock)
    writer.seal_first_key(recipient)
    states = [_read(paths)]
    for number in range(2, _RECORDS + 1):
        detail = {"ip": f"192.0.2.{number}", "why": 'Größe "x"\n', "n": number}
        writer.record(_EVENTS[number % len(_EVENTS)], actor, detail)
        states.append(_read(paths))
    writer.close()
    return states[-1], states


def _read(paths: Paths) -> Files:
    return Files(paths.audit_log.read_bytes(), chain.head_file(paths).read_bytes(), sealed_key_file(paths).read_bytes())
