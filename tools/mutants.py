"""Changing a few bytes of something valid, in the ways in which files get damaged and attackers try their luck."""

import random
from collections.abc import Callable, Sequence

Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]

_EDGES = (b"\n", b" ", b"=", b"==", b"\0", b"\r\n", b"\t", b"A", b"}", b"\xef\xbb\xbf")


def flipped_bit(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    place = dice.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << dice.randrange(8))]) + data[place + 1 :]


def other_bytes(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    place = dice.randrange(len(data))
    fresh = dice.randbytes(dice.randint(1, 8))
    return data[:place] + fresh + data[place + len(fresh) :]


def truncated(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    return data[: dice.randrange(len(data))]


def extended(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    return data + dice.choice((*_EDGES, dice.randbytes(dice.randint(1, 64))))


def prefixed(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    return dice.choice(_EDGES) + data


def inserted(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    place = dice.randrange(len(data))
    return data[:place] + dice.choice((*_EDGES, dice.randbytes(1))) + data[place:]


def cut_out(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    start = dice.randrange(len(data))
    return data[:start] + data[start + dice.randint(1, 16) :]


def doubled(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    start = dice.randrange(len(data))
    return data[:start] + data[start : start + 16] * 2 + data[start + 16 :]


def exchanged(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    a, b = sorted(dice.randrange(len(data)) for _ in range(2))
    changed = bytearray(data)
    changed[a], changed[b] = changed[b], changed[a]
    return bytes(changed)


def spliced(data: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    """The beginning of one and the end of another."""
    other = dice.choice(others)
    place = dice.randrange(min(len(data), len(other)))
    return data[:place] + other[place:]


def other_case(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    letters = [place for place, byte in enumerate(data) if chr(byte).isalpha() and byte < 128]
    place = dice.choice(letters or [0])
    return data[:place] + data[place : place + 1].swapcase() + data[place + 1 :]


def zeroed(data: bytes, dice: random.Random, _: Sequence[bytes]) -> bytes:
    """A block that a power cut left empty."""
    start = dice.randrange(len(data))
    return data[:start] + bytes(len(data) - start)


MUTATIONS: tuple[Mutation, ...] = (
    *(flipped_bit, flipped_bit, flipped_bit, other_bytes, truncated, extended, prefixed, inserted, cut_out, doubled),
    *(exchanged, spliced, other_case, zeroed),
)


def mutant(originals: Sequence[bytes], dice: random.Random) -> tuple[str, bytes]:
    """The mutation's name and a text that differs from all `originals`."""
    while True:
        how = dice.choice(MUTATIONS)
        made = how(dice.choice(originals), dice, originals)
        if made not in originals:
            return how.__name__, made
