"""Verification at both levels, against a thief who has everything that lies on the disk but the outside anchors."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest

from tbot_bot.reporting import audit_chain as chain
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_verify import Level, Verified, verify
from tbot_bot.support.audit_anchors import Anchor, keep_anchor, known_anchors, parse_anchor
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths

CLOCK = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))
IDENTITY = pyrage.x25519.Identity.generate()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Ten records; k_0 is sealed, so that the thief does not have it."""
    made = Paths(tmp_path)
    writer = AuditWriter(made, CLOCK)
    writer.seal_first_key(str(IDENTITY.to_public()))
    for number in range(9):
        writer.record("login", "ada", {"n": number})
    writer.close()
    return made


def _anchor(paths: Paths, seq: int) -> Anchor:
    lines = paths.audit_log.read_bytes().splitlines()
    return Anchor("journal", seq, chain.hash_of(lines[seq - 1]), "")


def _full(paths: Paths, *anchors: Anchor) -> Verified:
    return verify(paths, identity=str(IDENTITY), anchors=anchors)


def _rewrite(paths: Paths, begin: int, change: Callable[[list[dict[str, object]]], object]) -> None:
    """What a thief can do: change records from `begin` on, chain them anew, and sign with the only key there is."""
    head = chain.read_head(paths)
    assert head is not None
    rows = [json.loads(line) for line in paths.audit_log.read_bytes().splitlines()]
    change(rows)
    previous, key, lines = chain.GENESIS, head.next_key, []
    for number, row in enumerate(rows, start=1):
        body = {**row, "seq": number, "prev": previous}
        if number >= begin:
            body.pop("mac", None)
            body = chain.signed(body, key)
            key = chain.next_key(key)
        lines.append(chain.canonical(body))
        previous = chain.hash_of(lines[-1])
    data = b"".join(line + b"\n" for line in lines)
    paths.audit_log.write_bytes(data)
    chain.write_head(paths, chain.Head(len(lines), previous, key, len(data)))


def test_a_past_rewritten_with_the_present_key_fails_with_the_first_key(paths: Paths) -> None:
    anchor = _anchor(paths, 9)
    _rewrite(paths, 5, lambda rows: rows[4].update(actor="eve"))

    assert "record 5 has a wrong signature" in str(_full(paths).problem)
    assert verify(paths).problem is None  # without it, the chain alone cannot tell
    assert "the log was rewritten" in str(verify(paths, anchors=[anchor]).problem)


def test_a_tail_cut_together_with_the_head_shows_with_the_first_key_or_an_anchor(paths: Paths) -> None:
    anchor = _anchor(paths, 9)
    _rewrite(paths, 99, lambda rows: rows.__delitem__(slice(7, None)))

    # Record 7 names the key that signs record 8, and the thief no longer finds that.
    assert "head.json does not fit record 7" in str(verify(paths).problem)

    _rewrite(paths, 7, lambda rows: rows)

    assert "record 7 has a wrong signature" in str(_full(paths).problem)
    assert verify(paths).problem is None
    assert "journal saw record 9: the end was cut off" in str(verify(paths, anchors=[anchor]).problem)


def test_a_folder_put_back_to_an_earlier_state_shows_against_a_later_anchor_alone(paths: Paths) -> None:
    earlier = {path: path.read_bytes() for path in (paths.audit_log, chain.head_file(paths))}
    writer = AuditWriter(paths, CLOCK)
    writer.record("order", "bot", {})
    writer.close()
    anchor = _anchor(paths, 11)
    for path, data in earlier.items():
        path.write_bytes(data)

    assert _full(paths).problem is None
    assert "cut off" in str(_full(paths, anchor).problem)
    assert "cut off" in str(verify(paths, anchors=[anchor]).problem)


