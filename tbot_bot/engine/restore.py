"""The trades of before a restart, from the journal."""

from datetime import datetime
from decimal import Decimal

from tbot_bot.domain.orders import OrderStatus, Purpose, Side
from tbot_bot.engine.book import LiveOrder
from tbot_bot.engine.commands import Inquire
from tbot_bot.engine.context import RestoredOrder
from tbot_bot.engine.day import Day
from tbot_bot.engine.entries import Entries
from tbot_bot.engine.trades import Adopted, Trade


def restore(day: Day, entries: Entries, restored: tuple[RestoredOrder, ...], now: datetime) -> None:
    """Rebuild book, trades and used weights. Every order that may still live is asked for; one of which no word
    was ever written is `unknown` until the broker answers."""
    for item in restored:
        order = day.book.add(item.intent, now)
        if item.report is not None:
            order.merge(item.report)
        else:
            order.status = OrderStatus.UNKNOWN
        if not order.final:
            day.emit(Inquire(order.client_id))
        if item.intent.purpose is Purpose.ENTRY:
            entries.restore(order)
            side = 1 if item.intent.side is Side.BUY else -1
            day.trades.append(Trade(order, item.intent.symbol, side, item.intent.created_at))
        else:
            _attach(day, order)
    for trade in day.trades:
        trade.realised_before = trade.realised()
        trade.closed = trade.settled and trade.held <= 0 and not trade.live_exits()


def _attach(day: Day, order: LiveOrder) -> None:
    """An exit belongs to its trade; without an entry it closed shares adopted from the broker."""
    intent = order.intent
    trade = next((t for t in day.trades if t.trade_id == intent.trade_id), None)
    if trade is None:
        side = 1 if intent.side is Side.SELL else -1
        quantity = (intent.quantity or Decimal(0)) * side
        origin = Adopted(intent.symbol, intent.strategy, intent.trade_id, quantity)
        trade = Trade(origin, intent.symbol, side, intent.created_at)
        day.trades.append(trade)
    trade.exits.append(order)
    if intent.purpose is Purpose.EXIT:
        trade.exit_why = trade.exit_why or intent.reason
        trade.attempts += 1
