"""How much: the weight of the k-th entry, capped, then in the broker's units."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from tbot_bot.domain.money import CENT, round_down
from tbot_bot.domain.verdict import Denied
from tbot_bot.ports.broker import Capabilities
from tbot_bot.risk.limits import Limits


@dataclass(frozen=True, slots=True)
class Size:
    """Exactly one of `notional` (USD, rounded down to the cent) and `quantity` (shares); `value` is its USD at
    `price`."""

    value: Decimal
    notional: Decimal | None = None
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What is bought or sold short. `price`: USD that a share costs now. `leverage` divides the notional."""

    price: Decimal
    fractionable: bool
    leverage: Decimal = Decimal(1)
    short: bool = False


def budget(limits: Limits, weight_index: int, buying_power: Decimal, leverage: Decimal) -> Decimal:
    """USD for the `weight_index`-th entry (from 1) of a window: min(cap·weight, risk per trade, buying power) /
    leverage."""
    weight = limits.weights[weight_index - 1]
    return min(limits.session_cap * weight, limits.max_risk_per_trade, buying_power) / leverage


def size(
    limits: Limits,
    weight_index: int,
    buying_power: Decimal,
    vehicle: Vehicle,
    capabilities: Capabilities,
    fractional: bool,
) -> Size | Denied:
    """The order's size, rounded down; Denied when less than the broker's minimum is left."""
    if vehicle.price <= 0:
        return Denied("size", "the price is unknown")
    if weight_index > len(limits.weights):
        return Denied("size", f"WEIGHTS has no entry {weight_index}", "WEIGHTS")
    money = budget(limits, weight_index, buying_power, vehicle.leverage)
    least = capabilities.minimum_notional
    parts = fractional and vehicle.fractionable and capabilities.fractional and not vehicle.short
    if parts and capabilities.notional:
        notional = money.quantize(CENT, ROUND_DOWN)
        if notional < max(least, CENT):
            return Denied("size", f"{notional} USD is below the broker's minimum of {least} USD", "TOTAL_ALLOCATION")
        return Size(notional, notional=notional)
    step = capabilities.share_step if parts else Decimal(1)
    shares = round_down(money / vehicle.price, step)
    if shares <= 0 or shares * vehicle.price < least:
        reason = f"{money:.2f} USD buys less than {step.normalize():f} share at {vehicle.price:.2f}"
        return Denied("size", reason, "FRACTIONAL" if not parts else "TOTAL_ALLOCATION")
    return Size(shares * vehicle.price, quantity=shares)
