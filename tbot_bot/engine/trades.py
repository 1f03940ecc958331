"""A position of ours from its entry to its last share, and the arithmetic of leaving it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.money import TICKS_PER_DOLLAR, ZERO, round_price, to_ticks
from tbot_bot.domain.orders import ClientOrderId, ExitPlan, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.engine.book import LiveOrder
from tbot_bot.strategy.indicators import Trail, to_ppm, trail_hit, trail_start, trail_step


@dataclass(frozen=True, slots=True)
class Adopted:
    """Shares that the broker shows and our orders do not explain: taken over only to be closed. Negative = short."""

    symbol: Symbol
    strategy: StrategyName
    trade_id: ClientOrderId
    quantity: Decimal


class Trade:
    """One entry (or adopted shares) and the orders that end it. Quantities are positive; `side` +1 long, −1 short.

    `written_off`: shares that the broker twice showed to be gone. `exit_why`: set once, means: leave now."""

    def __init__(self, origin: LiveOrder | Adopted, symbol: Symbol, side: int, opened_at: datetime) -> None:
        self.origin = origin
        self.symbol = symbol
        self.side = side
        self.opened_at = opened_at
        self.exits: list[LiveOrder] = []
        self.trail: Trail | None = None
        self.mark: Decimal | None = None
        self.exit_why = ""
        self.attempts = 0
        self.next_exit_at: datetime | None = None
        self.alarmed = False
        self.closed = False
        self.written_off = ZERO
        self.realised_before = ZERO
        self.protect_refused = False

    @property
    def entry(self) -> LiveOrder | None:
        return self.origin if isinstance(self.origin, LiveOrder) else None

    @property
    def trade_id(self) -> ClientOrderId:
        return self.origin.client_id if isinstance(self.origin, LiveOrder) else self.origin.trade_id

    @property
    def strategy(self) -> StrategyName:
        return self.origin.intent.strategy if isinstance(self.origin, LiveOrder) else self.origin.strategy

    @property
    def plan(self) -> ExitPlan | None:
        return self.entry.intent.exit_plan if self.entry else None

    @property
    def entered(self) -> Decimal:
        """Shares that came in."""
        return self.origin.filled if isinstance(self.origin, LiveOrder) else abs(self.origin.quantity)

    @property
    def left(self) -> Decimal:
        """Shares that went out, those written off included."""
        return sum((order.filled for order in self.exits), self.written_off)

    @property
    def held(self) -> Decimal:
        return self.entered - self.left

    @property
    def settled(self) -> bool:
        """The entry will bring no more shares."""
        return self.entry is None or self.entry.final

    @property
    def average(self) -> Decimal | None:
        """Average entry price; the reference price where the broker told none."""
        if self.entry is None:
            return None
        return self.entry.average if self.entry.average is not None else self.entry.intent.reference_price

    @property
    def exit_side(self) -> Side:
        return Side.SELL if self.side > 0 else Side.BUY

    def live_exits(self) -> list[LiveOrder]:
        return [order for order in self.exits if not order.final]

    def resting_stop(self) -> LiveOrder | None:
        """The protective order that rests at the broker, if one lives."""
        return next((o for o in self.live_exits() if o.intent.purpose is Purpose.PROTECT), None)

    def realised(self) -> Decimal:
        """USD from shares that went out through orders of ours, before fees."""
        average = self.average
        if average is None:
            return ZERO
        gains = ((o.average - average) * o.filled * self.side for o in self.exits if o.average is not None)
        return sum(gains, ZERO)

    def unrealised(self) -> Decimal | None:
        """USD at the latest mark; None without one."""
        average = self.average
        if average is None or self.mark is None:
            return None
        return (self.mark - average) * self.held * self.side

    def value(self) -> Decimal:
        """USD at risk in it: what is held at the latest price known, or what the entry still may buy."""
        entry = self.entry
        price = self.mark or self.average or ZERO
        if entry is None or entry.final:
            return self.held * price
        intent = entry.intent
        planned = intent.notional if intent.notional is not None else (intent.quantity or ZERO) * price
        return max(planned, self.held * price)

    def stop_price(self) -> Decimal | None:
        """The fixed stop, in the broker's price steps."""
        if self.average is None or self.plan is None:
            return None
        return round_price(self.average * (1 - self.side * self.plan.stop_distance))

    def target_price(self) -> Decimal | None:
        if self.average is None or self.plan is None or self.plan.target_distance is None:
            return None
        return round_price(self.average * (1 + self.side * self.plan.target_distance))

    def trail_price(self) -> Decimal | None:
        """The trailing stop; None while off or not yet set."""
        if self.trail is None or self.trail.stop == 0:
            return None
        return round_price(Decimal(self.trail.stop) / 1_000_000 / TICKS_PER_DOLLAR)

    def judge_price(self, worst: Decimal, best: Decimal, trail_ppm: int) -> str:
        """Why to leave after the price moved between `worst` and `best` (equal for a quote): the stop is assumed before
        the target; empty = stay. The fixed stop is left to the broker while it rests there."""
        stop, target = self.stop_price(), self.target_price()
        low, high = to_ticks(worst) * self.side, to_ticks(best) * self.side
        trail = trail_step(self._trail(), to_ticks(worst), trail_ppm, self.side)
        why = ""
        if stop is not None and low <= to_ticks(stop) * self.side and self.resting_stop() is None:
            why = f"stop {stop} reached"
        elif trail_hit(trail, to_ticks(worst), self.side):
            why = "trailing stop reached"
        elif target is not None and high >= to_ticks(target) * self.side:
            why = f"target {target} reached"
        self.trail = trail_step(trail, to_ticks(best), trail_ppm, self.side)
        return why

    def see_best(self, best: Decimal) -> None:
        """An earlier bar's best price, learnt late: it moves the trail at its next step, and decides nothing itself."""
        trail = self._trail()
        ticks = to_ticks(best)
        self.trail = Trail(max(trail.best, ticks) if self.side > 0 else min(trail.best, ticks), trail.stop)

    def _trail(self) -> Trail:
        return self.trail if self.trail is not None else trail_start(to_ticks(self.average or ZERO))

    def trail_ppm(self) -> int:
        """The plan's trail in parts per million; 0 = off."""
        return to_ppm(self.plan.trail) if self.plan else 0
