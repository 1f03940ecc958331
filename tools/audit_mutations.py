"""Every way we could think of to tamper with an audit log, each as a function from the true files to forged ones."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import pyrage

from tbot_bot.reporting import audit_chain as chain

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Files:
    """What lies in storage/audit; None = the file is gone."""

    log: bytes
    head: bytes | None
    sealed: bytes | None


@dataclass(frozen=True, slots=True)
class Material:
    """The true log, each state it went through, another log of the same kind, and what a thief can find on the disk."""

    true: Files
    states: Sequence[Files] = field(repr=False)
    other: Files
    recipient: pyrage.x25519.Recipient

    @property
    def lines(self) -> list[bytes]:
        return self.true.log.splitlines()

    @property
    def present_key(self) -> bytes:
        return key_in(self.true)


class Wields(Enum):
    """What the forger has, and so where he must be noticed. Anchors are out of everyone's reach."""

    LOG = "can write the log alone: noticed at either level without anchors"
    KEY = "has the present key and all files: noticed with the first key, or with anchors"
    PAST = "has earlier keys too, or makes his own: noticed against anchors"
    SEAL = "can write the sealed first key: noticed by whoever opens it"


Mutation = Callable[[Material, random.Random], Files]


def key_in(files: Files) -> bytes:
    assert files.head is not None
    return bytes.fromhex(json.loads(files.head)["next_key"])


# who can write the log alone


def bit_flipped(m: Material, dice: random.Random) -> Files:
    return replace(m.true, log=_flipped(m.true.log, dice))


def byte_replaced(m: Material, dice: random.Random) -> Files:
    data = bytearray(m.true.log)
    data[dice.randrange(len(data))] = dice.randrange(256)
    return replace(m.true, log=bytes(data))


def bytes_inserted(m: Material, dice: random.Random) -> Files:
    place = dice.randrange(len(m.true.log) + 1)
    extra = dice.choice((b" ", b"\n", b"\0", b"}", dice.randbytes(dice.randint(1, 9))))
    return replace(m.true, log=m.true.log[:place] + extra + m.true.log[place:])


def bytes_removed(m: Material, dice: random.Random) -> Files:
    place = dice.randrange(len(m.true.log))
    return replace(m.true, log=m.true.log[:place] + m.true.log[place + dice.randint(1, 400) :])


def truncated(m: Material, dice: random.Random) -> Files:
    return replace(m.true, log=m.true.log[: dice.randrange(len(m.true.log))])


def field_edited(m: Material, dice: random.Random) -> Files:
    """The signature is kept, the hashes that follow are not."""
    rows = _rows(m.true)
    _edit(dice.choice(rows), dice)
    return replace(m.true, log=_joined([chain.canonical(row) for row in rows]))


def field_edited_and_rechained(m: Material, dice: random.Random) -> Files:
    rows = _rows(m.true)
    _edit(dice.choice(rows), dice)
    return replace(m.true, log=_joined(_chained(rows, len(rows) + 1, b"")))


def written_differently(m: Material, dice: random.Random) -> Files:
    """The same JSON value in other bytes."""
    lines = m.lines
    place = dice.randrange(len(lines))
    row = json.loads(lines[place])
    lines[place] = dice.choice(
        (
            json.dumps(row, sort_keys=True).encode(),
            json.dumps(dict(reversed(row.items())), separators=(",", ":")).encode(),
            lines[place] + b" ",
            lines[place].replace(b'"seq":', b'"seq":0,"seq":', 1),
        )
    )
    return replace(m.true, log=_joined(lines))


def lines_removed(m: Material, dice: random.Random) -> Files:
    lines = m.lines
    place = dice.randrange(len(lines))
    return replace(m.true, log=_joined(lines[:place] + lines[place + dice.randint(1, 3) :]))


def line_doubled(m: Material, dice: random.Random) -> Files:
    lines = m.lines
    lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines))
    return replace(m.true, log=_joined(lines))


def lines_reordered(m: Material, dice: random.Random) -> Files:
    lines = m.lines
    one, two = dice.sample(range(len(lines)), 2)
    lines[one], lines[two] = lines[two], lines[one]
    return replace(m.true, log=_joined(lines))


def spliced(m: Material, dice: random.Random) -> Files:
    """Our beginning, another log's end."""
    lines, others = m.lines, m.other.log.splitlines()
    place = dice.randrange(len(lines))
    return replace(m.true, log=_joined(lines[:place] + others[place:]))


