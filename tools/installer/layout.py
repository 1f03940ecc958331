"""Where an installation lies: the one place that names its paths outside the state folder."""

import re
from dataclasses import dataclass
from pathlib import Path

from tools.installer.faults import InstallRefused

PREFIX, STATE_DIR = Path("/opt/tbot"), Path("/var/lib/tbot")
LOCAL_LIB, PACKAGE_LIB = Path("/usr/local/lib"), Path("/usr/lib")
PACKAGED = "packaged"
"""Folder below the prefix in which a package brings its release."""
_PLAIN = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._-]*)+")
_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Layout:
    """`prefix` and `state_dir` as the installed machine sees them; the properties are where they are on this one,
    below `destdir`. `lib`: /usr/local/lib, or /usr/lib for a package."""

    prefix: Path = PREFIX
    state_dir: Path = STATE_DIR
    destdir: Path = _ROOT
    lib: Path = LOCAL_LIB

    def __post_init__(self) -> None:
        for name, path in (("PREFIX", self.prefix), ("STATE_DIR", self.state_dir)):
            if not _PLAIN.fullmatch(str(path)):
                raise InstallRefused(f"{name} must be an absolute path of plain letters, digits, . _ -, not {path}.")
        if self.prefix.is_relative_to(self.state_dir) or self.state_dir.is_relative_to(self.prefix):
            raise InstallRefused(f"Code ({self.prefix}) and state ({self.state_dir}) must not lie in one another.")

    @property
    def staged(self) -> bool:
        """Only files are made, for another machine or a package; nothing of this machine's systemd is touched."""
        return self.destdir != _ROOT

    def here(self, path: Path) -> Path:
        """Where `path` of the installed machine is on this one."""
        return self.destdir / path.relative_to("/")

    @property
    def home(self) -> Path:
        return self.here(self.prefix)

    @property
    def releases(self) -> Path:
        return self.home / "releases"

    @property
    def current(self) -> Path:
        return self.home / "current"

    @property
    def lock(self) -> Path:
        return self.home / ".install.lock"

    @property
    def record(self) -> Path:
        """What is installed, and which files outside the prefix belong to it."""
        return self.home / "installed.json"

    @property
    def journal(self) -> Path:
        """How far an upgrade came."""
        return self.home / "upgrade.json"

    @property
    def library(self) -> Path:
        return self.here(self.lib)

    @property
    def settings(self) -> Path:
        """The admin's own settings of the units."""
        return self.here(Path("/etc/tbot/tbot.env"))

    @property
    def state(self) -> Path:
        return self.here(self.state_dir)
