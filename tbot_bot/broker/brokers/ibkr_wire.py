"""The client library's objects to our values, and our orders to its. DataInvalid where guessing could cost money."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.market import Asset, Bar, DailyBar, Quote, Symbol
from tbot_bot.domain.money import ZERO, parse_decimal
from tbot_bot.domain.orders import (
    ClientOrderId,
    Execution,
    OrderIntent,
    OrderReport,
    OrderStatus,
    OrderType,
    Side,
)
from tbot_bot.domain.portfolio import Account, Position

TARGET, STOP = "-tp", "-sl"
"""The closing orders of a bracket are known by their entry's id and this."""
_TYPES = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP: "STP",
    OrderType.STOP_LIMIT: "STP LMT",
    OrderType.TRAILING_STOP: "TRAIL",
}
_KINDS = {name: kind for kind, name in _TYPES.items()}
_WORKING = frozenset({"ApiPending", "PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel"})
_STATUS: Mapping[str, OrderStatus] = {
    **dict.fromkeys(_WORKING, OrderStatus.ACCEPTED),
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "ApiCancelled": OrderStatus.CANCELLED,
    "Inactive": OrderStatus.REJECTED,
}
UNANSWERED = frozenset({"", "ApiPending", "PendingSubmit"})
ENDED = frozenset({"Cancelled", "ApiCancelled", "Inactive"})
_UNSET = 1e300


def to_symbol(name: str) -> Symbol:
    """IB writes share classes with a space, we with a dot."""
    return Symbol(name.replace(" ", "."))


def from_symbol(symbol: Symbol) -> str:
    return symbol.replace(".", " ")


# orders


def orders_of(library: Any, intent: OrderIntent, account: str, numbers: Iterable[int]) -> list[Any]:
    """The order, and the closing ones of a bracket; only the last one is transmitted, and all others with it."""
    number = iter(numbers)
    head = library.Order(
        orderId=next(number),
        action=_action(intent.side),
        totalQuantity=float(intent.quantity or ZERO),
        orderType=_TYPES[intent.type],
        tif=intent.time_in_force.value.upper(),
        orderRef=intent.client_id,
        outsideRth=intent.extended_hours,
        account=account,
        **_prices(intent),
    )
    back = _action(Side.SELL if intent.side is Side.BUY else Side.BUY)
    exits = [
        library.Order(
            orderId=next(number),
            parentId=head.orderId,
            action=back,
            totalQuantity=head.totalQuantity,
            orderType=kind,
            tif=head.tif,
            orderRef=f"{intent.client_id}{suffix}",
            account=account,
            **{field: float(price)},
        )
        for kind, field, price, suffix in (
            ("LMT", "lmtPrice", intent.take_profit_price, TARGET),
            ("STP", "auxPrice", intent.stop_loss_price, STOP),
        )
        if price is not None
    ]
    family = [head, *exits]
    for order in family:
        order.transmit = order is family[-1]
    return family


def _prices(intent: OrderIntent) -> dict[str, float]:
    """Only what the type has: the library's own mark for "unset" must stay elsewhere."""
    pairs = {
        "lmtPrice": intent.limit_price,
        "auxPrice": intent.stop_price,
        "trailingPercent": intent.trail_percent,
    }
    return {name: float(price) for name, price in pairs.items() if price is not None}


def _action(side: Side) -> str:
    return "BUY" if side is Side.BUY else "SELL"


def parse_trade(trade: Any, fills: Iterable[Any], at: datetime, reason: str = "") -> OrderReport:
    """`fills`: those of this order; of completed orders they alone tell the price. Raises DataInvalid."""
    order, status = trade.order, trade.orderStatus
    mine = list(fills)
    filled = max(_number(status.filled), _number(getattr(order, "filledQuantity", None)), _sum(mine))
    average = _average(mine) or _number(status.avgFillPrice)
    word = _STATUS.get(status.status, OrderStatus.UNKNOWN)
    if word is OrderStatus.ACCEPTED and filled > 0:
        word = OrderStatus.PARTIALLY_FILLED
    if order.action not in ("BUY", "SELL", "SSHORT"):
        raise DataInvalid(f"{order.action!r} is not a side")
    if filled > 0 and not average:
        raise DataInvalid(f"order {order.permId} is filled without a price")
    kind = _KINDS.get(order.orderType, OrderType.MARKET)
    return OrderReport(
        client_id=ClientOrderId(order.orderRef or f"ibkr-{order.permId}"),
        broker_id=str(order.permId or order.orderId),
        symbol=to_symbol(trade.contract.symbol),
        side=Side.BUY if order.action == "BUY" else Side.SELL,
        status=word,
        filled_quantity=filled,
        average_price=average if filled > 0 else None,
        at=at,
        quantity=_number(order.totalQuantity),
        type=kind,
        reason=reason,
        limit_price=_price(order.lmtPrice) if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
        stop_price=_price(order.auxPrice) if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
    )


