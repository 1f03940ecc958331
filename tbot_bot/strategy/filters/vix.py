"""Volatility filter: CLOSE trades only in a nervous market."""

from datetime import date
from decimal import Decimal

from tbot_bot.domain.market import VixReading
from tbot_bot.domain.verdict import ALLOWED, Denied, Verdict


def judge(reading: VixReading | None, threshold: Decimal, previous_session: date | None) -> Verdict:
    """Allowed when VIX ≥ threshold; unknown, or older than the previous session = denied."""
    setting = "STRAT_CLOSE_VIX_THRESHOLD"
    if reading is None or previous_session is None:
        return Denied("vix", "VIX is unknown", setting)
    if reading.session < previous_session:
        return Denied("vix", f"VIX of {reading.session} is older than one session", setting)
    if reading.value < threshold:
        return Denied("vix", f"VIX {reading.value} is below {threshold}", setting)
    return ALLOWED
