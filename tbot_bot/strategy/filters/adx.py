"""Trend filter: a reversion is only bet on while ADX(14) says that there is no trend (Wilder 1978)."""

from tbot_bot.domain.verdict import ALLOWED, Denied, Verdict
from tbot_bot.strategy.indicators import Adx


def judge(adx: Adx, maximum: float) -> Verdict:
    """Allowed at or below ADX_MAX; denied while fewer than 28 bars are in."""
    if not adx.ready:
        return Denied("adx", f"ADX(14) needs 28 bars and has {adx.bars}", "ADX_MAX")
    if adx.adx > maximum:
        return Denied("adx", f"ADX {adx.adx:.1f} is above {maximum:g}", "ADX_MAX")
    return ALLOWED
