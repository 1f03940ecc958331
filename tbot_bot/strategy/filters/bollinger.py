"""Stretch filter: the close must lie outside Bollinger(20, 2σ population) on the signal's side (Bollinger 2001)."""

from tbot_bot.domain.verdict import ALLOWED, Denied, Verdict
from tbot_bot.strategy.indicators import BOLLINGER_PERIOD, Bollinger, bollinger_side


def judge(bands: Bollinger, close: int, side: int) -> Verdict:
    """`side` +1 (long) needs a close below the lower band, −1 (bearish) above the upper; at the band is not outside."""
    if bands.closes < BOLLINGER_PERIOD:
        return Denied("bollinger", f"Bollinger bands need {BOLLINGER_PERIOD} bars and have {bands.closes}")
    if bollinger_side(bands, close) != -side:
        return Denied("bollinger", f"the close is not {'below' if side > 0 else 'above'} its Bollinger band")
    return ALLOWED
