"""Mutants of everything that carries authority or a secret, before the decoders that the processes use themselves.

Accepted is whatever a decoder does not refuse: also a mutant that means the same as the original, such as one with a
blank appended; only a mutation that arrives at an original is tried again.

Not among them: the start flag and the job files. They are doorbells and orders without a credential; what gives them
authority is the folder they lie in, which only the runner may write."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyrage

from tbot_bot.config.access import Access
from tbot_bot.config.ephemeral import pack
from tbot_bot.config.generations import current_number, faults_of, folder_of
from tbot_bot.domain.errors import RequestRefused, SecretUnavailable, StateCorrupt
from tbot_bot.domain.session import BotState
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.decrypt_secrets import with_generation
from tbot_bot.support.encrypt_secrets import CATEGORIES, MANIFEST, SECRET_FILES
from tbot_bot.support.envelope import Reply, Request, decode_reply, decode_request, encode_reply, encode_request
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sealing import new_private_key, public_bytes
from tbot_bot.support.session_record import read_record
from tbot_bot.support.state_file import StateFile
from tools.mutants import mutant

Accepts = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Target:
    """`share`: its part of all mutants. `originals`: all that is rightly accepted."""

    name: str
    share: int
    originals: Sequence[bytes]
    accepts: Accepts


class Attempt:
    """The mutants of one campaign: how many were tried of each, and which were accepted."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.accepted: list[str] = []

    def run(self, target: Target, count: int, dice: random.Random) -> None:
        """In the end the originals must be accepted: a decoder that refuses everything would prove nothing."""
        for _ in range(count):
            how, made = mutant(target.originals, dice)
            self.tried[f"mutated {target.name}"] += 1
            if target.accepts(made):
                self.accepted.append(f"{target.name}: a mutant ({how}) was accepted: {made[:120]!r}")
        if not all(target.accepts(original) for original in target.originals):
            self.accepted.append(f"{target.name}: the unchanged original is refused, so this proves nothing")


def mutate(paths: Paths, access: Access, token: str, points: int, dice: random.Random) -> Attempt:
    """`points` mutants, against the provisioned root that `token` is a live login of; no process may be using it."""
    attempt = Attempt()
    found = tuple(targets(paths, access, token))
    shares = sum(target.share for target in found)
    for target in found:
        attempt.run(target, points * target.share // shares + 1, dice)
    return attempt


def targets(paths: Paths, access: Access, token: str) -> Iterator[Target]:
    yield from _sealed()
    yield Target("session tokens", 14, [token.encode()], lambda text: access.who(text.decode("latin-1")) is not None)
    yield _challenges(access, token)
    yield from _secret_files(paths)
    yield _manifests(paths)
    yield _states(paths)
    yield _records(paths)
    yield _exports(paths)


def _sealed() -> Iterator[Target]:
    runner, asker, now = new_private_key(), new_private_key(), SystemClock().now()
    requests = [
        Request(kind, f"{number:032x}", now, "::1", public_bytes(asker), "t" * 100, {"a": kind})
        for number, kind in enumerate(("login", "start", "rotate"))
    ]
    files = [encode_request(request, public_bytes(runner)) for request in requests]
    yield Target("requests", 30, files, _raises_not(lambda data: decode_request(data, runner), RequestRefused))
    one = requests[0]
    replies = [encode_reply(Reply(ok=ok, code="ok", message="", body={"token": "t"}), one) for ok in (True, False)]
    refuses = _raises_not(lambda data: decode_reply(data, asker, one.kind, one.id), RequestRefused)
    yield Target("replies", 14, replies, refuses)


def _challenges(access: Access, token: str) -> Target:
    """What stands between the password and the code; the unchanged one is good for one use."""
    opened, user = access.open(), access.who(token)
    assert opened is not None
    assert user is not None
    challenges = opened.challenges
    made = challenges.make(user, "")
    return Target(
        "login challenges", 6, [made.encode()], lambda text: bool(challenges.take(text.decode("latin-1"), ""))
    )


def _secret_files(paths: Paths) -> Iterator[Target]:
    for category in ("broker", "env_bot", "env_enc", "bot_identity"):
        path = paths.current_generation / "secrets" / SECRET_FILES[category]

        def accepts(data: bytes, path: Path = path, category: str = category) -> bool:
            with _replaced(path, data):
                return _raises_not(lambda _: with_generation(paths, lambda now: now.decrypt(category)))(data)

        yield Target(f"secrets/{path.name}", 5, [path.read_bytes()], accepts)


def _manifests(paths: Paths) -> Target:
    number = current_number(paths)
    assert number is not None
    folder = folder_of(paths, number)

    def accepts(data: bytes) -> bool:
        with _replaced(folder / MANIFEST, data):
            return not faults_of(folder)

    return Target("generation manifests", 6, [(folder / MANIFEST).read_bytes()], accepts)


def _states(paths: Paths) -> Target:
    state = StateFile(paths, SystemClock())
    words = [f"{word}\n".encode() for word in BotState]

    def accepts(data: bytes) -> bool:
        with _replaced(paths.bot_state, data):
            return _raises_not(lambda _: state.read(), StateCorrupt)(data)

    return Target("state files", 6, words, accepts)


def _records(paths: Paths) -> Target:
    """As the web reads them: the file of a live login, under its right name."""
    path = next(each for each in paths.sessions.iterdir() if not each.name.startswith("."))

    def accepts(data: bytes) -> bool:
        with _replaced(path, data):
            return read_record(path) is not None

    return Target("session records", 12, [path.read_bytes()], accepts)


def _exports(paths: Paths) -> Target:
    identity = pyrage.x25519.Identity.generate()
    keys = with_generation(paths, lambda now: {category: now.key_data(category) for category in CATEGORIES})
    sealed = pyrage.encrypt(pack(1, keys), [identity.to_public()])
    return Target("exported keys", 2, [sealed], _raises_not(lambda data: pyrage.decrypt(data, [identity])))


def _raises_not(decode: Callable[[bytes], object], *refusals: type[Exception]) -> Accepts:
    """Whether `decode` takes it. Any exception but a refusal ends the campaign: that would be a crash."""
    expected = refusals or (SecretUnavailable, pyrage.DecryptError)

    def accepts(data: bytes) -> bool:
        try:
            decode(data)
        except expected:
            return False
        return True

    return accepts


@contextmanager
def _replaced(path: Path, data: bytes) -> Iterator[None]:
    kept = path.read_bytes()
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(kept)
