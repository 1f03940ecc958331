import stat
from pathlib import Path

import pytest

from tbot_bot.domain.errors import RequestRefused, SecretUnavailable
from tbot_bot.support.sealing import (
    load_or_create_private_key,
    new_private_key,
    public_bytes,
    read_public_key,
    seal,
    unseal,
    write_public_key,
)


def test_the_private_key_is_born_private_and_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "runner" / "runner.key"

    first = load_or_create_private_key(path)

    assert public_bytes(load_or_create_private_key(path)) == public_bytes(first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_damaged_private_key_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "runner.key"
    path.write_bytes(b"short")

    with pytest.raises(SecretUnavailable):
        load_or_create_private_key(path)
    assert path.read_bytes() == b"short"


def test_the_public_key_is_published_and_anything_else_is_none(tmp_path: Path) -> None:
    key, path = new_private_key(), tmp_path / "runner.pub"
    write_public_key(path, key)

    assert unseal(seal(b"x", read_public_key(path) or b"", b"i"), key, b"i") == b"x"
    for wrong in (b"", b"zz", b"00" * 31, b"\xff"):
        path.write_bytes(wrong)
        assert read_public_key(path) is None
    assert read_public_key(tmp_path / "none") is None


@pytest.mark.parametrize("key", [b"", bytes(32), b"x" * 31])
def test_sealing_to_what_is_no_key_is_refused(key: bytes) -> None:
    with pytest.raises(RequestRefused):
        seal(b"x", key, b"i")
