"""From signals to entries: quotes, filters, size, gate, and the next candidate when one is refused."""

from datetime import datetime

from tbot_bot.domain.market import Quote, Symbol
from tbot_bot.domain.orders import OrderIntent, OrderStatus, Purpose
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.verdict import Denied
from tbot_bot.engine.book import LiveOrder
from tbot_bot.engine.commands import AskConfirmation, AskQuotes, Decide, Outcome
from tbot_bot.engine.day import Day, Mode, entry_value
from tbot_bot.engine.proposals import Proposals, Refusal
from tbot_bot.engine.routing import Route, route
from tbot_bot.engine.signals import watcher
from tbot_bot.engine.trades import Trade
from tbot_bot.engine.windows import Candidate, WindowRun, direction
from tbot_bot.strategy.filters import vix

QUOTE_PATIENCE_S = 10
NAMED = 10
ALL_SYMBOLS = Symbol("*")


class Entries:
    """All windows of the day."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self._proposals = Proposals(day)
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
        left_out = run.admit(run.watcher.look(fresh))
        if left_out:
            ranks = f"ranks {left_out[0][1]} to {left_out[-1][1]}" if len(left_out) > 1 else f"rank {left_out[0][1]}"
            names = ", ".join(signal.symbol for signal, _ in left_out[:NAMED])
            reason = f"the candidate pool is full: {len(left_out)} more signals ({ranks}) were left out: {names}"
            self._tell_all(run, Outcome.MISSED, reason, "CANDIDATE_MULTIPLIER")

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
        awaited = {c.asked for other in self.runs for c in other.waiting.values() if c.asked is not None}
        used = self._day.book.symbols() | awaited
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
        intent = self._proposals.judge(run, candidate, found, quote, weight)
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
            late = run is None or run.closed or day.mode is not Mode.NORMAL or day.now >= day.flat_by
            if order.intent.purpose is Purpose.ENTRY and late and order.status is not OrderStatus.UNKNOWN:
                day.cancel(order, "the breakout window is over")
