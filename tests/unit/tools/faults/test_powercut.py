"""The power cut model on recordings written by hand: what may be lost, and what may not."""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.faults.calls import read_calls
from tools.faults.crashes import Platter, crashes
from tools.faults.replay import Replay

ROOT = "/root"


def lines(*calls: str) -> str:
    return "\n".join(f"7 {call} = 0" for call in calls)


def text(words: str) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in words.encode()) + '"'


def replace_file(*, sync_file: bool = True, sync_folder: bool = True) -> str:
    """The calls of one atomic replacement of `state`, with or without its syncs."""
    temp, state = f"{ROOT}/.state.tmp", f"{ROOT}/state"
    rows = [
        f'7 openat(AT_FDCWD<{ROOT}>, "{temp}", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3<{temp}>',
        f"7 write(3<{temp}>, {text('new words')}, 9) = 9",
        f"7 fsync(3<{temp}>) = 0" if sync_file else "",
        f"7 close(3<{temp}>) = 0",
        f'7 rename("{temp}", "{state}") = 0',
        f'7 openat(AT_FDCWD<{ROOT}>, "{ROOT}", O_RDONLY|O_DIRECTORY) = 3<{ROOT}>',
        f"7 fsync(3<{ROOT}>) = 0" if sync_folder else "",
        f"7 close(3<{ROOT}>) = 0",
    ]
    return "\n".join(row for row in rows if row)


@pytest.fixture
def before(tmp_path: Path) -> Path:
    folder = tmp_path / "before"
    folder.mkdir()
    (folder / "state").write_text("old")
    return folder


def states(before: Path, trace: str, *, at_end: bool = False) -> set[str | None]:
    """What `state` may hold after a power cut at some moment, or at the end."""
    found: set[str | None] = set()
    for platter in platters(before, trace, at_end=at_end):
        root = Path(tempfile.mkdtemp(dir=before.parent)) / "root"
        platter.write(root)
        state = root / "state"
        found.add(state.read_text() if state.exists() else None)
    return found


def platters(before: Path, trace: str, *, at_end: bool) -> Iterator[Platter]:
    calls = read_calls(trace, ROOT)
    replay = Replay(before, calls, ROOT)
    dice = random.Random(1)
    seen: set[str] = set()
    for position, _ in replay.steps():
        if at_end and position < len(calls) - 1:
            continue
        for crash in crashes(replay.disk, dice, 5, 4):
            platter = Platter(replay.disk, crash, {})
            if platter.digest() not in seen:
                seen.add(platter.digest())
                yield platter


def test_an_atomic_replacement_leaves_the_old_or_the_new_and_is_durable_at_the_end(before: Path) -> None:
    assert states(before, replace_file()) == {"old", "new words"}
    assert states(before, replace_file(), at_end=True) == {"new words"}


def test_without_the_fsync_of_the_file_it_may_be_empty_torn_or_hollow(before: Path) -> None:
    found = states(before, replace_file(sync_file=False))

    assert {"", "old", "new words", "new w", "\0" * 9} <= found


def test_without_the_fsync_of_the_folder_it_may_be_old_at_the_end(before: Path) -> None:
    assert states(before, replace_file(sync_folder=False), at_end=True) == {"old", "new words"}


def test_a_new_file_may_be_gone_until_its_folder_is_synced(before: Path) -> None:
    (before / "state").unlink()

    assert states(before, replace_file(sync_folder=False), at_end=True) == {None, "new words"}


def test_a_removed_file_may_come_back_until_its_folder_is_synced(before: Path) -> None:
    assert states(before, f'7 unlink("{ROOT}/state") = 0', at_end=True) == {"old", None}


def test_an_appended_line_may_be_torn_until_it_is_synced(before: Path) -> None:
    opened = f'7 openat(AT_FDCWD<{ROOT}>, "{ROOT}/state", O_RDWR|O_APPEND) = 3<{ROOT}/state>'
    written = f"7 write(3<{ROOT}/state>, {text(' and more')}, 9) = 9"
    synced = f"7 fdatasync(3<{ROOT}/state>) = 0"

    assert {"old", "old and more", "old "} <= states(before, f"{opened}\n{written}", at_end=True)
    assert states(before, f"{opened}\n{written}\n{synced}", at_end=True) == {"old and more"}


def test_a_folder_renamed_takes_what_is_in_it_along(before: Path) -> None:
    (before / "a").mkdir()
    (before / "a" / "inside").write_text("kept")
    trace = f'7 rename("{ROOT}/a", "{ROOT}/b") = 0'
    names = set()
    for number, platter in enumerate(platters(before, trace, at_end=True)):
        root = before.parent / f"moved-{number}"
        platter.write(root)
        names.add(tuple(sorted(str(path.relative_to(root)) for path in root.rglob("inside"))))

    assert names == {("a/inside",), ("b/inside",)}


def test_equal_states_have_equal_digests_and_others_have_not(before: Path) -> None:
    digests = [platter.digest() for platter in platters(before, replace_file(), at_end=False)]

    assert len(digests) == len(set(digests))


def test_a_call_that_the_model_does_not_know_is_not_passed_over(before: Path) -> None:
    trace = f'7 fchownat(AT_FDCWD<{ROOT}>, "{ROOT}/state", 0, 0, 0) = 0'

    with pytest.raises(ValueError, match="fchownat"):
        list(platters(before, trace, at_end=False))
