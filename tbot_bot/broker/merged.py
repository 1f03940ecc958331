"""What two brokers come to when they are taken for one."""

from dataclasses import replace
from decimal import Decimal

from tbot_bot.domain.portfolio import Position
from tbot_bot.ports.broker import Capabilities

_YES = (
    *("fractional", "notional", "short", "puts", "bracket", "trailing", "resting_stop_fractional"),
    *("extended_hours", "replaces_in_place", "halts", "pushes", "listing"),
)
"""What a broker can or cannot do."""


def common(one: Capabilities, two: Capabilities) -> Capabilities:
    """What both can do, at the harder of both limits."""
    watched = [n for n in (one.bar_symbols, two.bar_symbols) if n is not None]
    return replace(
        one,
        **{name: getattr(one, name) and getattr(two, name) for name in _YES},
        minimum_notional=max(one.minimum_notional, two.minimum_notional),
        share_step=max(one.share_step, two.share_step),
        minimum_quantity=max(one.minimum_quantity, two.minimum_quantity),
        bar_symbols=min(watched) if watched else None,
        price_steps=_steps(one, two),
    )


def _steps(one: Capabilities, two: Capabilities) -> tuple[tuple[Decimal, Decimal], ...]:
    least = sorted({price for price, _ in (*one.price_steps, *two.price_steps)}, reverse=True)
    return tuple((price, max(one.price_step(price), two.price_step(price))) for price in least)


def added(first: tuple[Position, ...], second: tuple[Position, ...]) -> tuple[Position, ...]:
    """By symbol; the average price is weighted by the shares."""
    found = {position.symbol: position for position in first}
    for each in second:
        known = found.get(each.symbol)
        if known is None:
            found[each.symbol] = each
            continue
        quantity = known.quantity + each.quantity
        shares = abs(known.quantity) + abs(each.quantity)
        average = (abs(known.quantity) * known.average_price + abs(each.quantity) * each.average_price) / shares
        found[each.symbol] = Position(each.symbol, quantity, average, each.price or known.price)
    return tuple(position for position in found.values() if position.quantity)
