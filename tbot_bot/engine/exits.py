"""Leaving: protective stops at the broker, local exits, retries that are capped and escalated.

The one rule above all: never two live orders that sell the same shares, and never more than is held.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from tbot_bot.domain.market import Bar, Quote, Symbol
from tbot_bot.domain.money import from_ticks, to_ticks
from tbot_bot.domain.orders import Direction, OrderIntent, OrderStatus, OrderType, Purpose
from tbot_bot.engine.day import Day, Mode
from tbot_bot.engine.trades import Trade
from tbot_bot.strategy import mid as mid_kernel
from tbot_bot.strategy.indicators import tightened_ppm, to_ppm, vwap_price

EAGER_ATTEMPTS = 5
EAGER_PAUSE_S = 1
PATIENT_PAUSE_S = 30
ENTRY_PATIENCE_S = 30
PROTECT_ATTEMPTS = 5


class Exits:
    """Decides when a trade ends and brings it there. `tend` may be called at any time: it does what is missing."""

    def __init__(self, day: Day) -> None:
        self._day = day

    def see_quote(self, quote: Quote) -> None:
        """A long is judged by the bid, a short by the ask; a MID trade also by its signal symbol's price."""
        for trade in self._day.open_trades():
            if trade.symbol == quote.symbol:
                price = quote.bid if trade.side > 0 else quote.ask
                if price > 0 and trade.held > 0:
                    trade.mark = price
                    self.leave(trade, trade.judge_price(price, price, self._trail_ppm(trade)))
            if trade.plan and trade.plan.vwap_symbol == quote.symbol and quote.price > 0:
                self._judge_vwap(trade, quote.price, quote.price)

    def see_bars(self, bars: Mapping[Symbol, Bar], late: bool) -> None:
        """Bars that began before the entry count with their close alone; late bars only move the trail."""
        for trade in self._day.open_trades():
            bar = bars.get(trade.symbol)
            if bar is not None and trade.held > 0:
                self._judge_bar(trade, bar, late)
            watched = bars.get(trade.plan.vwap_symbol) if trade.plan and trade.plan.vwap_symbol else None
            if watched is not None and not late:
                whole = watched.start >= trade.opened_at
                self._judge_vwap(
                    trade, watched.high if whole else watched.close, watched.low if whole else watched.close
                )

    def _judge_bar(self, trade: Trade, bar: Bar, late: bool) -> None:
        whole = bar.start >= trade.opened_at
        worst, best = (bar.low, bar.high) if trade.side > 0 else (bar.high, bar.low)
        if late:
            if whole:
                trade.see_best(best)
            return
        if not whole:
            worst = best = bar.close
        trade.mark = bar.close
        self.leave(trade, trade.judge_price(worst, best, self._trail_ppm(trade)))

    def _judge_vwap(self, trade: Trade, high: Decimal, low: Decimal) -> None:
        plan, entry = trade.plan, trade.entry
        if plan is None or entry is None or plan.vwap_symbol is None or trade.held <= 0:
            return
        track = self._day.tracks.of.get(plan.vwap_symbol)
        if track is None or track.session_open == 0:
            return
        towards = 1 if entry.intent.direction is Direction.LONG else -1
        if mid_kernel.touched(towards, to_ticks(high), to_ticks(low), track.vwap):
            vwap = from_ticks(vwap_price(track.vwap))
            self.leave(trade, f"{plan.vwap_symbol} touched its VWAP {vwap:.2f}")

    def see_time(self) -> None:
        """Deadlines; flat-by, or a stop of the bot, for everything."""
        for trade in self._day.open_trades():
            if self._day.mode is not Mode.NORMAL:
                self.leave(trade, "the bot is closing all positions")
            elif self._day.now >= self._day.flat_by:
                self.leave(trade, "flat-by reached")
            elif trade.plan and self._day.now >= trade.plan.deadline:
                self.leave(trade, f"deadline {trade.plan.deadline:%H:%M:%S} UTC reached")

    def leave(self, trade: Trade, why: str) -> None:
        """Mark a trade for leaving; the first reason stays."""
        if why and not trade.exit_why and not trade.closed:
            trade.exit_why = why

    def leave_all(self, why: str) -> None:
        for trade in self._day.open_trades():
            self.leave(trade, why)

    def tend(self) -> None:
        """Do what each open trade needs now: close the book on it, sell, or rest its stop."""
        for trade in self._day.open_trades():
            if trade.settled and trade.held <= 0 and not trade.live_exits():
                self._close(trade)
            elif trade.exit_why:
                self._bring_out(trade)
            elif trade.settled and trade.held > 0 and not trade.live_exits():
                self._protect(trade)

    def _close(self, trade: Trade) -> None:
        trade.closed = True
        if trade.held < 0:
            text = f"{-trade.held} shares more than held went out of {trade.symbol}; compare with the broker's account."
            self._day.alarm("critical", f"{trade.symbol} oversold", text)
        if trade.entered > 0 and self._day.settings.notify.notify_on_exit:
            text = f"{trade.strategy} {trade.symbol}: {trade.realised():+.2f} USD; {trade.exit_why or 'stop filled'}"
            self._day.alarm("routine", f"closed {trade.symbol}", text)

    def _bring_out(self, trade: Trade) -> None:
        """Entry cancelled first, then the resting stop, then a market order for what is left."""
        day, entry = self._day, trade.entry
        if entry is not None and not entry.final:
            day.cancel(entry, trade.exit_why)
            waited = day.now - (entry.cancel_since or day.now)
            if waited < day.real(ENTRY_PATIENCE_S) or trade.held <= 0:
                return
        if trade.live_exits():
            resting = trade.resting_stop()
            if resting is not None:
                day.cancel(resting, trade.exit_why)
            return
        due = trade.next_exit_at is None or trade.next_exit_at <= day.now
        if trade.held > 0 and due and day.market_open:
            self._sell(trade)

    def _sell(self, trade: Trade) -> None:
        day = self._day
        trade.attempts += 1
        eager = trade.attempts < EAGER_ATTEMPTS
        trade.next_exit_at = day.now + day.real(EAGER_PAUSE_S if eager else PATIENT_PAUSE_S)
        if trade.attempts > EAGER_ATTEMPTS and not trade.alarmed:
            trade.alarmed = True
            text = (
                f"{trade.held} {trade.symbol} is open after {EAGER_ATTEMPTS} attempts to close it; trying every 30 s."
            )
            day.alarm("critical", f"exit of {trade.symbol} fails", text)
        trade.exits.append(day.submit(self._exit_intent(trade, Purpose.EXIT, trade.exit_why)))

    def _protect(self, trade: Trade) -> None:
        """Rest a stop at the broker; where it cannot, the local arithmetic alone guards the trade."""
        day, stop = self._day, trade.stop_price()
        whole = trade.held == trade.held.to_integral_value()
        if stop is None or trade.protect_refused or not (whole or day.context.capabilities.resting_stop_fractional):
            return
        earlier = [o for o in trade.exits if o.intent.purpose is Purpose.PROTECT]
        if len(earlier) >= PROTECT_ATTEMPTS or (earlier and earlier[-1].status is OrderStatus.REJECTED):
            trade.protect_refused = True
            text = (
                f"the broker keeps no stop for {trade.symbol}: {earlier[-1].reason or 'no reason given'}; watched here."
            )
            day.alarm("critical", f"no resting stop for {trade.symbol}", text)
            return
        trade.exits.append(day.submit(self._exit_intent(trade, Purpose.PROTECT, f"protective stop {stop}", stop)))

    def _exit_intent(self, trade: Trade, purpose: Purpose, reason: str, stop: Decimal | None = None) -> OrderIntent:
        day = self._day
        return OrderIntent(
            client_id=day.book.next_id(trade.strategy, trade.symbol, purpose),
            session=day.plan.hours.day,
            strategy=trade.strategy,
            symbol=trade.symbol,
            side=trade.exit_side,
            purpose=purpose,
            trade_id=trade.trade_id,
            created_at=day.now,
            reason=reason,
            type=OrderType.MARKET if stop is None else OrderType.STOP,
            quantity=trade.held,
            stop_price=stop,
            reference_price=trade.mark,
        )

    def _trail_ppm(self, trade: Trade) -> int:
        """The plan's trail, tightened near flat-by."""
        trail, execution = trade.trail_ppm(), self._day.settings.execution
        near = self._day.flat_by - timedelta(seconds=execution.trail_tightening_buffer_s)
        if trail == 0 or self._day.now < near:
            return trail
        return tightened_ppm(trail, to_ppm(execution.trail_tightening_factor))


def closing(day: Day) -> bool:
    """Whether the engine only closes from now on."""
    return day.mode is not Mode.NORMAL or day.now >= day.flat_by