def record_forged_behind_the_end(m: Material, dice: random.Random) -> Files:
    """Without the key."""
    row = _new_row(dice)
    body = {**row, "seq": len(m.lines) + 1, "prev": chain.hash_of(m.lines[-1])}
    return replace(m.true, log=m.true.log + chain.canonical(chain.signed(body, dice.randbytes(32))) + b"\n")


def rubbish_behind_the_end(m: Material, dice: random.Random) -> Files:
    return replace(m.true, log=m.true.log + dice.randbytes(dice.randint(1, 300)) + dice.choice((b"", b"\n")))


def head_damaged(m: Material, dice: random.Random) -> Files:
    assert m.true.head is not None
    return replace(m.true, head=dice.choice((_flipped(m.true.head, dice), None, b"", b"{}\n")))


def head_of_another_moment(m: Material, dice: random.Random) -> Files:
    """Only its number, hash, size or key: a whole true head of an earlier moment is what a crash leaves."""
    assert m.true.head is not None
    row, earlier = json.loads(m.true.head), json.loads(dice.choice(m.states[1:-1]).head or b"")
    name = dice.choice(sorted(row))
    return replace(m.true, head=chain.canonical({**row, name: earlier[name]}) + b"\n")


# who has the present key and every file


def past_rewritten(m: Material, dice: random.Random) -> Files:
    rows = _rows(m.true)
    place = dice.randrange(len(rows))
    _edit(rows[place], dice)
    return _resealed(m, rows, place + 1, _some_key(m, dice))


def record_taken_out(m: Material, dice: random.Random) -> Files:
    rows = _rows(m.true)
    place = dice.randrange(len(rows))
    del rows[place]
    return _resealed(m, rows, place + 1, _some_key(m, dice))


def record_put_in(m: Material, dice: random.Random) -> Files:
    rows = _rows(m.true)
    place = dice.randrange(len(rows))
    rows.insert(place, _new_row(dice))
    return _resealed(m, rows, place + 1, _some_key(m, dice))


def records_exchanged(m: Material, dice: random.Random) -> Files:
    rows = _rows(m.true)
    one, two = sorted(dice.sample(range(len(rows)), 2))
    rows[one], rows[two] = rows[two], rows[one]
    return _resealed(m, rows, one + 1, _some_key(m, dice))


def times_moved(m: Material, dice: random.Random) -> Files:
    rows = _rows(m.true)
    place = dice.randrange(len(rows))
    for row in rows[place:]:
        row["at"] = str(row["at"]).replace("T14:", f"T{dice.randint(15, 23)}:")
    return _resealed(m, rows, place + 1, m.present_key)


def signatures_kept_and_rechained(m: Material, dice: random.Random) -> Files:
    """The head is made to fit."""
    rows = _rows(m.true)
    _edit(dice.choice(rows), dice)
    return _resealed(m, rows, len(rows) + 1, m.present_key)


def tail_cut_with_the_head(m: Material, dice: random.Random) -> Files:
    rows = _rows(m.true)[: dice.randrange(len(m.lines))]
    return _resealed(m, rows, len(rows) + 1, _some_key(m, dice))


def end_of_another_log(m: Material, dice: random.Random) -> Files:
    """With that log's head."""
    files = spliced(m, dice)
    return replace(files, head=m.other.head)


# who has earlier keys, or makes his own


def put_back(m: Material, dice: random.Random) -> Files:
    """To a whole true state of before."""
    return replace(dice.choice(m.states[:-1]), sealed=m.true.sealed)


def put_back_and_gone_on(m: Material, dice: random.Random) -> Files:
    """From a true state of before, with its key: another history, perfectly signed."""
    before = dice.choice(m.states[:-1])
    rows = [*_rows(before), *(_new_row(dice) for _ in range(dice.randint(1, len(m.lines))))]
    forged = _resealed(m, rows, len(_rows(before)) + 1, key_in(before))
    return replace(forged, sealed=m.true.sealed)


def begun_anew(m: Material, dice: random.Random) -> Files:
    """Every record forged from the first on, with a first key of the thief's own, sealed as ours was."""
    key = dice.randbytes(32)
    rows = [_new_row(dice) for _ in m.lines]
    forged = _resealed(m, rows, 1, key)
    return replace(forged, sealed=pyrage.encrypt(key.hex().encode(), [m.recipient]))


