"""Backups that someone else made or changed: nothing of them is ever taken."""

import hashlib
import io
import random
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest

from tbot_bot.backup.archive import Member, member_of_bytes, member_of_file, pack, unpack
from tbot_bot.backup.manifest import Anchors, Entry, Manifest, decode, encode, name_is_plain
from tbot_bot.backup.recovery import new_recovery_key, parse_recovery_key
from tbot_bot.domain.errors import BackupRefused

KEY = new_recovery_key()
MADE_AT = datetime(2026, 11, 25, 7, 30, tzinfo=UTC)
MEMBERS = (
    member_of_bytes("settings/keys/broker.key", b"k" * 44),
    member_of_bytes("records/journal/2026-11-24.jsonl", b'{"kind":"day"}\n' * 300),
    member_of_bytes("records/alerts.jsonl", b""),
)


def manifest_of(*members: Member) -> Manifest:
    entries = tuple(member.entry for member in members)
    return Manifest("TB1", "v1.0.0", MADE_AT, 3, KEY.recipient, Anchors(5, "a" * 64, 2, "b" * 64), entries)


def packed(members: tuple[Member, ...] = MEMBERS, manifest: Manifest | None = None, mac_key: bytes = b"") -> bytes:
    out = io.BytesIO()
    pack(manifest or manifest_of(*members), members, mac_key or KEY.mac_key, [KEY.recipient], out)
    return out.getvalue()


def sealed(tar: bytes) -> bytes:
    return bytes(pyrage.encrypt(tar, [pyrage.x25519.Recipient.from_str(KEY.recipient)]))


def opened(data: bytes, identity: str = KEY.identity) -> tuple[Manifest, dict[str, bytes]]:
    taken: dict[str, io.BytesIO] = {}
    manifest = unpack(io.BytesIO(data), identity, KEY.mac_key, lambda e: taken.setdefault(e.name, io.BytesIO()))
    return manifest, {name: buffer.getvalue() for name, buffer in taken.items()}


def test_what_is_packed_comes_back_and_is_a_tar_for_anyone_with_the_key() -> None:
    data = packed()
    manifest, files = opened(data)
    assert manifest == manifest_of(*MEMBERS)
    assert files == {member.entry.name: member.content for member in MEMBERS}
    plain = bytes(pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(KEY.identity)]))
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert tar.getnames() == ["MANIFEST.json", *(member.entry.name for member in MEMBERS)]


