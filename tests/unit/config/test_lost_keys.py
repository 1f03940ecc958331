"""A lost, wrong or damaged key: every process says which category and the way back, and every file stays as it was."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tbot_bot.config.build_check import check
from tbot_bot.config.db_bootstrap import open_users
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.encrypt_secrets import CATEGORIES, key_file, new_key
from tbot_bot.support.path_resolver import Paths
from tests.unit.config.conftest import PASSWORD, Rig

DAMAGES: dict[str, Callable[[Path], object]] = {
    "lost": lambda path: path.unlink(),
    "wrong": lambda path: write_bytes(path, new_key()),
    "garbage": lambda path: write_bytes(path, b"no key at all"),
    "empty": lambda path: write_bytes(path, b""),
}
READ_BY_ALL = {"env_enc", "env_bot", "broker", "bot_identity", "alert_channels", "screener_api"}
"""What bot, universe builder, backtests and backups open when they start; the others hold nothing yet."""
WAY_BACK = re.compile(r"[Rr]estore|page Keys|save the configuration again|build check")


def tree(paths: Paths) -> dict[str, bytes]:
    """Keys, secrets, users, ledger and links: everything that a mistaken repair could destroy."""
    folders = (paths.generations, paths.users_db.parent)
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    links = {
        name: bytes(name.readlink()) for name in (paths.current_generation, paths.keys, paths.secrets, paths.env_enc)
    }
    return {str(path): path.read_bytes() for path in files} | {str(name): to for name, to in links.items()}


@pytest.fixture
def paths(ready: Rig) -> Paths:
    ready.register()
    ready.stop()
    return ready.paths


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("category", CATEGORIES)
def test_the_category_and_the_way_back_are_named_and_nothing_is_touched(
    ready: Rig, paths: Paths, category: str, how: str
) -> None:
    DAMAGES[how](paths.keys / key_file(category))
    before = tree(paths)

    assert any(category in problem and "restore" in problem for problem in check(paths)), check(paths)
    if category in READ_BY_ALL:
        with pytest.raises(SecretUnavailable, match=category) as caught:
            open_secrets(paths)
        assert WAY_BACK.search(str(caught.value))
    if category == "login" and how != "wrong":
        with pytest.raises(SecretUnavailable, match=category) as caught:
            open_users(paths, ready.clock, 4)
        assert WAY_BACK.search(str(caught.value))
    assert tree(paths) == before


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("category", sorted(READ_BY_ALL | {"login", "session"}))
def test_the_runner_serves_on_and_says_it_on_the_page(ready: Rig, paths: Paths, category: str, how: str) -> None:
    DAMAGES[how](paths.keys / key_file(category))
    before = tree(paths)

    ready.start()
    reply = ready.ask("login", {"username": "ada", "password": PASSWORD, "device": ""})
    system = ready.published.read("system")
    ready.stop()

    said = reply.message + (str(system.body["problem"]) if system is not None else "")
    if (category, how) != ("session", "wrong"):
        assert category in said, (reply, system)
        assert WAY_BACK.search(said)
    assert {name: data for name, data in tree(paths).items() if "SYSTEM_USERS" not in name} == {
        name: data for name, data in before.items() if "SYSTEM_USERS" not in name
    }
