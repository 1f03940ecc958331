"""One strategy window of today: its candidates in rank order and the slots that its entries hold."""

from dataclasses import replace
from datetime import datetime

from tbot_bot.domain.market import Quote, Symbol
from tbot_bot.domain.orders import ClientOrderId, Direction
from tbot_bot.domain.session import StrategyName, Window
from tbot_bot.engine.book import OrderBook
from tbot_bot.engine.commands import Decide, Outcome
from tbot_bot.engine.signals import Signal, Watcher

REMEMBERED = 60


class Candidate:
    """A signal on its way to an order. `asked_at`: when the quote of the symbol `asked` was asked for;
    `answered`: an answer to that question came, with this symbol or without."""

    __slots__ = ("answered", "asked", "asked_at", "confirmed", "quote", "quote_at", "rank", "signal")

    def __init__(self, signal: Signal, rank: int) -> None:
        self.signal = signal
        self.rank = rank
        self.answered = False
        self.asked: Symbol | None = None
        self.asked_at: datetime | None = None
        self.quote: Quote | None = None
        self.quote_at: datetime | None = None
        self.confirmed = False

    def forget_quote(self) -> None:
        """Ask anew at the next chance."""
        self.asked = self.asked_at = self.quote = self.quote_at = None
        self.answered = False


class WindowRun:
    """`slots`: weight index → the entry that holds it. `pool_left`: candidates that may still be taken in; never
    extended. `refusals`: those since the last entry, which is the next one's fallback level."""

    def __init__(self, window: Window, watcher: Watcher, pool: int) -> None:
        self.window = window
        self.watcher = watcher
        self.pool_left = pool
        self.queue: list[Candidate] = []
        self.waiting: dict[ClientOrderId, Candidate] = {}
        self.slots: dict[int, ClientOrderId] = {}
        self.refusals = 0
        self.blocked = ""
        self.opened = False
        self.closed = False
        self.decisions: list[Decide] = []

    @property
    def strategy(self) -> StrategyName:
        return self.window.strategy

    def open_at(self, now: datetime) -> bool:
        """Whether entries may be made now."""
        return not self.closed and self.window.analysis_end <= now < self.window.breakout_end

    def admit(self, signals: list[Signal]) -> list[tuple[Signal, int]]:
        """Take this minute's ranked signals into the pool; returns those that no longer fit, with their rank."""
        room = signals[: self.pool_left]
        self.pool_left -= len(room)
        self.queue += [Candidate(signal, rank) for rank, signal in enumerate(room, start=1)]
        return [(signal, rank) for rank, signal in enumerate(signals, start=1) if rank > len(room)]

    def free_weight(self, most: int, book: OrderBook) -> int | None:
        """The lowest free weight index (from 1), or None. An entry that died without a share has left its slot."""
        self.slots = {k: i for k, i in self.slots.items() if not book.orders[i].dead}
        if len(self.slots) + len(self.waiting) >= most:
            return None
        return next(k for k in range(1, most + 1) if k not in self.slots)

    def decision(
        self,
        at: datetime,
        candidate: Candidate,
        outcome: Outcome,
        reason: str,
        setting: str = "",
        traded: Symbol | None = None,
    ) -> Decide:
        """The candidate's story; a refusal raises the next one's fallback level, an entry ends the chain."""
        told = Decide(
            at=at,
            strategy=self.strategy,
            symbol=candidate.signal.symbol,
            direction=direction(candidate.signal.side),
            outcome=outcome,
            reason=reason,
            rank=candidate.rank,
            fallback=0 if outcome is Outcome.MISSED else self.refusals,
            score=candidate.signal.score,
            traded=traded,
            setting=setting,
        )
        if outcome is not Outcome.MISSED:
            self.refusals = 0 if outcome is Outcome.TAKEN else self.refusals + 1
        return self.remember(told)

    def remember(self, told: Decide) -> Decide:
        """Keep it for the dashboard, the latest ones only."""
        self.decisions = [*self.decisions, told][-REMEMBERED:]
        return told

    def refused_by_broker(self, at: datetime, taken: Decide, reason: str) -> Decide:
        """The broker said no after the entry was sent: its successor's fallback level is one higher than its own."""
        self.refusals = max(self.refusals, taken.fallback + 1)
        return self.remember(replace(taken, at=at, outcome=Outcome.REFUSED, reason=reason))


def direction(side: int) -> Direction:
    return Direction.LONG if side > 0 else Direction.BEARISH
