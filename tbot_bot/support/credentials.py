"""What systemd hands a process in memory alone (LoadCredential=, LoadCredentialEncrypted=)."""

import os
from pathlib import Path

_VARIABLE = "CREDENTIALS_DIRECTORY"
RUNNER_KEY = "tbot.runner.key"
DRILL_KEY = "tbot.drill.key"


def credential(name: str) -> bytes | None:
    """Its content; None where systemd hands over none of that name. Raises OSError when it cannot be read."""
    folder = os.environ.get(_VARIABLE, "")
    if not folder:
        return None
    try:
        handle = os.open(Path(folder) / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        return file.read()
