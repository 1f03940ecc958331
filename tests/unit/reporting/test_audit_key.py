from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_key import first_key, first_key_file, sealed_key_file
from tbot_bot.reporting.audit_verify import Level, verify
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths

CLOCK = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))


@pytest.fixture(scope="module")
def identity() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    writer = AuditWriter(made, CLOCK)
    writer.record("login", "ada", {})
    writer.close()
    return made


def _seal(paths: Paths, recipient: str) -> bool:
    writer = AuditWriter(paths, CLOCK)
    try:
        return writer.seal_first_key(recipient)
    finally:
        writer.close()


def test_the_sealed_key_opens_with_the_identity_and_nothing_plain_is_left(
    paths: Paths, identity: pyrage.x25519.Identity
) -> None:
    plain = first_key_file(paths).read_bytes()

    assert _seal(paths, str(identity.to_public()))

    assert not first_key_file(paths).exists()
    assert sealed_key_file(paths).stat().st_mode & 0o777 == 0o600
    assert first_key(paths, str(identity)) == bytes.fromhex(plain.decode())
    assert all(plain not in path.read_bytes() for path in paths.audit_log.parent.iterdir() if path.is_file())
    assert "audit_first_key_sealed" in paths.audit_log.read_text()


def test_after_sealing_the_chain_is_checked_and_with_the_identity_every_signature(
    paths: Paths, identity: pyrage.x25519.Identity
) -> None:
    _seal(paths, str(identity.to_public()))

    assert (verify(paths).level, verify(paths).problem) == (Level.CHAIN, None)
    full = verify(paths, identity=str(identity))
    assert (full.level, full.problem, full.last) == (Level.FULL, None, 2)


def test_a_second_recovery_key_leaves_it_sealed_to_the_first(paths: Paths, identity: pyrage.x25519.Identity) -> None:
    _seal(paths, str(identity.to_public()))
    other = pyrage.x25519.Identity.generate()

    assert not _seal(paths, str(other.to_public()))

    assert first_key(paths, str(identity)) is not None
    with pytest.raises(AuditUnavailable, match="earlier recovery key"):
        verify(paths, identity=str(other))


def test_a_crash_between_sealing_and_removing_is_finished_at_the_next_start(
    paths: Paths, identity: pyrage.x25519.Identity
) -> None:
    plain = first_key_file(paths).read_bytes()
    _seal(paths, str(identity.to_public()))
    first_key_file(paths).write_bytes(plain)

    AuditWriter(paths, CLOCK).close()

    assert not first_key_file(paths).exists()
    assert first_key(paths, str(identity)) == bytes.fromhex(plain.decode())


@pytest.mark.parametrize("recipient", ["", "age1nonsense", "AGE-SECRET-KEY-1XYZ"])
def test_what_is_no_recipient_seals_nothing(paths: Paths, recipient: str) -> None:
    with pytest.raises(AuditUnavailable, match="recipient"):
        _seal(paths, recipient)

    assert first_key_file(paths).exists()
    assert not sealed_key_file(paths).exists()


def test_a_full_disk_keeps_the_plain_key(
    paths: Paths, identity: pyrage.x25519.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = AuditWriter(paths, CLOCK)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device", path, data[:1])

    monkeypatch.setattr("tbot_bot.reporting.audit_key.write_bytes", full)
    with pytest.raises(AuditUnavailable, match="No space"):
        writer.seal_first_key(str(identity.to_public()))
    writer.close()

    assert first_key_file(paths).exists()


def test_without_any_first_key_verification_says_so(paths: Paths) -> None:
    first_key_file(paths).unlink()

    assert "first key is gone" in str(verify(paths).problem)


def test_a_damaged_first_key_is_a_problem(paths: Paths) -> None:
    first_key_file(paths).write_bytes(b"zz")

    assert "holds no key" in str(verify(paths).problem)


def test_a_replaced_sealed_key_shows_against_a_copy_kept_elsewhere(
    paths: Paths, identity: pyrage.x25519.Identity, tmp_path: Path
) -> None:
    """The recipient is no secret: a thief can seal a key of his own to it."""
    _seal(paths, str(identity.to_public()))
    kept = tmp_path / "kept.age"
    kept.write_bytes(sealed_key_file(paths).read_bytes())
    sealed_key_file(paths).write_bytes(pyrage.encrypt(b"0" * 64, [identity.to_public()]))

    assert "signature" in str(verify(paths, identity=str(identity)).problem)
    assert verify(paths, identity=str(identity), sealed=kept).problem is None
