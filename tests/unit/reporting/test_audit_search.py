from datetime import UTC, datetime
from pathlib import Path

import pytest

from tbot_bot.reporting import audit_search
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_search import Page, Wanted, newest, search
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths

CLOCK = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))
EVENTS = ("login", "login_refused", "order")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """250 records in turn of three events, of lengths that cross the blocks everywhere."""
    made = Paths(tmp_path_factory.mktemp("root"))
    writer = AuditWriter(made, CLOCK)
    for number in range(1, 251):
        detail = {"n": number, "words": "Größe " * (number % 7), "drop": "x.event"} if number == 250 else {"n": number}
        writer.record(EVENTS[number % 3], "Ada" if number % 2 else "bot", detail)
    writer.close()
    return made


@pytest.fixture(autouse=True, params=[50, 333, 256 * 1024])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_search, "_BLOCK", request.param)


def _seqs(page: Page) -> list[int]:
    return [row["seq"] for row in page.rows]


def test_the_newest_hundred_come_first_and_the_rest_page_by_page(paths: Paths) -> None:
    first = search(paths, Wanted())
    assert (_seqs(first), first.more, first.next) == (list(range(250, 150, -1)), True, 151)

    second = search(paths, Wanted(before=first.next))
    third = search(paths, Wanted(before=second.next))
    assert _seqs(second) + _seqs(third) == list(range(150, 0, -1))
    assert (third.more, third.next) == (False, None)


@pytest.mark.parametrize("before", [1, 2, 3, 125, 249, 250, 251, 9999])
def test_before_finds_its_place(paths: Paths, before: int) -> None:
    assert _seqs(search(paths, Wanted(before=before)))[:1] == ([min(before, 251) - 1] if before > 1 else [])


def test_filters_narrow_it_down_together(paths: Paths) -> None:
    assert {row["event"] for row in search(paths, Wanted(event="LOGIN")).rows} == {"login", "login_refused"}
    assert {row["actor"] for row in search(paths, Wanted(actor="ada")).rows} == {"Ada"}
    assert search(paths, Wanted(actor="ad")).rows == ()
    found = search(paths, Wanted(text="GRÖSSE", event="login"))
    assert _seqs(found) == ([250] if EVENTS[250 % 3].startswith("login") else [])
    assert _seqs(search(paths, Wanted(text='"n": 77'))) == [77]


def test_signatures_and_hashes_are_neither_shown_nor_searched(paths: Paths) -> None:
    row = search(paths, Wanted()).rows[0]
    assert set(row) == {"seq", "at", "event", "actor", "detail"}
    assert search(paths, Wanted(text='"mac"')).rows == ()


def test_a_search_stops_looking_after_a_while_and_goes_on_from_there(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_search, "_LOOKED_AT", 100)
    first = search(paths, Wanted(text='"n": 7}'))
    assert (first.rows, first.more, first.next) == ((), True, 151)

    second = search(paths, Wanted(text='"n": 7}', before=first.next))
    assert _seqs(search(paths, Wanted(text='"n": 7}', before=second.next))) == [7]


def test_a_page_of_long_records_is_cut_short(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_search, "_PAGE_BYTES", 1000)
    first = search(paths, Wanted())

    assert 1 < len(first.rows) < 10
    assert first.next == _seqs(first)[-1]


def test_the_newest_of_an_event_is_the_runners_own(paths: Paths) -> None:
    own = newest(paths, "login_refused")
    assert own is not None
    assert own["seq"] == 247  # 250 came from another process
    assert newest(paths, "logi") is None


def test_without_a_log_and_beside_damage_a_search_finds_what_there_is(paths: Paths, tmp_path: Path) -> None:
    empty = Paths(tmp_path)
    assert search(empty, Wanted()) == Page((), more=False, next=None)

    lines = paths.audit_log.read_bytes().splitlines(keepends=True)[:5]
    empty.audit_log.parent.mkdir(parents=True)
    empty.audit_log.write_bytes(b"".join([*lines[:2], b"[1]\nnonsense\n", *lines[2:]]) + b'{"torn')
    assert _seqs(search(empty, Wanted())) == [5, 4, 3, 2, 1]
