"""From signals to entries: quotes, filters, size, gate, and the next candidate when one is refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tbot_bot.domain.market import Quote, Symbol
from tbot_bot.domain.money import ZERO
from tbot_bot.domain.orders import ExitPlan, OrderIntent, OrderStatus, OrderType, Purpose
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.settings import MidSettings
from tbot_bot.domain.verdict import Denied, Verdict
from tbot_bot.engine.book import LiveOrder
from tbot_bot.engine.commands import AskConfirmation, AskQuotes, Decide, Outcome
from tbot_bot.engine.day import Day, Mode, entry_value
from tbot_bot.engine.routing import Route, route
from tbot_bot.engine.signals import watcher
from tbot_bot.engine.trades import Trade
from tbot_bot.engine.windows import Candidate, WindowRun, direction
from tbot_bot.risk import gate
from tbot_bot.risk.sizing import Size, Vehicle, size
from tbot_bot.strategy.filters import blocklist, fundamentals, screen, vix

QUOTE_PATIENCE_S = 10
ALL_SYMBOLS = Symbol("*")
WIDEST_EXIT = Decimal("0.9")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a candidate was not taken: by a rule of ours (DENIED) or because it cannot be done (REFUSED)."""

    outcome: Outcome
    denied: Denied


class Entries:
    """All windows of the day."""

    def __init__(self, day: Day) -> None:
        self._day = day
        context, settings = day.context, day.settings
        facts = {symbol: listing.fundamentals for symbol, listing in context.listings.items()}
        pool = day.limits.max_trades * settings.filters.candidate_multiplier
        self.runs = [WindowRun(w, watcher(w, day.tracks, settings, facts), pool) for w in day.plan.windows]
        self._taken: dict[str, Decide] = {}

    def restore(self, order: LiveOrder) -> None:
        """An entry of before the restart holds its weight and has given its signal."""
        intent = order.intent
        for run in self.runs:
            if run.strategy is intent.strategy:
                run.watcher.signalled.add(intent.signal_symbol or intent.symbol)
                run.pool_left = max(run.pool_left - 1, 0)
                if not order.dead and intent.weight_index:
                    run.slots[intent.weight_index] = intent.client_id

    def see_minute(self, end: datetime, fresh: list[Symbol]) -> None:
        """`fresh`: symbols whose bar of the minute that ended at `end` just came. Only whole breakout minutes
        signal."""
        for run in self.runs:
            if run.window.analysis_end < end and run.open_at(self._day.now) and self._day.mode is Mode.NORMAL:
                self._open(run)
                if not run.blocked:
                    self._take_in(run, fresh)

    def _open(self, run: WindowRun) -> None:
        if run.opened:
            return
        run.opened = True
        if run.strategy is StrategyName.CLOSE:
            context, own = self._day.context, self._day.settings.strategies.close
            verdict = vix.judge(context.vix, own.vix_threshold, context.previous_session)
            if isinstance(verdict, Denied):
                run.blocked = verdict.reason
                self._tell_all(run, Outcome.DENIED, verdict.reason, verdict.setting)

    def _take_in(self, run: WindowRun, fresh: list[Symbol]) -> None:
        for signal, rank in run.admit(run.watcher.look(fresh)):
            told = run.decision(self._day.now, Candidate(signal, rank), Outcome.MISSED, "the candidate pool is full")
            self._day.emit(told)

    def _tell_all(self, run: WindowRun, outcome: Outcome, reason: str, setting: str = "") -> None:
        """A story of the whole window, under the symbol `*`."""
        told = Decide(self._day.now, run.strategy, ALL_SYMBOLS, direction(1), outcome, reason, setting=setting)
        self._day.emit(run.remember(told))

    def see_quotes(self, quotes: tuple[Quote, ...]) -> None:
        """Hand each quote to the candidates that asked for it."""
        by_symbol = {quote.symbol: quote for quote in quotes}
        for run in self.runs:
            answered = {candidate.asked_at for candidate in run.queue if candidate.asked in by_symbol}
            for candidate in run.queue:
                if candidate.asked in by_symbol:
                    candidate.quote = by_symbol[candidate.asked]
                    candidate.quote_at = self._day.now
                candidate.answered = candidate.answered or candidate.asked_at in answered - {None}

    def confirmed(self, client_id: str) -> None:
        """A trader said yes: the candidate is first in line, and checked anew with a new quote."""
        for run in self.runs:
            for waiting, candidate in list(run.waiting.items()):
                if waiting == client_id:
                    del run.waiting[waiting]
                    candidate.confirmed = True
                    candidate.forget_quote()
                    run.queue.insert(0, candidate)

    def refused(self, order: LiveOrder) -> None:
        """The broker refused an entry without a share: tell it; the slot is free for the next candidate."""
        taken = self._taken.pop(order.client_id, None)
        for run in self.runs:
            if taken is not None and run.strategy is taken.strategy:
                reason = order.reason or str(order.status)
                self._day.emit(run.refused_by_broker(self._day.now, taken, f"the broker refused: {reason}"))

    def work(self) -> None:
        """Take candidates in rank order while slots are free; ask for the quotes that are missing."""
        missing: list[Symbol] = []
        for run in self.runs:
            if run.open_at(self._day.now) and self._day.mode is Mode.NORMAL:
                missing += self._work(run)
        if missing:
            self._day.emit(AskQuotes(tuple(dict.fromkeys(missing))))

    def _work(self, run: WindowRun) -> list[Symbol]:
        """Strictly by rank: nobody overtakes a candidate whose quote is on its way; one that an answer left out is
        passed."""
        missing: list[Symbol] = []
        waiting = False
        for candidate in list(run.queue):
            weight = run.free_weight(self._day.limits.max_trades, self._day.book)
            if weight is None:
                break
            found = self._route(run, candidate)
            if isinstance(found, Denied):
                if not waiting:
                    self._drop(run, candidate, Refusal(Outcome.REFUSED, found))
            elif self._quote_missing(run, candidate, found):
                missing += self._ask(candidate, found)
                waiting = waiting or not candidate.answered
            elif candidate.quote is not None and not waiting:
                self._consider(run, candidate, found, candidate.quote, weight)
        return missing

    def _route(self, run: WindowRun, candidate: Candidate) -> Route | Denied:
        context = self._day.context
        own = self._day.settings.strategies.of(run.strategy)
        listing = context.listings[candidate.signal.symbol]
        setting = f"SHORT_TYPE_{run.strategy.upper()}"
        used = frozenset(self._day.book.symbols())
        return route(
            listing,
            candidate.signal.side,
            own.short_type,
            context.inverse_etfs,
            context.capabilities,
            used,
            setting,
        )

    def _quote_missing(self, run: WindowRun, candidate: Candidate, found: Route) -> bool:
        """True while a usable quote has not come. After 10 real seconds without one the candidate is dropped."""
        day = self._day
        if candidate.asked != found.symbol:
            candidate.forget_quote()
            return True
        if candidate.quote is not None and candidate.quote_at is not None:
            if day.now - candidate.quote_at <= day.real(day.settings.execution.max_quote_age_s):
                return False
            candidate.forget_quote()
            return True
        if candidate.asked_at is not None and day.now - candidate.asked_at >= day.real(QUOTE_PATIENCE_S):
            denied = Denied("quote", f"no quote of {found.symbol} within {QUOTE_PATIENCE_S} s")
            self._drop(run, candidate, Refusal(Outcome.REFUSED, denied), found.symbol)
        return True

    def _ask(self, candidate: Candidate, found: Route) -> list[Symbol]:
        if candidate.asked is not None:
            return []
        candidate.asked, candidate.asked_at = found.symbol, self._day.now
        return [found.symbol]

    def _drop(self, run: WindowRun, candidate: Candidate, refusal: Refusal, traded: Symbol | None = None) -> None:
        run.queue.remove(candidate)
        denied = refusal.denied
        told = run.decision(self._day.now, candidate, refusal.outcome, denied.reason, denied.setting, traded=traded)
        self._day.emit(told)

    def _consider(self, run: WindowRun, candidate: Candidate, found: Route, quote: Quote, weight: int) -> None:
        intent = self._judge(run, candidate, found, quote, weight)
        if isinstance(intent, Refusal):
            self._drop(run, candidate, intent, found.symbol)
            return
        run.queue.remove(candidate)
        if self._day.settings.execution.trade_confirmation_required and not candidate.confirmed:
            self._ask_confirmation(run, candidate, intent)
            return
        run.slots[weight] = intent.client_id
        told = run.decision(self._day.now, candidate, Outcome.TAKEN, intent.reason, traded=found.symbol)
        self._taken[intent.client_id] = told
        self._day.emit(told)
        order = self._day.submit(intent)
        side = -1 if found.short else 1
        self._day.trades.append(Trade(order, found.symbol, side, self._day.now))

    def _ask_confirmation(self, run: WindowRun, candidate: Candidate, intent: OrderIntent) -> None:
        run.waiting[intent.client_id] = candidate
        self._day.emit(
            AskConfirmation(
                intent.client_id,
                run.strategy,
                intent.symbol,
                intent.side,
                entry_value(intent),
                intent.reason,
                run.window.breakout_end,
            )
        )

    def _judge(
        self, run: WindowRun, candidate: Candidate, found: Route, quote: Quote, weight: int
    ) -> OrderIntent | Refusal:
        denied = self._filter(run, candidate, found, quote)
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
        opened = Decimal(track.session_open) / 10_000
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
            deadline=min(deadline, day.plan.flat_by),
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
            short=intent.side != "buy",
        )
        facts = gate.Facts(
            now=day.now,
            state=day.state,
            window_open=run.open_at(day.now),
            window_trades=len(run.slots) + len(run.waiting),
            quote_age_s=max((day.now - quote.at) / day.real(1), 0.0),
            pnl=day.pnl(),
            kill_switch=day.kill_switch,
            stopping=day.mode is not Mode.NORMAL or day.now >= day.plan.flat_by,
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

    def end_windows(self) -> None:
        """At a breakout's end: cancel its working entries, tell who waited in vain and who came nearest."""
        for run in self.runs:
            if not run.closed and self._day.now >= run.window.breakout_end:
                run.closed = True
                self._end(run)

    def _end(self, run: WindowRun) -> None:
        day = self._day
        for candidate in [*run.queue, *run.waiting.values()]:
            why = "not confirmed in time" if candidate in run.waiting.values() else "no slot became free"
            day.emit(run.decision(day.now, candidate, Outcome.MISSED, why))
        run.queue, run.waiting = [], {}
        if run.watcher.thin:
            some = ", ".join(sorted(run.watcher.thin)[:10])
            reason = f"{len(run.watcher.thin)} symbols had too few analysis bars: {some}"
            self._tell_all(run, Outcome.MISSED, reason, "MIN_ANALYSIS_COVERAGE")
        for near in run.watcher.nearest():
            told = Decide(
                day.now,
                run.strategy,
                near.symbol,
                direction(near.side),
                Outcome.MISSED,
                near.reason,
                needed=near.needed,
                seen=near.seen,
            )
            day.emit(run.remember(told))

    def cancel_late(self) -> None:
        """Entries still working after their window's breakout, or once the engine only closes, are cancelled."""
        day = self._day
        windows = {run.strategy: run for run in self.runs}
        for order in day.book.live():
            run = windows.get(order.intent.strategy)
            late = run is None or run.closed or day.mode is not Mode.NORMAL or day.now >= day.plan.flat_by
            if order.intent.purpose is Purpose.ENTRY and late and order.status is not OrderStatus.UNKNOWN:
                day.cancel(order, "the breakout window is over")
