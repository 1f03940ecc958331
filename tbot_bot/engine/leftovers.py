"""The broker's positions against ours: what it shows beyond our books is closed, what it lacks is written off.

A difference counts only when two answers in a row, at least 3 real seconds apart, show the same while no order of that
symbol is live: a position and a fill report travel on different roads.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.money import ZERO
from tbot_bot.domain.orders import Purpose
from tbot_bot.domain.session import StrategyName
from tbot_bot.engine.day import Day, Mode
from tbot_bot.engine.exits import Exits, closing
from tbot_bot.engine.trades import Adopted, Trade

CONFIRM_S = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """Theirs − ours in signed shares, first seen at `since`."""

    quantity: Decimal
    since: datetime


class Leftovers:
    def __init__(self, day: Day, exits: Exits) -> None:
        self._day = day
        self._exits = exits
        self._seen: dict[Symbol, Difference] = {}

    def compare(self) -> None:
        """After a successful answer about positions, while the engine only closes."""
        day = self._day
        if day.positions is None or not closing(day):
            self._seen.clear()
            return
        seen: dict[Symbol, Difference] = {}
        ours = {trade.symbol for trade in day.open_trades()}
        for symbol in sorted(ours | set(day.positions)):
            away = self._away(symbol)
            if away == 0 or day.book.live(symbol) or not self._is_mine_to_close(symbol):
                continue
            known = self._seen.get(symbol)
            found = known if known is not None and known.quantity == away else Difference(away, day.now)
            stranger = symbol not in day.book.symbols()
            if stranger or day.now - found.since >= day.real(CONFIRM_S):
                self._settle(symbol, away)
            else:
                seen[symbol] = found
        self._seen = seen

    def _away(self, symbol: Symbol) -> Decimal:
        day = self._day
        position = (day.positions or {}).get(symbol)
        theirs = position.quantity if position is not None else ZERO
        return theirs - sum((trade.held * trade.side for trade in day.trades_of(symbol)), ZERO)

    def _is_mine_to_close(self, symbol: Symbol) -> bool:
        """In an emergency everything is; otherwise only symbols that we sent orders for today."""
        return self._day.mode is Mode.EMERGENCY or symbol in self._day.book.symbols()

    def _settle(self, symbol: Symbol, away: Decimal) -> None:
        for trade in self._day.trades_of(symbol):
            if away * trade.side < 0 and trade.held > 0:
                missing = min(trade.held, abs(away))
                trade.written_off += missing
                away += missing * trade.side
                text = f"The broker shows {missing} {symbol} less than our fills say; taken as the truth."
                self._day.alarm("critical", f"{symbol} differs from the broker", text)
        if away != 0:
            self._adopt(symbol, away)

    def _adopt(self, symbol: Symbol, away: Decimal) -> None:
        day, strategy = self._day, self._owner(symbol)
        trade_id = day.book.next_id(strategy, symbol, Purpose.EXIT)
        trade = Trade(Adopted(symbol, strategy, trade_id, away), symbol, 1 if away > 0 else -1, day.now)
        self._exits.leave(trade, "not explained by our orders")
        day.trades.append(trade)
        text = f"The broker shows {away} {symbol} that our orders do not explain; closing them."
        day.alarm("critical", f"{symbol} differs from the broker", text)

    def _owner(self, symbol: Symbol) -> StrategyName:
        """The strategy that last traded the symbol; OPEN for a stranger's shares."""
        owners = [o.intent.strategy for o in self._day.book.orders.values() if o.intent.symbol == symbol]
        return owners[-1] if owners else StrategyName.OPEN
