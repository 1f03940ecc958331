"""The folder of the backups as the runner told of it: the web itself can neither list nor fill it."""

import os
import shlex
from dataclasses import dataclass

from tbot_web.services import services
from tbot_web.support.ask import texts
from tbot_web.support.utils_web import plain


@dataclass(frozen=True, slots=True)
class Shelf:
    """`files`: names, the newest first. `command`: what puts FILE there; both empty when nothing is known."""

    files: tuple[str, ...] = ()
    command: str = ""


def read_shelf() -> Shelf:
    snapshot = services().published.read("system")
    told = snapshot.body.get("shelf") if snapshot is not None else None
    if not isinstance(told, dict) or not plain(told.get("folder")):
        return Shelf()
    folder = shlex.quote(plain(told["folder"]) + "/")
    if told.get("uid") == os.geteuid():
        return Shelf(tuple(texts(told, "files")), f"install -m 600 FILE {folder}")
    owner, group = (shlex.quote(plain(told.get(key))) for key in ("owner", "group"))
    return Shelf(tuple(texts(told, "files")), f"sudo install -o {owner} -g {group} -m 600 FILE {folder}")
