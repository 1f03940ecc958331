"""The release this code belongs to."""

import re

from tbot_bot.domain.errors import ConfigInvalid
from tbot_bot.support.path_resolver import CODE_ROOT

_TAG = re.compile(r"v\d+\.\d+\.\d+")


def version_tag() -> str:
    """The first `vN.N.N` of VERSION.md, which VERSION_TAG must equal. Raises ConfigInvalid when there is none."""
    path = CODE_ROOT / "VERSION.md"
    try:
        found = _TAG.search(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigInvalid(f"VERSION.md beside the code cannot be read: {error.strerror}; install again") from error
    if found is None:
        raise ConfigInvalid("VERSION.md names no version such as v1.0.0; install again")
    return found.group()