def test_records_behind_the_head_must_carry_its_signature(paths: Paths) -> None:
    """At the level of the chain too: a crash leaves true records there, a forger without the key others."""
    lines = paths.audit_log.read_bytes().splitlines()
    row = json.loads(lines[-1]) | {"seq": 11, "prev": chain.hash_of(lines[-1])}
    paths.audit_log.write_bytes(b"\n".join([*lines, chain.canonical(row)]) + b"\n")

    assert "record 11 has a wrong signature" in str(verify(paths).problem)


@pytest.mark.parametrize("level", list(Level))
def test_a_head_that_was_removed_or_moved_is_noticed(paths: Paths, level: Level) -> None:
    identity = str(IDENTITY) if level is Level.FULL else None
    head = chain.read_head(paths)
    assert head is not None
    chain.write_head(paths, chain.Head(head.seq, head.line_hash, head.next_key, head.size + 1))
    assert "does not fit" in str(verify(paths, identity=identity).problem)

    chain.head_file(paths).unlink()
    assert "head.json is missing" in str(verify(paths, identity=identity).problem)


def test_anchors_that_agree_are_named_as_such(paths: Paths) -> None:
    found = verify(paths, anchors=[_anchor(paths, 3), _anchor(paths, 10)])

    assert [(one.anchor.seq, one.ok) for one in found.anchors] == [(3, True), (10, True)]
    assert found.problem is None


def test_an_anchor_behind_the_first_problem_counts_as_not_reached(paths: Paths) -> None:
    anchors = [_anchor(paths, 2), _anchor(paths, 8)]
    paths.audit_log.write_bytes(paths.audit_log.read_bytes().replace(b'"n":3', b'"n":4'))

    found = verify(paths, anchors=anchors)

    assert [one.ok for one in found.anchors] == [True, False]
    assert "record 5" in str(found.problem) or "record 6" in str(found.problem)


def test_a_line_without_end_does_not_fill_the_memory(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tbot_bot.reporting.audit_verify.LONGEST_LINE", 1000)
    with paths.audit_log.open("ab") as file:
        file.write(b"x" * 1001)

    assert "record 11 is longer than any record" in str(verify(paths).problem)


def test_kept_anchors_are_read_back_and_damaged_lines_passed_over(paths: Paths) -> None:
    for folder in (paths.control, paths.output, paths.backups):
        keep_anchor(folder, _anchor(paths, 4))
    with (paths.control / "audit_anchors.jsonl").open("ab") as file:
        file.write(b'{"seq":true,"hash":7}\n{"seq":-1,"hash":"' + b"0" * 64 + b'"}\n{"torn')

    assert [(anchor.where, anchor.seq) for anchor in known_anchors(paths)] == [("journal", 4)] * 3


@pytest.mark.parametrize("text", ["", "5", "5:", "x:" + "0" * 64, "²:" + "0" * 64, "5:" + "0" * 63, "-5:" + "0" * 64])
def test_a_mistyped_anchor_is_none(text: str) -> None:
    assert parse_anchor(text, "here") is None


def test_five_thousand_records_are_checked_in_far_less_than_five_seconds(paths: Paths) -> None:
    """100,000 in a few seconds; the bound is loose, for busy machines."""
    lines = _long_log(paths, 5000)

    began = time.monotonic()
    found = verify(paths, identity=str(IDENTITY))

    assert (found.problem, found.last) == (None, lines)
    assert time.monotonic() - began < 5


def _long_log(paths: Paths, more: int) -> int:
    """Records as the writer makes them, without its waiting for the disk."""
    head = chain.read_head(paths)
    assert head is not None
    with paths.audit_log.open("ab") as log:
        for _ in range(more):
            body = {"seq": head.seq + 1, "at": "2026-01-05T14:30:00+00:00", "event": "order", "actor": "bot"}
            row = chain.signed({**body, "detail": {}, "prev": head.line_hash}, head.next_key)
            log.write(chain.canonical(row) + b"\n")
            head = chain.following(head, chain.canonical(row))
    chain.write_head(paths, head)
    return head.seq
