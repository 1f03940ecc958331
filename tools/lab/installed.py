"""Releases for a lab's disk: built by the installer itself, with an environment kept for all of the same requirements.

The environment takes a minute to make from a package index; it is kept in .venv/lab beside the tests' own."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tbot_bot.support.path_resolver import CODE_ROOT
from tools.child import run_program
from tools.installer import environment
from tools.installer.layout import Layout
from tools.installer.release import Release, Say, build
from tools.installer.source import PACKAGES, files_of

PYTHON = "/usr/bin/python3"
KEPT = CODE_ROOT / ".venv" / "lab"


def python_missing() -> str:
    """Why no release can be built here; empty when one can."""
    if not Path(PYTHON).exists():
        return "the system has no Python (apt-get install python3-venv)"
    tried = run_program([PYTHON, "-I", "-c", "import ensurepip, venv"])
    return "" if tried.code == 0 else "the system's Python cannot make environments (apt-get install python3-venv)"


def other_version(source: Path, target: Path, version: str) -> Path:
    """`target`: a copy of the source tree that calls itself `version`."""
    for name in files_of(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name)
    shutil.copy2(source / "Makefile", target / "Makefile")
    (target / "VERSION.md").write_text(f"v{version}\n")
    return target


def build_release(source: Path, destination: Path, say: Say) -> Release:
    """`source` as a release below `destination`/opt/tbot. Raises InstallRefused."""
    layout = Layout(destdir=destination)
    return build(layout, source, str(Path(PYTHON).resolve()), say, kept_environment)


def kept_environment(release: Path, python: str, final: Path, say: Say) -> None:
    """What environment.make does, from the kept one where there is one."""
    locked = (release / environment.REQUIREMENTS).read_bytes()
    name = hashlib.sha256(locked + environment.version_of(python).encode()).hexdigest()[:16]
    kept = KEPT / name
    with _alone():
        if (kept / "venv").is_dir():
            say("copying the kept environment")
            _copy(kept / "venv", release / "venv")
            for package in PACKAGES:
                environment.compile_below(release / package, release, final)
            return
        environment.make(release, python, final, say)
        staging = KEPT / f".{name}.{os.getpid()}"
        staging.mkdir()
        _copy(release / "venv", staging / "venv")
        for other in KEPT.iterdir():
            if other.is_dir() and other != staging:
                shutil.rmtree(other)
        staging.rename(kept)


def _copy(source: Path, target: Path) -> None:
    """Hard links on one disk: nothing writes into an environment once it is made. Raises OSError."""
    same = source.stat().st_dev == target.parent.stat().st_dev
    copied = run_program(["cp", "-a", *(["--link"] if same else []), "--", str(source), str(target)])
    if copied.code:
        raise OSError(f"{source} was not copied: {copied.last_lines}")


@contextmanager
def _alone() -> Iterator[None]:
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
