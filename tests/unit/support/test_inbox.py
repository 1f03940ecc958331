import os
import sys
from pathlib import Path

import pytest

from tbot_bot.support.inbox import MAX_BYTES, Inbox
from tools.child import run_program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def _inbox(folder: Path, owners: frozenset[int] | None = None, *, fair: bool = False) -> Inbox:
    root = folder.parent
    return Inbox(
        folder,
        root / "private",
        root / "refused",
        wanted=lambda name: name.endswith(".req"),
        leave=lambda name: name.startswith("."),
        owners=owners,
        fair=fair,
    )


def test_a_file_is_claimed_read_once_and_gone_when_finished(folder: Path) -> None:
    (folder / "a.req").write_bytes(b"hello")
    inbox = _inbox(folder)

    (claimed,), evicted = inbox.take()

    assert (claimed.name, claimed.data, evicted) == ("a.req", b"hello", ())
    assert list(folder.iterdir()) == []
    assert [left.data for left in inbox.leftovers()] == [b"hello"]
    inbox.finish(claimed)
    assert inbox.leftovers() == ()


def test_what_is_no_plain_file_is_moved_aside_unread(folder: Path) -> None:
    secret = folder.parent / "secret"
    secret.write_bytes(b"key")
    (folder / "link.req").symlink_to(secret)
    (folder / "hard.req").hardlink_to(secret)
    os.mkfifo(folder / "pipe.req")
    (folder / "folder.req").mkdir()
    (folder / "big.req").write_bytes(b"x" * (MAX_BYTES + 1))
    (folder / "name with\nnewline").write_bytes(b"x")
    inbox = _inbox(folder)

    claimed, evicted = inbox.take()

    assert claimed == ()
    assert len(evicted) == 6
    assert all("\n" not in one.name for one in evicted)
    assert list(folder.iterdir()) == []
    assert secret.read_bytes() == b"key"
    kept = {path.name.partition("~")[2] for path in (folder.parent / "refused").iterdir()}
    assert kept == {"link.req", "folder.req", "name_with_newline"}


HIDDEN = """
import sys
from pathlib import Path
from tbot_bot.support.inbox import Inbox

root = Path(sys.argv[1])
inbox = Inbox(root / "in", root / "private", root / "refused", wanted=lambda name: True, leave=lambda name: False)
claimed, evicted = inbox.take()
print(len(claimed), len(evicted))
"""


@pytest.mark.root
@pytest.mark.parametrize(("mode", "said"), [(0o2730, "1 0"), (0o2732, "0 1"), (0o730, "0 1")])
def test_where_other_users_are_hidden_the_folder_says_whose_files_are_taken(folder: Path, mode: int, said: str) -> None:
    (folder / "a.req").write_bytes(b"x")
    os.chown(folder / "a.req", 61003, 62002)
    os.chown(folder, -1, 62002)
    folder.chmod(mode)

    words = ["unshare", "--user", "--map-root-user", sys.executable, "-c", HIDDEN, str(folder.parent)]
    done = run_program(words)

    assert done.output.strip() == said


def test_a_stranger_s_file_is_refused(folder: Path) -> None:
    (folder / "a.req").write_bytes(b"x")

    claimed, evicted = _inbox(folder, frozenset({os.geteuid() + 1})).take()

    assert claimed == ()
    assert "unexpected user" in evicted[0].why


def test_names_of_others_are_left_alone(folder: Path) -> None:
    (folder / ".a.req.tmp").write_bytes(b"x")

    assert _inbox(folder).take() == ((), ())
    assert (folder / ".a.req.tmp").exists()


def test_what_cannot_be_moved_is_reported_once_and_then_ignored(folder: Path) -> None:
    (folder / "a.req").write_bytes(b"x")
    inbox = _inbox(folder)
    (folder.parent / "private").rmdir()
    (folder.parent / "private").write_bytes(b"in the way")

    assert len(inbox.take()[1]) == 1
    assert inbox.take() == ((), ())


def test_a_flood_does_not_fill_the_disk_nor_hold_up_a_round(folder: Path) -> None:
    for number in range(600):
        (folder / f"junk{number}").write_bytes(b"x")
    inbox = _inbox(folder)

    taken = [len(inbox.take()[1]) for _ in range(4)]

    assert taken == [256, 256, 88, 0]
    assert len(list((folder.parent / "refused").iterdir())) == 200


def test_a_folder_that_vanished_is_made_again(folder: Path) -> None:
    inbox = _inbox(folder)
    folder.rmdir()

    assert inbox.take() == ((), ())
    assert folder.is_dir()


def test_a_refused_second_name_keeps_no_file_alive_that_its_owner_deletes(folder: Path) -> None:
    secret = folder.parent / "secret.key"
    secret.write_bytes(b"key")
    (folder / "hard.req").hardlink_to(secret)
    (folder / "junk").hardlink_to(secret)

    assert len(_inbox(folder).take()[1]) == 2
    assert secret.stat().st_nlink == 1


def test_a_name_that_sorts_last_is_not_starved_by_a_steady_flood(folder: Path) -> None:
    (folder / "zz.req").write_bytes(b"honest")
    inbox = _inbox(folder, fair=True)
    for round_number in range(200):
        for number in range(1024 - len(list(folder.iterdir()))):
            (folder / f"00-{round_number}-{number}").write_bytes(b"")
        if any(one.name == "zz.req" for one in inbox.take()[0]):
            return
    pytest.fail("an honest request waited 200 rounds")


def test_deep_and_wide_folders_go_a_little_each_round(folder: Path) -> None:
    refused = folder.parent / "refused"
    inbox = _inbox(folder)
    for number in range(3):
        (folder / f"{number}.req" / "a" / "b" / "c").mkdir(parents=True)
        for each in range(600):
            (folder / f"{number}.req" / "a" / str(each)).write_bytes(b"x")
    inbox.take()
    for round_number in range(40):
        for number in range(220):
            (folder / f"junk-{round_number}-{number}").write_bytes(b"x")
        inbox.take()

    assert len(list(refused.iterdir())) <= 200
    assert not any(path.is_dir() for path in refused.iterdir())
