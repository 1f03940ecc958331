"""Symbols that must not be traded, whatever the signal."""

from collections.abc import Set as AbstractSet

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.verdict import ALLOWED, Denied, Verdict


def judge(symbols: tuple[Symbol, ...], blocked: AbstractSet[Symbol]) -> Verdict:
    """Denies when any of the symbols (signal and traded) is on the list."""
    for symbol in symbols:
        if symbol in blocked:
            return Denied("blocklist", f"{symbol} is on the blocklist")
    return ALLOWED
