"""The state folder's tree in a volume, as systemd-tmpfiles makes it on a machine: `python -m tools.containers.folders`.

Runs once, before everything else, as the one container that may give folders to users; it makes what is missing, puts
owners and modes of these folders right, and touches no file."""

import os
import sys

from tbot_bot.support.path_resolver import root_from_environment
from tools.installer import owners
from tools.installer.layout import PREFIX, Layout
from tools.installer.rendering import rendered_files
from tools.installer.tmpfiles import Entry, entries


def make(entry: Entry) -> None:
    """Raises OSError when a link or a file is in its place: nothing is followed."""
    user, group = owners.user_number(entry.user), owners.group_number(entry.group)
    if user is None or group is None:
        raise LookupError(f"the image has no user {entry.user} or no group {entry.group}")
    if not entry.path.is_dir():
        entry.path.mkdir()
    handle = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(handle, user, group)
        os.fchmod(handle, entry.mode)
    finally:
        os.close(handle)


def main() -> int:
    state = root_from_environment()
    texts = rendered_files(Layout(PREFIX, state))
    for name, text in texts.items():
        if name.startswith("tmpfiles.d/"):
            for entry in entries(text):
                if entry.path.is_relative_to(state):
                    make(entry)
    print(f"folders below {state} are as they should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
