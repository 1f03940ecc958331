import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.line_tail import LONGEST_LINE, newest_first


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def test_without_a_file_there_is_no_row(log: Path) -> None:
    assert list(newest_first(log)) == []


@given(
    lines=st.lists(
        st.sampled_from(
            [b'{"n":1}', b'{"n":2}', b"", b"torn{", b"[1]", b"\xff", b"[" * 30_000, b'{"w":"' + b"x" * 9_000 + b'"}']
        )
    ),
    end=st.sampled_from([b"", b"\n", b'{"n":3}', b'{"n":']),
)
def test_it_finds_what_reading_the_whole_file_finds(tmp_path_factory, lines: list[bytes], end: bytes) -> None:
    log = tmp_path_factory.getbasetemp() / "any.jsonl"
    log.write_bytes(b"\n".join(lines) + end)
    assert list(newest_first(log)) == list(reversed(read_lines(log)))


@pytest.mark.parametrize("length", [8_191, 8_192, 8_193, 16_384, 16_385])
def test_a_line_that_ends_where_a_block_ends_is_whole(log: Path, length: int) -> None:
    line = json.dumps({"w": ""})
    log.write_text(f'{{"n":1}}\n{line[:-2]}{"x" * (length - len(line) - 1)}"}}\n')
    assert [next(iter(row)) for row in newest_first(log)] == ["w", "n"]


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_without_end_is_passed_over_in_little_memory(log: Path, end: bytes) -> None:
    log.write_bytes(b'{"n":1}\n' + b'{"w":"' + b"x" * 20_000_000 + b'"}' + end)
    tracemalloc.start()
    rows = list(newest_first(log))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == [{"n": 1}]
    assert peak < 10 * LONGEST_LINE


def test_the_longest_line_still_counts(log: Path) -> None:
    for more, found in ((0, 1), (1, 0)):
        log.write_text('{"w":"' + "x" * (LONGEST_LINE - 8 + more) + '"}\n')
        assert len(list(newest_first(log))) == found
