"""State that outlives an uninstall: who owned what, by name, for the users may have other numbers the next time."""

import grp
import json
import os
import pwd
from collections.abc import Callable, Mapping

from tools.installer import files
from tools.installer.faults import InstallRefused
from tools.installer.layout import Layout

USERS = ("tbot-web", "tbot-keys", "tbot-bot", "tbot-paper")
GROUPS = (*USERS, "tbot", "tbot-state", "tbot-ask")
_RECORD = ".owners.json"


def put_aside(layout: Layout) -> None:
    """Write down the owners, and close the state folder to everyone but root while its users are gone."""
    state = layout.state
    os.chown(state, 0, 0)
    state.chmod(0o700)
    record = {"users": _numbers(USERS, user_number), "groups": _numbers(GROUPS, group_number)}
    files.put_text(state / _RECORD, json.dumps(record, sort_keys=True) + "\n", 0o600)


def give_back(layout: Layout) -> None:
    """Files of a state folder that an uninstall left belong to the users of today again; then the record goes.

    The folder is root's and closed meanwhile, so nobody can put links in the way."""
    record = layout.state / _RECORD
    if not record.exists():
        return
    if record.stat().st_uid != 0 or layout.state.stat().st_uid != 0:
        raise InstallRefused(f"{record} is not root's. Look at who changed {layout.state}, and remove that file.")
    try:
        row = json.loads(record.read_bytes())
        users = _moves(row["users"], user_number)
        groups = _moves(row["groups"], group_number)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InstallRefused(f"{record} is damaged: remove it, and give the files to their users by hand.") from error
    for path in files.walk(layout.state):
        facts = path.lstat()
        user, group = users.get(facts.st_uid, -1), groups.get(facts.st_gid, -1)
        if (user, group) != (-1, -1):
            mode = facts.st_mode
            os.chown(path, user, group, follow_symlinks=False)
            if not path.is_symlink():
                path.chmod(mode & 0o7777)
    record.unlink()


def user_number(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def group_number(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _numbers(names: tuple[str, ...], number_of: Callable[[str], int | None]) -> dict[str, int]:
    return {name: number for name in names if (number := number_of(name)) is not None}


def _moves(then: Mapping[str, int], number_of: Callable[[str], int | None]) -> dict[int, int]:
    """Number then → number now, of those that differ."""
    now = {name: number_of(name) for name in then}
    return {then[name]: number for name, number in now.items() if number is not None and number != then[name]}
