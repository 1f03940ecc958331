"""Fixtures for all tests. A test that cannot run says why; in CI (`CI=true`) missing setup is a failure, not a skip."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


IN_MEMORY = Path("/dev/shm")
ROOM_NEEDED = 2 * 1024**3


def _work_in_memory() -> None:
    """Thousands of roots are made and fsynced: on a disk the tests wait for it more than they compute."""
    if not IN_MEMORY.is_dir() or not os.access(IN_MEMORY, os.W_OK):
        return
    facts = os.statvfs(IN_MEMORY)
    if facts.f_bavail * facts.f_frsize > ROOM_NEEDED and not facts.f_flag & os.ST_NOEXEC:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


_work_in_memory()


@pytest.fixture
def on_disk() -> Iterator[Callable[[str], Path]]:
    """Makes folders on a disk, for tests that tell it from memory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield lambda name: Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))


def lacking(what: str) -> None:
    """Skip with the reason, or fail where everything must be set up."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have it: {what}")
    pytest.skip(what)


def find_shared_data(name: str) -> Path:
    """A recorded file kept beside the repository; a user's clone has none."""
    path = REPOSITORY.parent / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"recorded data {name} is not beside this clone")
    return path


@pytest.fixture
def shared_data():  # type: ignore[no-untyped-def]
    return find_shared_data


def find_chromium() -> str:
    for name in CHROMIUM_NAMES:
        path = shutil.which(name)
        if path:
            return path
    lacking("Chromium is not installed (apt-get install chromium)")
    raise AssertionError


def need_strace() -> None:
    if shutil.which("strace") is None:
        lacking("strace is not installed (apt-get install strace)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))