def parse_fill(fill: Any) -> Execution:
    """`execution_id` leaves the revision out: a corrected execution (its last part counts up) is the same one."""
    told = fill.execution
    if not told.execId or told.side not in ("BOT", "SLD") or told.shares <= 0 or told.price <= 0:
        raise DataInvalid("an execution has no id, side, shares or price")
    return Execution(
        execution_id=str(told.execId).rpartition(".")[0] or str(told.execId),
        broker_order_id=str(told.permId or told.orderId),
        client_id=ClientOrderId(told.orderRef) if told.orderRef else None,
        symbol=to_symbol(fill.contract.symbol),
        side=Side.BUY if told.side == "BOT" else Side.SELL,
        quantity=_number(told.shares),
        price=_number(told.price),
        at=told.time.astimezone(UTC),
        fee=_number(fill.commissionReport.commission) if fill.commissionReport.execId else ZERO,
    )


def _sum(fills: list[Any]) -> Decimal:
    return sum((_number(fill.execution.shares) for fill in fills), ZERO)


def _average(fills: list[Any]) -> Decimal | None:
    shares = _sum(fills)
    paid = sum((_number(f.execution.shares) * _number(f.execution.price) for f in fills), ZERO)
    return paid / shares if shares else None


# account


def parse_account(values: Iterable[Any], account: str) -> Account:
    """Raises DataInvalid when equity, cash or buying power is missing: unknown money is no money."""
    found = {value.tag: parse_decimal(value.value) for value in values if value.account == account}
    equity, cash, power = (found.get(name) for name in ("NetLiquidation", "TotalCashValue", "BuyingPower"))
    if equity is None or cash is None or power is None:
        raise DataInvalid("the gateway tells no NetLiquidation, TotalCashValue or BuyingPower")
    last = found.get("PreviousDayEquityWithLoanValue")
    return Account(account, equity, cash, power, last if last is not None else equity)


def parse_position(raw: Any) -> Position | None:
    """None for what is closed, or no stock."""
    quantity = _number(raw.position)
    if raw.contract.secType != "STK" or not quantity:
        return None
    return Position(to_symbol(raw.contract.symbol), quantity, _number(raw.avgCost))


# market


def parse_ticker(symbol: Symbol, ticker: Any, at: datetime) -> Quote | None:
    """None while nothing is known; delayed prices are no prices to trade on."""
    bid, ask, last = (_price(value) for value in (ticker.bid, ticker.ask, ticker.last))
    if getattr(ticker, "marketDataType", 1) not in (1, 2) or (last is None and (bid is None or ask is None)):
        return None
    return Quote(symbol, at, bid or ZERO, ask or ZERO, last, halted=_number(ticker.halted) > 0)


def parse_details(details: Any, ticker: Any | None) -> Asset:
    shares = _number(ticker.shortableShares) if ticker is not None else ZERO
    return Asset(
        symbol=to_symbol(details.contract.symbol),
        name=str(details.longName),
        exchange=str(details.contract.primaryExchange),
        tradable=True,
        fractionable=False,
        shortable=shares > 0,
        easy_to_borrow=shares >= 1000,
    )


def parse_bar(symbol: Symbol, raw: Any) -> Bar | None:
    """None for a bar without a trade."""
    prices = [_price(value) for value in (raw.open, raw.high, raw.low, raw.close)]
    if raw.volume <= 0 or any(price is None for price in prices):
        return None
    opened, high, low, close = (price for price in prices if price is not None)
    return Bar(symbol, raw.date.astimezone(UTC), opened, high, low, close, int(raw.volume))


def parse_daily_bar(symbol: Symbol, raw: Any) -> DailyBar | None:
    prices = [_price(value) for value in (raw.open, raw.high, raw.low, raw.close)]
    if any(price is None for price in prices):
        return None
    opened, high, low, close = (price for price in prices if price is not None)
    day = raw.date if type(raw.date) is date else raw.date.date()
    return DailyBar(symbol, day, opened, high, low, close, int(raw.volume))


def _number(value: Any) -> Decimal:
    """Zero for what the library marks as unset."""
    number = parse_decimal(value)
    return ZERO if number is None or abs(number) > _UNSET else number


def _price(value: Any) -> Decimal | None:
    """None for unset, not-a-number, and the -1 that stands for no price."""
    if value is None or (isinstance(value, float) and (math.isnan(value) or value > _UNSET)):
        return None
    number = parse_decimal(value)
    return number if number is not None and number > 0 else None
