"""What of a source tree belongs to a release: code and its texts by kind of file, never state, keys or caches."""

import re
from collections.abc import Iterator
from pathlib import Path

from tools.installer.faults import InstallRefused

PACKAGES = ("tbot_bot", "tbot_web", "tools")
SUFFIXES = frozenset({".css", ".html", ".js", ".py", ".sh", ".svg", ".typed"})
TEXTS = ("VERSION.md", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "requirements/base.txt")
STATE = (Path("tbot_bot/storage"), Path("tbot_bot/core"))
"""Where a checkout that was run keeps its state: never copied."""
_UNITS = frozenset(
    {".service", ".socket", ".timer", ".path", ".target", ".slice", ".conf", ".sysusers", ".tmpfiles", ".in", ".md"}
)
_VERSION = re.compile(r"v(\d+\.\d+\.\d+)")


def version_of(source: Path) -> str:
    """`1.2.3` from VERSION.md. Raises InstallRefused."""
    try:
        found = _VERSION.search((source / "VERSION.md").read_text("utf-8"))
    except OSError as error:
        raise InstallRefused(f"{source}/VERSION.md cannot be read: {error.strerror}. Use a whole checkout.") from error
    if found is None:
        raise InstallRefused(f"{source}/VERSION.md names no version such as v1.0.0.")
    return found.group(1)


def files_of(source: Path) -> tuple[Path, ...]:
    """The files of a release, relative to `source`, sorted. Raises InstallRefused for a link among them."""
    found = sorted({*_texts(source), *_code(source), *_units(source)})
    for name in found:
        if (source / name).is_symlink():
            raise InstallRefused(f"{source / name} is a link. Releases are made of plain files.")
    return tuple(found)


def _texts(source: Path) -> Iterator[Path]:
    for name in TEXTS:
        if not (source / name).is_file():
            raise InstallRefused(f"{source / name} is missing. Use a whole checkout.")
        yield Path(name)
    yield from (path.relative_to(source) for path in (source / "docs").rglob("*.md"))


def _code(source: Path) -> Iterator[Path]:
    for package in PACKAGES:
        for path in (source / package).rglob("*"):
            name = path.relative_to(source)
            kept = path.suffix in SUFFIXES and "__pycache__" not in name.parts
            if kept and not any(name.is_relative_to(state) for state in STATE) and not path.is_dir():
                yield name


def _units(source: Path) -> Iterator[Path]:
    for path in (source / "systemd").rglob("*"):
        if path.suffix in _UNITS and not path.is_dir():
            yield path.relative_to(source)
