"""Symbols that must never be traded, one a line; what follows # is a comment."""

import re
from dataclasses import dataclass
from pathlib import Path

from tbot_bot.domain.errors import UniverseUnusable
from tbot_bot.domain.market import Symbol

_SYMBOL = re.compile(r"[A-Z]{1,6}([./-][A-Z]{1,3})?")
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Blocklist:
    """`faults` are lines that are no symbol, in words; the symbols of the other lines are blocked all the same."""

    symbols: frozenset[Symbol] = frozenset()
    faults: tuple[str, ...] = ()


def read_blocklist(path: Path) -> Blocklist:
    """An absent file blocks nothing. Raises UniverseUnusable when it is there and cannot be read."""
    try:
        data = path.read_bytes()
        text = data.decode()
    except FileNotFoundError:
        return Blocklist()
    except (OSError, UnicodeDecodeError) as error:
        raise UniverseUnusable(f"the blocklist {path.name} cannot be read: {error}") from error
    if len(data) > _MAX_BYTES:
        raise UniverseUnusable(f"the blocklist {path.name} is larger than {_MAX_BYTES} bytes")
    return parse_blocklist(text)


def parse_blocklist(text: str) -> Blocklist:
    symbols, faults = set(), []
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip().upper()
        if not word:
            continue
        if _SYMBOL.fullmatch(word):
            symbols.add(Symbol(word))
        else:
            faults.append(f"line {number}: {word[:40]!r} is not a symbol")
    return Blocklist(frozenset(symbols), tuple(faults))