def test_a_file_that_grew_is_cut_at_the_size_it_was_noted_with(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    member = member_of_file("records/alerts.jsonl", path)
    path.write_bytes(b"one\ntwo\n")
    assert opened(packed((member,)))[1] == {"records/alerts.jsonl": b"one\n"}


def test_a_file_that_changed_meanwhile_makes_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    member = member_of_file("records/alerts.jsonl", path)
    path.write_bytes(b"two\n")
    with pytest.raises(BackupRefused, match="changed while it was copied"):
        packed((member,))


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mode = size, kind, link, 0o600
    return info.tobuf(tarfile.USTAR_FORMAT)


def block(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 512)


def hostile(*rest: bytes, members: tuple[Member, ...] = MEMBERS) -> bytes:
    """A rightly signed manifest, and whatever follows."""
    signed = encode(manifest_of(*members), KEY.mac_key)
    return sealed(header("MANIFEST.json", len(signed)) + block(signed) + b"".join(rest) + b"\0" * 1024)


ONE = member_of_bytes("records/alerts.jsonl", b"x" * 100)
RIGHT = header(ONE.entry.name, 100) + block(b"x" * 100)
HOSTILE: dict[str, bytes] = {
    "another name": hostile(header("../../etc/cron.d/x", 100) + block(b"x" * 100), members=(ONE,)),
    "absolute name": hostile(header("/etc/passwd", 100) + block(b"x" * 100), members=(ONE,)),
    "symlink": hostile(header(ONE.entry.name, 0, tarfile.SYMTYPE, "/etc/passwd"), members=(ONE,)),
    "hard link": hostile(header(ONE.entry.name, 0, tarfile.LNKTYPE, "../x"), members=(ONE,)),
    "device": hostile(header(ONE.entry.name, 0, tarfile.CHRTYPE), members=(ONE,)),
    "fifo": hostile(header(ONE.entry.name, 0, tarfile.FIFOTYPE), members=(ONE,)),
    "folder": hostile(header(ONE.entry.name, 0, tarfile.DIRTYPE), members=(ONE,)),
    "smaller size": hostile(header(ONE.entry.name, 99) + block(b"x" * 99), members=(ONE,)),
    "larger size": hostile(header(ONE.entry.name, 10**9) + block(b"x" * 100), members=(ONE,)),
    "other content": hostile(header(ONE.entry.name, 100) + block(b"y" * 100), members=(ONE,)),
    "dirty padding": hostile(header(ONE.entry.name, 100) + b"x" * 511 + b"y", members=(ONE,)),
    "a member twice": hostile(RIGHT, RIGHT, members=(ONE,)),
    "a member more": hostile(RIGHT, header("records/more", 1) + block(b"z"), members=(ONE,)),
    "a member less": hostile(members=(ONE,)),
    "something behind the end": sealed(
        bytes(pyrage.decrypt(packed(), [pyrage.x25519.Identity.from_str(KEY.identity)])) + b"\0"
    ),
    "no manifest": sealed(RIGHT + b"\0" * 1024),
    "a huge manifest": sealed(header("MANIFEST.json", 10**9) + b"\0" * 4096),
    "a manifest signed by another key": packed(mac_key=b"0" * 32),
    "empty": sealed(b""),
    "not age": b"PK\x03\x04" * 100,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(name: str) -> None:
    with pytest.raises(BackupRefused):
        opened(HOSTILE[name])


def entry(name: str, size: int = 1) -> Entry:
    return Entry(name, size, "0" * 64)


@pytest.mark.parametrize(
    "files",
    [
        (entry("records/../../x"),),
        (entry("/records/x"),),
        (entry("records//x"),),
        (entry("records/./x"),),
        (entry("elsewhere/x"),),
        (entry("records/x\n"),),
        (entry("records/x"), entry("records/x")),
        (entry("records/x", 9 * 1024**3),),
        (entry("records/x", -1),),
        tuple(entry(f"records/{n}", 8 * 1024**3 - 1) for n in range(9)),
        (Entry("records/x", 1, "nothing"),),
    ],
)
def test_even_a_signed_manifest_names_only_what_a_backup_can_hold(files: tuple[Entry, ...]) -> None:
    signed = encode(replace(manifest_of(), files=files), KEY.mac_key)
    with pytest.raises(BackupRefused):
        decode(signed, KEY.mac_key)


def test_a_manifest_is_read_only_in_its_one_spelling() -> None:
    signed = encode(manifest_of(*MEMBERS), KEY.mac_key)
    assert decode(signed, KEY.mac_key) == manifest_of(*MEMBERS)
    for other in (signed + b"\n", signed.replace(b":", b": ", 1), signed.replace(b'"version":1', b'"version":1.0')):
        with pytest.raises(BackupRefused):
            decode(other, KEY.mac_key)


def mutants(data: bytes, count: int) -> list[tuple[str, bytes]]:
    dice = random.Random(7)
    made: list[tuple[str, bytes]] = []
    ways: tuple[tuple[str, Callable[[int], bytes]], ...] = (
        ("bit", lambda at: data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :]),
        ("cut", lambda at: data[:at]),
        ("drop", lambda at: data[:at] + data[at + 1 + dice.randrange(40) :]),
        ("double", lambda at: data[:at] + data[at : at + 64] + data[at:]),
        ("insert", lambda at: data[:at] + dice.randbytes(1 + dice.randrange(8)) + data[at:]),
        ("swap", lambda at: data[: at // 2] + data[at:] + data[at // 2 : at]),
    )
    while len(made) < count:
        word, way = ways[len(made) % len(ways)]
        mutant = way(dice.randrange(len(data)))
        if mutant != data:
            made.append((word, mutant))
    return made


def test_no_changed_backup_is_accepted() -> None:
    data = packed()
    accepted = []
    for word, mutant in mutants(data, 1500):
        try:
            opened(mutant)
        except BackupRefused:
            continue
        accepted.append(word)
    assert accepted == []


def test_no_changed_content_is_accepted_even_when_it_is_encrypted_rightly() -> None:
    """The thief of a drill key, or whoever knows the public recipient, can encrypt; only the signature stops them."""
    plain = bytes(pyrage.decrypt(packed(), [pyrage.x25519.Identity.from_str(KEY.identity)]))
    accepted = []
    for word, mutant in mutants(plain, 1500):
        try:
            opened(sealed(mutant))
        except BackupRefused:
            continue
        accepted.append(word)
    assert accepted == []


def test_another_identity_opens_nothing() -> None:
    with pytest.raises(BackupRefused, match="does not open"):
        opened(packed(), new_recovery_key().identity)


def test_an_identity_is_read_however_it_is_typed() -> None:
    body = KEY.identity.removeprefix("AGE-SECRET-KEY-1")
    groups = " ".join(body[at : at + 6] for at in range(0, len(body), 6))
    assert parse_recovery_key(f"  age-secret-key-1 {groups.lower()}\n").identity == KEY.identity
    assert body.endswith(KEY.last_group)
    with pytest.raises(BackupRefused, match="typo"):
        parse_recovery_key(KEY.identity[:-1] + ("A" if KEY.identity[-1] != "A" else "Q"))


def test_plain_names_are_those_of_the_parts() -> None:
    assert name_is_plain("settings/secrets/.env.enc")
    assert hashlib.sha256(b"").hexdigest() == MEMBERS[2].entry.sha256
    assert not name_is_plain("settings")
    assert not name_is_plain("records/" + "x" * 61)
