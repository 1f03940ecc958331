"""Black–Scholes guard of option entries (Black & Scholes 1973), European options without dividends."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import erf, exp, log, sqrt

from tbot_bot.domain.settings import BsmSettings
from tbot_bot.domain.verdict import ALLOWED, Denied, Verdict

SESSIONS_A_YEAR = 252


@dataclass(frozen=True, slots=True)
class Option:
    """`spot` and `strike` in one currency, `years` to expiry, `rate` and `volatility` as fractions a year."""

    spot: float
    strike: float
    years: float
    rate: float
    volatility: float


def _normal(x: float) -> float:
    return 0.5 * (1 + erf(x / sqrt(2)))


def _d1(o: Option) -> float:
    """Raises ValueError when a price, the time or the volatility is not positive."""
    if min(o.spot, o.strike, o.years, o.volatility) <= 0:
        raise ValueError("spot, strike, years and volatility must be positive")
    return (log(o.spot / o.strike) + (o.rate + o.volatility**2 / 2) * o.years) / (o.volatility * sqrt(o.years))


def call(o: Option) -> float:
    """C = S·N(d1) − K·e^(−rT)·N(d2)."""
    d1 = _d1(o)
    d2 = d1 - o.volatility * sqrt(o.years)
    return o.spot * _normal(d1) - o.strike * exp(-o.rate * o.years) * _normal(d2)


def put(o: Option) -> float:
    """P = K·e^(−rT)·N(−d2) − S·N(−d1)."""
    d1 = _d1(o)
    d2 = d1 - o.volatility * sqrt(o.years)
    return o.strike * exp(-o.rate * o.years) * _normal(-d2) - o.spot * _normal(-d1)


def historical_volatility(closes: Sequence[float]) -> float | None:
    """Annualised sample σ of daily log returns; None with fewer than 20 of them."""
    moves = [log(after / before) for before, after in pairwise(closes)]
    if len(moves) < 20:
        return None
    mean = sum(moves) / len(moves)
    return sqrt(sum((m - mean) ** 2 for m in moves) / (len(moves) - 1) * SESSIONS_A_YEAR)


def judge(mid: float, model: float | None, settings: BsmSettings) -> Verdict:
    """Allowed when |mid/model − 1| ≤ MAX_BSM_DEVIATION; no model price = denied. All allowed while the guard is off."""
    if not settings.enable_bsm_filter:
        return ALLOWED
    if model is None or model <= 0:
        return Denied("black_scholes", "the option has no model price", "ENABLE_BSM_FILTER")
    away = abs(mid / model - 1)
    if away > float(settings.max_bsm_deviation):
        reason = f"the premium is {away:.1%} from its model price, more than {settings.max_bsm_deviation:.1%}"
        return Denied("black_scholes", reason, "MAX_BSM_DEVIATION")
    return ALLOWED
