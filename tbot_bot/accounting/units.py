"""The ledger's exact integers: money in micro-dollars, shares and prices in billionths.

A fill's value is quantity × price in whole integers, rounded once, half to even, to the micro-dollar (a ten-
thousandth of a cent); every posting of the entry derives from that one figure, so rounding never unbalances an
entry. SQLite's 64-bit integers hold 9.2 trillion dollars of it."""

from decimal import ROUND_HALF_EVEN, Decimal

_MICRO_PLACES = 6
_NANO_PLACES = 9
_NANO_SQUARED_PER_MICRO = 10**12


def divide(numerator: int, denominator: int) -> int:
    """`numerator / denominator`, rounded half to even; the denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    up = twice > denominator or (twice == denominator and quotient % 2 == 1)
    return quotient + 1 if up else quotient


def to_micros(amount: Decimal) -> int:
    """USD → micro-dollars, half to even."""
    return int(amount.scaleb(_MICRO_PLACES).to_integral_value(ROUND_HALF_EVEN))


def from_micros(micros: int) -> Decimal:
    return _plain(Decimal(micros).scaleb(-_MICRO_PLACES))


def to_nanos(value: Decimal) -> int:
    """Shares, or a price in USD → billionths, half to even."""
    return int(value.scaleb(_NANO_PLACES).to_integral_value(ROUND_HALF_EVEN))


def from_nanos(nanos: int) -> Decimal:
    return _plain(Decimal(nanos).scaleb(-_NANO_PLACES))


def value_micros(quantity_nanos: int, price_nanos: int) -> int:
    """Quantity × price in micro-dollars, half to even."""
    return divide(quantity_nanos * price_nanos, _NANO_SQUARED_PER_MICRO)


def _plain(value: Decimal) -> Decimal:
    """Without trailing zeros, and never in exponent form: these are written into reports."""
    short = value.normalize()
    return short if int(short.as_tuple().exponent) <= 0 else short.quantize(Decimal(1))