# who can write the sealed first key


def sealed_key_damaged(m: Material, dice: random.Random) -> Files:
    assert m.true.sealed is not None
    flipped = _flipped(m.true.sealed, dice)
    return replace(m.true, sealed=dice.choice((flipped, m.true.sealed[: dice.randrange(len(m.true.sealed))], None)))


def sealed_key_replaced(m: Material, dice: random.Random) -> Files:
    return replace(m.true, sealed=pyrage.encrypt(dice.randbytes(32).hex().encode(), [m.recipient]))


MUTATIONS: Mapping[Wields, tuple[Mutation, ...]] = {
    Wields.LOG: (
        bit_flipped,
        byte_replaced,
        bytes_inserted,
        bytes_removed,
        truncated,
        field_edited,
        field_edited_and_rechained,
        written_differently,
        lines_removed,
        line_doubled,
        lines_reordered,
        spliced,
        record_forged_behind_the_end,
        rubbish_behind_the_end,
        head_damaged,
        head_of_another_moment,
    ),
    Wields.KEY: (
        past_rewritten,
        record_taken_out,
        record_put_in,
        records_exchanged,
        times_moved,
        signatures_kept_and_rechained,
        tail_cut_with_the_head,
        end_of_another_log,
    ),
    Wields.PAST: (put_back, put_back_and_gone_on, begun_anew),
    Wields.SEAL: (sealed_key_damaged, sealed_key_replaced),
}


def every_cut(m: Material) -> Iterator[Files]:
    """The log cut at every line and in the middle of each, alone and together with the head."""
    place = 0
    for number, line in enumerate(m.lines):
        yield replace(m.true, log=m.true.log[:place])
        yield replace(m.true, log=m.true.log[: place + len(line) // 2])
        yield replace(m.true, log=m.true.log[: place + len(line)])
        yield _resealed(m, _rows(m.true)[:number], number + 1, m.present_key)
        place += len(line) + 1


def _rows(files: Files) -> list[Row]:
    return [json.loads(line) for line in files.log.splitlines()]


def _edit(row: Row, dice: random.Random) -> None:
    name = dice.choice(("seq", "at", "event", "actor", "detail", "extra"))
    changes: Mapping[str, Any] = {
        "seq": row["seq"] + dice.choice((-1, 1)),
        "at": f"2026-01-{dice.randint(6, 28):02}T10:00:00+00:00",
        "event": "logout" if row["event"] != "logout" else "login",
        "actor": "eve",
        "detail": {**row["detail"], "ip": f"198.51.100.{dice.randrange(256)}"},
        "extra": dice.randrange(10**6),
    }
    row[name] = changes[name]


def _new_row(dice: random.Random) -> Row:
    return {"at": "2026-01-05T14:30:00+00:00", "event": "login", "actor": "eve", "detail": {"n": dice.randrange(10**9)}}


def _chained(rows: Sequence[Row], first: int, key: bytes) -> list[bytes]:
    """Lines with true hashes throughout, and from record `first` on numbered and signed with `key` and its heirs."""
    previous, lines = chain.GENESIS, []
    for number, row in enumerate(rows, start=1):
        row = {**row, "prev": previous}
        if number >= first:
            row.pop("mac", None)
            row.pop("next", None)
            row = chain.signed({**row, "seq": number}, key)
            key = chain.next_key(key)
        lines.append(chain.canonical(row))
        previous = chain.hash_of(lines[-1])
    return lines


def _resealed(m: Material, rows: Sequence[Row], first: int, key: bytes) -> Files:
    """The log of `rows`, and the head that goes with it."""
    lines = _chained(rows, first, key)
    for _ in range(len(rows) - first + 1):
        key = chain.next_key(key)
    data = _joined(lines)
    last = chain.hash_of(lines[-1]) if lines else chain.GENESIS
    facts = {"seq": len(lines), "line_hash": last, "next_key": key.hex(), "bytes": len(data)}
    return replace(m.true, log=data, head=chain.canonical(facts) + b"\n")


def _some_key(m: Material, dice: random.Random) -> bytes:
    """What a thief would sign with: the present key most of the time."""
    return dice.choice((m.present_key, m.present_key, chain.next_key(m.present_key), dice.randbytes(32)))


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _flipped(data: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << dice.randrange(8))]) + data[place + 1 :]
