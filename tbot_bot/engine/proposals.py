"""From a candidate with a quote to the order that would be sent: filters, size, exit plan, gate."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from tbot_bot.domain.market import Quote, Symbol
from tbot_bot.domain.money import TICKS_PER_DOLLAR, ZERO
from tbot_bot.domain.orders import ExitPlan, OrderIntent, OrderStatus, OrderType, Purpose, Side
from tbot_bot.domain.settings import MidSettings
from tbot_bot.domain.verdict import Denied, Verdict
from tbot_bot.engine.commands import Outcome
from tbot_bot.engine.day import Day, Mode
from tbot_bot.engine.routing import Route
from tbot_bot.engine.windows import Candidate, WindowRun, direction
from tbot_bot.risk import gate
from tbot_bot.risk.sizing import Size, Vehicle, size
from tbot_bot.strategy.filters import blocklist, fundamentals, screen

WIDEST_EXIT = Decimal("0.9")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a candidate was not taken: by a rule of ours (DENIED) or because it cannot be done (REFUSED)."""

    outcome: Outcome
    denied: Denied


class Proposals:
    """Judges entries by the day's facts; changes nothing."""

    def __init__(self, day: Day) -> None:
        self._day = day

    def judge(
        self, run: WindowRun, candidate: Candidate, found: Route, quote: Quote, weight: int
    ) -> OrderIntent | Refusal:
        """The entry to send, or why not. `quote`: of the symbol to be traded; `weight`: its index in WEIGHTS from 1."""
        known = self._day.kill_switch.judge(self._day.pnl())
        denied = known if isinstance(known, Denied) else self._filter(run, candidate, found, quote)
        if isinstance(denied, Denied):
            return Refusal(Outcome.DENIED, denied)
        price = quote.bid if found.short else quote.ask
        vehicle = Vehicle(price, found.fractionable, found.leverage, found.short)
        fractional = self._day.settings.execution.fractional
        sized = size(
            self._day.limits, weight, self._buying_power(), vehicle, self._day.context.capabilities, fractional
        )
        if isinstance(sized, Denied):
            return Refusal(Outcome.REFUSED, sized)
        intent = self._intent(run, candidate, found, sized, price, weight)
        verdict = self._gate(run, intent, sized, quote, price)
        return Refusal(Outcome.DENIED, verdict) if isinstance(verdict, Denied) else intent

    def _filter(self, run: WindowRun, candidate: Candidate, found: Route, quote: Quote) -> Verdict:
        day, signal = self._day, candidate.signal
        track, listing = day.tracks.of[signal.symbol], day.context.listings[signal.symbol]
        own = day.settings.strategies.of(run.strategy)
        verdict = blocklist.judge((signal.symbol, found.symbol), day.context.blocklist)
        if isinstance(verdict, Denied):
            return verdict
        price = quote.price if found.symbol == signal.symbol else track.price
        opened = Decimal(track.session_open) / TICKS_PER_DOLLAR
        sight = screen.Sight(price, opened, quote.spread, listing.fundamentals)
        verdict = screen.judge(sight, day.settings.filters, own, run.strategy)
        if isinstance(verdict, Denied):
            return verdict
        return fundamentals.judge(listing.fundamentals, day.settings.filters)

    def _buying_power(self) -> Decimal:
        """USD that the broker lets us spend, less what was sent since it last told; 0 when unknown."""
        account = self._day.account
        return max(account.buying_power - self._day.spent_since_account, ZERO) if account else ZERO

    def _intent(
        self, run: WindowRun, candidate: Candidate, found: Route, sized: Size, price: Decimal, weight: int
    ) -> OrderIntent:
        day, signal = self._day, candidate.signal
        return OrderIntent(
            client_id=day.book.next_id(run.strategy, found.symbol, Purpose.ENTRY),
            session=day.plan.hours.day,
            strategy=run.strategy,
            symbol=found.symbol,
            side=found.side,
            purpose=Purpose.ENTRY,
            trade_id=day.book.next_id(run.strategy, found.symbol, Purpose.ENTRY),
            created_at=day.now,
            reason=signal.words,
            type=OrderType.MARKET,
            quantity=sized.quantity,
            notional=sized.notional,
            signal_symbol=signal.symbol,
            direction=direction(signal.side),
            weight_index=weight,
            reference_price=price,
            exit_plan=self._exit_plan(run, candidate, found),
        )

    def _exit_plan(self, run: WindowRun, candidate: Candidate, found: Route) -> ExitPlan:
        """The signal's distances, times the fund's leverage."""
        day, signal = self._day, candidate.signal
        own = day.settings.strategies.of(run.strategy)
        target = signal.target_distance
        deadline = day.now + timedelta(minutes=run.window.monitoring_minutes)
        return ExitPlan(
            stop_distance=min(signal.stop_distance * found.leverage, WIDEST_EXIT),
            target_distance=None if target is None else min(target * found.leverage, WIDEST_EXIT),
            trail=min(own.trail_pct * found.leverage, WIDEST_EXIT),
            deadline=min(deadline, day.flat_by),
            vwap_symbol=signal.symbol if isinstance(own, MidSettings) else None,
        )

    def _gate(self, run: WindowRun, intent: OrderIntent, sized: Size, quote: Quote, price: Decimal) -> Verdict:
        day = self._day
        track = day.tracks.of.get(intent.symbol)
        last = quote.last if quote.last is not None else (track.price if track and track.bars else None)
        open_trades = day.open_trades()
        order = gate.Order(
            type=intent.type,
            value=sized.value,
            price=price,
            last=last,
            fractional=sized.notional is not None or (sized.quantity or ZERO) % 1 != 0,
            notional=sized.notional is not None,
            short=intent.side is Side.SELL,
        )
        facts = gate.Facts(
            now=day.now,
            state=day.state,
            window_open=run.open_at(day.now),
            window_trades=len(run.slots) + len(run.waiting),
            quote_age_s=max((day.now - quote.at) / day.real(1), 0.0),
            pnl=day.pnl(),
            kill_switch=day.kill_switch,
            stopping=day.mode is not Mode.NORMAL or day.now >= day.flat_by,
            trading_blocked=day.account.trading_blocked if day.account else None,
            clean=day.clean,
            unclean_why=day.unclean_why,
            open_positions=len(open_trades),
            exposure=sum((trade.value() for trade in open_trades), ZERO),
            spent_today=day.entries_today(),
            orders_last_minute=day.book.sent_since(day.now - timedelta(seconds=60)),
            symbol_state=self._symbol_state(intent.symbol),
            duplicate=intent.client_id in day.book.orders,
        )
        return gate.judge(gate.Question(order, facts, day.limits, day.settings, day.context.capabilities))

    def _symbol_state(self, symbol: Symbol) -> str:
        day = self._day
        if any(order.status is OrderStatus.UNKNOWN for order in day.book.live(symbol)):
            return f"the fate of an earlier order of {symbol} is unknown"
        if symbol in day.book.symbols():
            tried = [o for o in day.book.orders.values() if o.intent.symbol == symbol]
            return f"{symbol} was {'refused' if all(o.dead for o in tried) else 'traded'} today already"
        if day.positions is None:
            return "the account's positions are unknown"
        held = day.positions.get(symbol)
        return f"the account holds {symbol} already" if held is not None and held.quantity != 0 else ""
