"""Building a release: beside the others under a name of its own, complete before it gets that name.

A release is named by its version and a digest of everything that it is made from, so that two builds never share a
folder and building again finds what is there already."""

import hashlib
import json
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping, Set
from dataclasses import asdict, dataclass
from pathlib import Path

from tbot_bot.support.atomic_file import sync_folder
from tools.child import run_program
from tools.installer import environment, files
from tools.installer.faults import InstallRefused
from tools.installer.layout import Layout
from tools.installer.rendering import rendered_files
from tools.installer.source import files_of, version_of
from tools.migration.layout_version import LAYOUT

Say = Callable[[str], None]
MakeEnvironment = Callable[[Path, str, Path, Say], None]
"""As environment.make."""
FACTS, MANIFEST, RENDERED = "release.json", "MANIFEST.sha256", "rendered"
_STAGING = ".staging-"


@dataclass(frozen=True, slots=True)
class Release:
    """`layout`: the layout of the state folder that this release works with. `python`: the interpreter's version."""

    name: str
    version: str
    python: str
    layout: int
    prefix: str
    state_dir: str

    def folder(self, layout: Layout) -> Path:
        return layout.releases / self.name


def read_release(folder: Path) -> Release | None:
    """None when `folder` is no complete release."""
    try:
        row = json.loads((folder / FACTS).read_bytes())
        return Release(**row) if isinstance(row, dict) and (folder / MANIFEST).is_file() else None
    except (OSError, ValueError, TypeError):
        return None


def current_release(layout: Layout) -> Release | None:
    return read_release(layout.current)


def build(
    layout: Layout, source: Path, python: str, say: Say, make_environment: MakeEnvironment = environment.make
) -> Release:
    """The release of `source`, built or found complete. `python`: path of the system's interpreter.

    Raises InstallRefused; whatever an interrupted build left is dropped by the next one."""
    names = files_of(source)
    rendered = rendered_files(layout)
    version, interpreter = version_of(source), environment.version_of(python)
    name = f"{version}+{_digest(source, names, rendered, interpreter)[:8]}"
    release = Release(name, version, interpreter, LAYOUT, str(layout.prefix), str(layout.state_dir))
    files.make_folder(layout.releases)
    for left in layout.releases.glob(f"{_STAGING}*"):
        # Its pip may have outlived a killed installer; what that still writes goes with the next build.
        shutil.rmtree(left, ignore_errors=True)
    if read_release(release.folder(layout)) == release and not faults_of(release.folder(layout)):
        say(f"release {name} is there already")
        return release
    say(f"building release {name}")
    staging = layout.releases / f"{_STAGING}{name}-{secrets.token_hex(4)}"
    _fill(staging, source, names, rendered)
    make_environment(staging, python, layout.prefix / "releases" / name, say)
    files.put_text(staging / FACTS, json.dumps(asdict(release), sort_keys=True) + "\n")
    files.settle(staging)
    files.put_text(staging / MANIFEST, manifest_of(staging))
    _publish(staging, release.folder(layout))
    return release


def faults_of(folder: Path) -> tuple[str, ...]:
    """How a release differs from its manifest, in sentences."""
    try:
        listed = (folder / MANIFEST).read_text().splitlines()
    except OSError as error:
        return (f"{folder / MANIFEST} cannot be read ({error.strerror})",)
    expected = {name: digest for digest, _, name in (line.partition("  ") for line in listed)}
    there = {str(path.relative_to(folder)): path for path in files.walk(folder) if _is_listed(folder, path)}
    missing = [f"{folder / name} is missing" for name in sorted(expected.keys() - there.keys())]
    extra = [f"{folder / name} does not belong there" for name in sorted(there.keys() - expected.keys())]
    changed = [
        f"{there[name]} was changed"
        for name in sorted(expected.keys() & there.keys())
        if files.sha256(there[name]) != expected[name]
    ]
    return (*missing, *extra, *changed)


def manifest_of(folder: Path) -> str:
    """What `sha256sum -c` takes; links are not in it."""
    lines = [
        f"{files.sha256(path)}  {path.relative_to(folder)}\n" for path in files.walk(folder) if _is_listed(folder, path)
    ]
    return "".join(lines)


def adopt(layout: Layout, packaged: Path) -> Release:
    """A release that a package brought, as one of ours: its files, by hard links where the file system allows, so that
    the package manager can replace its own while this one runs. Raises InstallRefused."""
    release = read_release(packaged)
    if release is None:
        raise InstallRefused(f"{packaged} holds no complete release. Install the package again.")
    folder = release.folder(layout)
    if read_release(folder) == release:
        return release
    files.make_folder(layout.releases)
    staging = layout.releases / f"{_STAGING}{release.name}"
    shutil.rmtree(staging, ignore_errors=True)
    copied = run_program(["cp", "-a", "--link", "--", str(packaged), str(staging)])
    if copied.code:
        shutil.rmtree(staging, ignore_errors=True)
        copied = run_program(["cp", "-a", "--", str(packaged), str(staging)])
    if copied.code:
        raise InstallRefused(f"The release could not be copied to {folder}: {copied.last_lines}")
    _publish(staging, folder)
    return release


def remove_releases(layout: Layout, names: Set[str]) -> None:
    """Each loses its name first, so that none is ever half there."""
    for name in names:
        folder = layout.releases / name
        if folder.is_dir():
            doomed = folder.with_name(f"{_STAGING}{name}")
            folder.rename(doomed)
            sync_folder(layout.releases)
            shutil.rmtree(doomed)


def _digest(source: Path, names: tuple[Path, ...], rendered: Mapping[str, str], python: str) -> str:
    whole = hashlib.sha256(f"{python}\n{sys.platform}\n".encode())
    for name in names:
        whole.update(f"{name}\0{files.sha256(source / name)}\n".encode())
    for place, text in sorted(rendered.items()):
        whole.update(f"{place}\0{text}\0".encode())
    return whole.hexdigest()


def _fill(staging: Path, source: Path, names: tuple[Path, ...], rendered: Mapping[str, str]) -> None:
    for name in names:
        files.copy_file(source / name, staging / name)
    for place, text in rendered.items():
        files.put_text(staging / RENDERED / place, text)


def _is_listed(folder: Path, path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path != folder / MANIFEST


def _publish(staging: Path, folder: Path) -> None:
    """Make everything durable, then give it its name; a damaged one of that name makes way."""
    done = run_program(["sync", "--file-system", str(staging)])
    if done.code:
        raise InstallRefused(f"The release could not be made durable: {done.last_lines}")
    if folder.exists():
        folder.rename(folder.with_name(f"{_STAGING}damaged-{secrets.token_hex(4)}"))
    staging.rename(folder)
    sync_folder(folder.parent)
