"""The law of persistence on recordings written by hand: a lawful one passes, and no change of it does."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.faults.calls import read_calls
from tools.faults.disk import ImpossibleCall
from tools.faults.law import breaches

ROOT = "/root"
ANSWER = r'7 writev(9<pipe:[1]>, [{iov_base="\x7b\x7d\x0a", iov_len=3}], 1) = 3'


def create(path: str, number: int = 3) -> str:
    return f'7 openat(AT_FDCWD<{ROOT}>, "{ROOT}/{path}", O_WRONLY|O_CREAT|O_EXCL, 0600) = {number}<{ROOT}/{path}>'


def write(path: str, number: int = 3) -> str:
    return rf'7 write({number}<{ROOT}/{path}>, "\x61\x62", 2) = 2'


def place(path: str, offset: int, number: int) -> str:
    return rf'7 pwrite64({number}<{ROOT}/{path}>, "\x61\x62", 2, {offset}) = 2'


def mode(path: str, number: int = 3) -> str:
    return f"7 fchmod({number}<{ROOT}/{path}>, 0600) = 0"


def sync(path: str, number: int = 3) -> str:
    return f"7 fsync({number}<{ROOT}/{path}>) = 0"


def rename(old: str, new: str) -> str:
    return f'7 rename("{ROOT}/{old}", "{ROOT}/{new}") = 0'


def unlink(path: str) -> str:
    return f'7 unlink("{ROOT}/{path}") = 0'


def make(path: str) -> str:
    return f'7 mkdir("{ROOT}/{path}", 0700) = 0'


REPLACED = (
    create("a/.x.1.tmp"),
    write("a/.x.1.tmp"),
    mode("a/.x.1.tmp"),
    sync("a/.x.1.tmp"),
    rename("a/.x.1.tmp", "a/x"),
    sync("a", 4),
)
APPENDED = (write("b/log", 5), sync("b/log", 5))
SWAPPED = (
    make("g/.2.staging"),
    create("g/.2.staging/key"),
    write("g/.2.staging/key"),
    sync("g/.2.staging/key"),
    sync("g/.2.staging", 4),
    rename("g/.2.staging", "g/2"),
    sync("g", 4),
)
MOVED = (rename("a/x", "b/x"), sync("b", 4), sync("a", 5))
COMMITTED = (
    make("tbot_bot/storage/restore/stage/l"),
    create("tbot_bot/storage/restore/stage/l/x"),
    write("tbot_bot/storage/restore/stage/l/x"),
    sync("tbot_bot/storage/restore/stage/l/x"),
    sync("tbot_bot/storage/restore/stage/l", 4),
    sync("tbot_bot/storage/restore/stage", 4),
    create("tbot_bot/storage/runner/.r.1.tmp", 6),
    rename("tbot_bot/storage/runner/.r.1.tmp", "tbot_bot/storage/runner/restore.json"),
    sync("tbot_bot/storage/runner", 4),
)
TRANSACTION = (
    create("d/U.db-wal", 6),
    place("d/U.db-wal", 0, 6),
    sync("d/U.db-wal", 6),
    sync("d", 4),
    place("d/U.db-wal", 32, 6),
    sync("d/U.db-wal", 6),
    place("d/U.db", 0, 7),
    sync("d/U.db", 7),
    unlink("d/U.db-wal"),
)
LAWFUL = (REPLACED, APPENDED, SWAPPED, (*REPLACED, *MOVED), COMMITTED, TRANSACTION)


@pytest.fixture
def before(tmp_path: Path) -> Path:
    folder = tmp_path / "before"
    for name in ("a", "b", "g", "d", "tbot_bot/storage/restore/stage", "tbot_bot/storage/runner", "control/published"):
        (folder / name).mkdir(parents=True)
    (folder / "b/log").write_bytes(b"")
    (folder / "d/U.db").write_bytes(b"pages")
    return folder


def judged(before: Path, rows: Sequence[str]) -> list[str]:
    return [each.words for each in breaches(before, read_calls("\n".join(rows), ROOT), ROOT)]


@pytest.mark.parametrize("acts", LAWFUL)
def test_what_is_synced_in_order_is_lawful(before: Path, acts: tuple[str, ...]) -> None:
    assert judged(before, (*acts, ANSWER)) == []


@pytest.mark.parametrize(
    ("acts", "missing"), [(acts, n) for acts in LAWFUL for n, row in enumerate(acts) if "sync(" in row]
)
def test_each_forgotten_sync_is_a_breach(before: Path, acts: tuple[str, ...], missing: int) -> None:
    assert judged(before, (*acts[:missing], *acts[missing + 1 :], *REPLACED_ELSEWHERE, ANSWER))


REPLACED_ELSEWHERE = tuple(row.replace("/a", "/control") for row in REPLACED)


@pytest.mark.parametrize(
    ("acts", "at"),
    [
        (acts, n)
        for acts in (REPLACED, APPENDED, (*REPLACED, *MOVED))
        for n in range(1, len(acts))
        if "sync(" in acts[n] or "sync(" in acts[n - 1]
    ],
)
def test_a_sync_before_what_it_is_for_or_after_what_relies_on_it_is_a_breach(
    before: Path, acts: tuple[str, ...], at: int
) -> None:
    order = (*acts[: at - 1], acts[at], acts[at - 1], *acts[at + 1 :], ANSWER)
    two_syncs = "sync(" in acts[at] and "sync(" in acts[at - 1]

    try:
        found = judged(before, order)
    except ImpossibleCall as reason:
        found = [str(reason)]
    assert bool(found) is not two_syncs


@pytest.mark.parametrize(
    ("acts", "words"),
    [
        ((*APPENDED[:1], ANSWER, *APPENDED[1:]), "b/log waits when the answer leaves"),
        ((*APPENDED[:1], *REPLACED, *APPENDED[1:]), "b/log waits when a/x is changed"),
        (REPLACED[:-1], "a/x waits at the end"),
        ((*REPLACED[:3], *REPLACED[4:]), "content  is not durable when it is named a/x"),
        ((*REPLACED[:2], REPLACED[3], REPLACED[2], *REPLACED[4:]), "mode  is not durable when it is named a/x"),
        ((*SWAPPED[:4], *SWAPPED[5:]), "entries  is not durable when it is named g/2"),
        ((*TRANSACTION[:5], *TRANSACTION[6:]), "d/U.db-wal waits when the database is written"),
        ((*TRANSACTION[:7], *TRANSACTION[8:]), "d/U.db waits when its log is begun anew"),
        ((*TRANSACTION[:2], *TRANSACTION[3:]), "the head of d/U.db-wal waits when more is written"),
    ],
)
def test_a_breach_says_what_waited_for_what(before: Path, acts: tuple[str, ...], words: str) -> None:
    assert words in judged(before, acts)


@pytest.mark.parametrize("name", ["control/published/x", "tbot_bot/storage/audit/.lock", "d/U.db-shm"])
def test_what_is_never_relied_on_needs_no_sync(before: Path, name: str) -> None:
    (before / "tbot_bot/storage/audit").mkdir()

    assert judged(before, (create(name), write(name), ANSWER)) == []


def test_what_lies_under_a_temporary_name_may_wait(before: Path) -> None:
    assert judged(before, (create("a/.x.1.tmp"), write("a/.x.1.tmp"), *APPENDED, ANSWER)) == []


def test_calls_that_cannot_come_in_this_order_are_told_apart(before: Path) -> None:
    with pytest.raises(ImpossibleCall, match="is not there"):
        judged(before, (rename("a/x", "a/y"),))
    with pytest.raises(ImpossibleCall, match="is there already"):
        judged(before, (create("b/log"),))
    with pytest.raises(ImpossibleCall, match="is not there"):
        judged(before, (make("nowhere/x"),))
