"""A state folder with the owners, groups and modes of an installation, and deeds done in it as its users.

Users and folders are those of systemd/sysusers.d and systemd/tmpfiles.d, with numbers unknown to the machine."""

import importlib
import os
import traceback
from collections.abc import Callable
from pathlib import Path

from tbot_bot.support.path_resolver import CODE_ROOT, Paths
from tools.installer.tmpfiles import entries

KEYS, BOT, WEB, PAPER = "tbot-keys", "tbot-bot", "tbot-web", "tbot-paper"
_FIRST_NUMBER = 61001


def _lines(kind: str) -> list[list[str]]:
    text = (CODE_ROOT / "systemd" / "sysusers.d" / "tbot.conf").read_text("utf-8")
    return [words for words in map(str.split, text.splitlines()) if words and words[0] == kind]


NUMBERS = {words[1]: _FIRST_NUMBER + place for place, words in enumerate([*_lines("u"), *_lines("g")])}
"""User and group numbers by name; a user's own group has its number."""
GROUPS = {user: [NUMBERS[words[2]] for words in _lines("m") if words[1] == user] for user in (KEYS, BOT, WEB, PAPER)}


def as_user(user: str, act: Callable[[], object]) -> None:
    """`act` in a process of that user, with all its groups; what it raises fails the test."""
    # The interpreter may lie where that user cannot come: what is loaded late must be there by then.
    for module in ("_strptime", "encodings.ascii", "encodings.idna"):
        importlib.import_module(module)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(GROUPS[user])
            os.setgid(NUMBERS[user])
            os.setuid(NUMBERS[user])
            os.umask(0o077)
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, f"it failed as {user}"


def install(root: Path) -> Paths:
    """The folders, as systemd-tmpfiles makes them."""
    text = (CODE_ROOT / "systemd" / "tmpfiles.d" / "tbot.conf").read_text("utf-8")
    for entry in entries(text.replace("@STATE_DIR@", str(root))):
        entry.path.mkdir()
        os.chown(entry.path, NUMBERS[entry.user], NUMBERS[entry.group])
        entry.path.chmod(entry.mode)
    return Paths(root)
