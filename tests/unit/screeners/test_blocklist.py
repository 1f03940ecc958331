from pathlib import Path

import pytest

from tbot_bot.domain.errors import UniverseUnusable
from tbot_bot.screeners.blocklist import parse_blocklist, read_blocklist


def test_comments_and_case_do_not_matter() -> None:
    found = parse_blocklist("# bad ones\nabc # lost a suit\n\n  BRK.B  \n")
    assert found.symbols == {"ABC", "BRK.B"}
    assert found.faults == ()


def test_a_bad_line_is_reported_and_the_rest_still_counts() -> None:
    found = parse_blocklist("AAA\nnot a symbol\nBBB")
    assert found.symbols == {"AAA", "BBB"}
    assert found.faults == ("line 2: 'NOT A SYMBOL' is not a symbol",)


def test_an_absent_file_blocks_nothing(tmp_path: Path) -> None:
    assert read_blocklist(tmp_path / "blocklist.txt").symbols == frozenset()


def test_an_unreadable_file_is_not_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "blocklist.txt"
    path.write_bytes(b"\xff\xfeA\x00")
    with pytest.raises(UniverseUnusable, match="cannot be read"):
        read_blocklist(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UniverseUnusable, match="cannot be read"):
        read_blocklist(path)
