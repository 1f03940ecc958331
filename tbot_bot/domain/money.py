"""Exact money: USD as Decimal, prices as Decimal outside and integer ticks inside the strategy kernels."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, InvalidOperation

TICKS_PER_DOLLAR = 10_000
CENT = Decimal("0.01")
ZERO = Decimal(0)


def parse_decimal(text: object) -> Decimal | None:
    """A finite Decimal from a number or its text; None for anything else (NaN and infinities included).

    Floats pass through `repr`, so that 0.1 means the 0.1 that was written."""
    if isinstance(text, bool) or text is None:
        return None
    try:
        value = Decimal(repr(text) if isinstance(text, float) else str(text))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def to_ticks(price: Decimal) -> int:
    """Price in 1/10000 USD, rounded half to even: the finest step US equities quote in."""
    return int((price * TICKS_PER_DOLLAR).to_integral_value(ROUND_HALF_EVEN))


def from_ticks(ticks: float) -> Decimal:
    """The price of `ticks` (1/10000 USD); a fraction of a tick is rounded half to even."""
    return (Decimal(ticks).to_integral_value(ROUND_HALF_EVEN) / TICKS_PER_DOLLAR).normalize()


def round_price(price: Decimal) -> Decimal:
    """Price in the step US brokers accept: 2 decimals from $1, else 4 (Reg NMS rule 612), half to even."""
    step = CENT if abs(price) >= 1 else Decimal("0.0001")
    return price.quantize(step, ROUND_HALF_EVEN)


def round_down(quantity: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` not above `quantity`; both positive, in shares or USD."""
    return (quantity / step).to_integral_value(ROUND_DOWN) * step


def cents(amount: Decimal) -> Decimal:
    """USD rounded half to even to the cent."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)
