"""Keys from outside: the sealed export, the folder in memory, and an installation that holds none."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest

from tbot_bot.config.build_check import check
from tbot_bot.config.ephemeral import Source, fill, frozen
from tbot_bot.config.permissions import PERMISSIONS
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.domain.errors import NotProvisioned, SecretUnavailable
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.encrypt_secrets import CATEGORIES, key_file, new_key
from tbot_bot.support.hygiene import in_memory_only
from tbot_bot.support.path_resolver import CODE_ROOT, KEYS_VARIABLE, ROOT_VARIABLE, Paths
from tests.unit.config.conftest import PASSWORD, Rig

SECRET = "the-broker-secret-of-this-test"
VALUES = {"BROKER_API_KEY": "the-api-key", "BROKER_SECRET_KEY": SECRET}


def proven(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "step_up": {"password": PASSWORD, "code": ""}}


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and link below `root` with its mode, but for what the running processes keep anew."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def identity() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


@pytest.fixture
def origin(rig: Rig, identity: pyrage.x25519.Identity) -> Rig:
    """An installation whose keys were exported to `identity`, stopped."""
    rig.provision(VALUES)
    token = rig.register()
    reply = rig.ask("export_keys", proven({"recipient": str(identity.to_public())}), token)
    assert reply.ok, reply
    assert reply.body == {"file": "tbot_bot/storage/export/keys-00000001.age"}
    rig.stop()
    return rig


@pytest.fixture
def place(on_disk: Callable[[str], Path], origin: Rig, identity: Any) -> tuple[Paths, Source]:
    """The deployment: the same root, its keys folder emptied, and beside it the export and the identity."""
    folder = on_disk("deployment")
    paths = Paths(folder / "root")
    shutil.copytree(origin.paths.root, paths.root, symlinks=True)
    for path in paths.keys.iterdir():
        path.unlink()
    bundle, secret = folder / "tbot-keys", folder / "identity"
    shutil.move(paths.exports / "keys-00000001.age", bundle)
    secret.touch(0o600)
    secret.write_text(f"# created: today\n{identity}\n")
    return paths, Source(bundle, secret)


@pytest.fixture
def outside(place: tuple[Paths, Source], on_disk: Callable[[str], Path], monkeypatch: Any) -> Path:
    folder = on_disk("memory") / "keys"
    monkeypatch.setenv(ROOT_VARIABLE, str(place[0].root))
    monkeypatch.setenv(KEYS_VARIABLE, str(folder))
    return folder


def test_an_export_is_sealed_private_and_on_record(origin: Rig, identity: pyrage.x25519.Identity) -> None:
    file = origin.paths.exports / "keys-00000001.age"

    assert file.stat().st_mode & 0o777 == 0o600
    opened = pyrage.decrypt(file.read_bytes(), [identity])
    for category in CATEGORIES:
        key = (origin.paths.keys / key_file(category)).read_bytes()
        assert key not in file.read_bytes()
        assert key in opened
    assert '"event":"keys_exported"' in origin.audit_text()
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(file.read_bytes(), [pyrage.x25519.Identity.generate()])


@pytest.mark.parametrize("recipient", ["", "age1nonsense", "AGE-SECRET-KEY-1X", "ssh-ed25519 AAAA", "x" * 2000])
def test_keys_are_exported_to_an_age_public_key_only(ready: Rig, recipient: str) -> None:
    token = ready.register()
    reply = ready.ask("export_keys", proven({"recipient": recipient}), token)

    assert (reply.code, [fault["key"] for fault in reply.faults]) == ("invalid", ["recipient"])
    assert not ready.paths.exports.exists()


def test_keys_are_exported_only_with_the_password_anew(ready: Rig, identity: pyrage.x25519.Identity) -> None:
    token = ready.register()
    assert ready.ask("export_keys", {"recipient": str(identity.to_public())}, token).code == "step_up"
    assert ready.ask("export_keys", {"recipient": str(identity.to_public())}, None).code == "expired"
    assert not ready.paths.exports.exists()


def test_secrets_open_with_keys_from_outside_and_the_root_stays_as_it_was(
    place: tuple[Paths, Source], outside: Path
) -> None:
    paths, source = place
    before = tree(paths.root)
    with pytest.raises(SecretUnavailable, match="unseal_keys"):
        open_secrets(paths)

    assert fill(paths, source, allow_disk=True) == len(CATEGORIES)
    assert fill(paths, source, allow_disk=True) == 0
    assert open_secrets(paths).broker.broker_secret_key == SECRET
    assert check(paths) == ()
    assert tree(paths.root) == before
    assert {path.stat().st_mode & 0o777 for path in (outside, *outside.iterdir())} == {0o700, 0o600}


def test_keys_may_come_as_a_folder_of_files_with_newlines(
    place: tuple[Paths, Source], outside: Path, origin: Rig, on_disk: Callable[[str], Path]
) -> None:
    mounted = on_disk("secret")
    for category in CATEGORIES:
        path = mounted / key_file(category)
        path.touch(0o400)
        path.chmod(0o600)
        path.write_bytes((origin.paths.keys / key_file(category)).read_bytes() + b"\n")

    assert fill(place[0], Source(mounted), allow_disk=True) == len(CATEGORIES)
    assert open_secrets(place[0]).broker.broker_secret_key == SECRET
    (mounted / "smtp.key").chmod(0o644)
    with pytest.raises(SecretUnavailable, match="read by others"):
        fill(place[0], Source(mounted), allow_disk=True)


def test_a_folder_on_a_disk_is_filled_only_when_allowed(place: tuple[Paths, Source], outside: Path) -> None:
    if in_memory_only(outside.parent):
        pytest.skip("the tests themselves run in memory")
    with pytest.raises(SecretUnavailable, match="not in memory"):
        fill(*place)
    assert not outside.exists()
    assert fill(*place, allow_disk=True) == len(CATEGORIES)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_wrong_or_lost_key_is_named_by_its_category_and_nothing_is_changed(
    place: tuple[Paths, Source], outside: Path, category: str
) -> None:
    paths, source = place
    fill(paths, source, allow_disk=True)
    file = outside / key_file(category)
    kept = file.read_bytes()
    before = tree(paths.root)
    damages = (lambda: write_bytes(file, new_key()), lambda: write_bytes(file, b""), file.unlink)
    for damage in damages:
        damage()
        problems = check(paths)
        assert any(category in problem for problem in problems), problems
        if category in {"env_enc", "env_bot", "broker", "bot_identity", "alert_channels", "screener_api"}:
            with pytest.raises(SecretUnavailable, match=category):
                open_secrets(paths)
        write_bytes(file, kept)
    assert check(paths) == ()
    assert tree(paths.root) == before


def repacked(source: Source, change: Callable[[dict[str, bytes]], None], identity: Any) -> Source:
    """The export with other keys in it, as a folder."""
    rows = json.loads(pyrage.decrypt(source.bundle.read_bytes(), [identity]))["keys"]
    keys = {name: text.encode() for name, text in rows.items()}
    change(keys)
    folder = source.bundle.with_name("repacked")
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in keys.items():
        (folder / key_file(name)).touch(0o600)
        (folder / key_file(name)).write_bytes(data)
    return Source(folder)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_wrong_set_is_refused_before_anything_is_written(
    place: tuple[Paths, Source], outside: Path, identity: Any, category: str
) -> None:
    paths, source = place
    changes: tuple[Callable[[dict[str, bytes]], None], ...] = (
        lambda keys: keys.update({category: new_key()}),
        lambda keys: keys.update({category: b"no key"}),
        lambda keys: keys.pop(category) and None,
    )
    for change in changes:
        with pytest.raises(SecretUnavailable, match=f"key of {category}"):
            fill(paths, repacked(source, change, identity), allow_disk=True)
    assert not outside.exists()


def test_what_is_given_must_be_whole_private_and_open(place: tuple[Paths, Source], outside: Path) -> None:
    paths, source = place
    other = source.bundle.with_name("other")
    other.touch(0o600)
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    nonsense = source.bundle.with_name("nonsense")
    nonsense.touch(0o600)
    nonsense.write_bytes(b"[]")
    cut = source.bundle.with_name("cut")
    cut.write_bytes(source.bundle.read_bytes()[:-9])
    for wrong, words in (
        (Source(source.bundle), "sealed"),
        (Source(source.bundle, other), "does not open"),
        (Source(cut, source.identity), "does not open"),
        (Source(source.bundle, nonsense), "no age identity"),
        (Source(nonsense), "no exported keys"),
        (Source(source.bundle.with_name("none")), "cannot be read"),
    ):
        with pytest.raises(SecretUnavailable, match=words):
            fill(paths, wrong, allow_disk=True)
    assert source.identity is not None
    source.identity.chmod(0o640)
    with pytest.raises(SecretUnavailable, match="read by others"):
        fill(paths, source, allow_disk=True)
    assert not outside.exists()


def test_without_secrets_there_is_nothing_to_compare_with(outside: Path, place: Any, monkeypatch: Any) -> None:
    empty = Paths(outside.parent / "empty")
    monkeypatch.setenv(ROOT_VARIABLE, str(empty.root))
    with pytest.raises(NotProvisioned):
        fill(empty, place[1], allow_disk=True)


def test_what_would_change_keys_is_refused_where_they_come_from_outside(
    place: tuple[Paths, Source], outside: Path
) -> None:
    paths, source = place
    fill(paths, source, allow_disk=True)
    rig = Rig(paths.root)
    rig.start()
    try:
        reply = rig.ask("login", {"username": "ada", "password": PASSWORD, "device": ""})
        assert reply.ok, reply
        token = str(reply.body["token"])
        assert rig.ask("keys", {}, token).body["external"]
        for kind in ("provision", "rotate", "compromised", "destroy_old"):
            body = {"values": VALUES, "categories": ["all"], "category": "broker", "what": "lost"}
            answer = rig.ask(kind, proven(body), token)
            assert (answer.ok, answer.code) == (False, "keys_outside")
            assert KEYS_VARIABLE in answer.message
    finally:
        rig.stop()
    assert list(paths.keys.iterdir()) == []
    assert [path.name for path in paths.generations.iterdir()] == ["00000001"]


@pytest.mark.parametrize("kind", sorted(PERMISSIONS))
def test_only_what_changes_keys_is_frozen(kind: str, place: tuple[Paths, Source], outside: Path) -> None:
    changes = kind in {"provision", "rotate", "compromised", "destroy_old", "restore"}
    assert (frozen(place[0], kind) is not None) == changes
    assert frozen(Paths(outside.parent), kind) is None, "another root's keys are its own"


READ_ONLY = """
set -e
mount -t tmpfs -o mode=700 tmpfs "$MEMORY"
mkdir "$MEMORY/state"
cp -a "$ROOT/." "$MEMORY/state"
GEN=tbot_bot/storage/gen
rm -r "$MEMORY/state/$GEN"/*
mount --bind "$ROOT/$GEN" "$MEMORY/state/$GEN"
mount -o remount,bind,ro "$MEMORY/state/$GEN"
mount -o remount,bind,ro /
for place in "$ROOT" "$MEMORY/state/$GEN"; do
  if touch "$place/x" 2>/dev/null; then exit 9; fi
done
export TBOT_KEYS_DIR="$MEMORY/keys" CREDENTIALS_DIRECTORY="$CREDENTIALS" TBOT_ROOT="$ROOT"
"$PYTHON" -m tbot_bot.runtime.unseal_keys
"$PYTHON" -m tbot_bot.runtime.unseal_keys
"$PYTHON" -c "$READ"
export TBOT_ROOT="$MEMORY/state"
exec "$PYTHON" -c "$SERVE"
"""
READ = """
from tbot_bot.config.permissions import PERMISSIONS
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.support.path_resolver import Paths, root_from_environment

print(open_secrets(Paths(root_from_environment())).broker.broker_secret_key)
"""
SERVE = """
import os, tests
from pathlib import Path
# A dependency installs a package of this name as well, which comes before ours that has no __init__.
tests.__path__ = [os.environ["PYTHONPATH"] + "/tests"]
from tests.unit.config.conftest import PASSWORD, Rig

rig = Rig(Path(os.environ["TBOT_ROOT"]))
rig.start()
try:
    reply = rig.ask("login", {"username": "ada", "password": PASSWORD, "device": ""})
    print(reply.code)
    print(rig.ask("provision", {"values": {}, "step_up": {"password": PASSWORD}}, reply.body["token"]).code)
    print(rig.ask("validate", {"values": {}}, reply.body["token"]).code)
finally:
    rig.stop()
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_it_works_where_all_but_memory_is_read_only_and_the_keys_folder_is_empty(
    place: tuple[Paths, Source], on_disk: Callable[[str], Path]
) -> None:
    """The whole file system read-only, the root with it: secrets open. State in memory, generations read-only: the
    runner serves."""
    paths, source = place
    assert source.identity is not None
    credentials = on_disk("credentials")
    shutil.copy(source.bundle, credentials / "tbot-keys")
    shutil.copy(source.identity, credentials / "tbot-keys-identity")
    before = tree(paths.root)
    environment = {
        **os.environ,
        "ROOT": str(paths.root),
        "MEMORY": str(on_disk("tmpfs")),
        "CREDENTIALS": str(credentials),
        "PYTHON": sys.executable,
        "PYTHONPATH": str(CODE_ROOT),
        "READ": READ,
        "SERVE": SERVE,
    }
    command = ["unshare", "-m", "--propagation", "private", "bash", "-c", READ_ONLY]
    done = subprocess.run(command, env=environment, cwd=CODE_ROOT, capture_output=True, timeout=90, check=False)

    lines = done.stdout.decode().splitlines()
    assert [line for line in lines if not line.startswith("{")] == [SECRET, "ok", "keys_outside", "ok"], done
    assert [f'"written": {len(CATEGORIES)}' in line for line in lines if "in place" in line] == [True, False]
    assert tree(paths.root) == before
    assert list(paths.keys.iterdir()) == []
