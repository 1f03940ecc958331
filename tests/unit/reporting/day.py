"""One small session for the reporting tests."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tbot_bot.domain.books import BookedFill, RoundTrip
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, Direction, OrderIntent, OrderStatus, Purpose, Side
from tbot_bot.domain.session import DayPlan, SessionHours, SkippedWindow, StrategyName, Window
from tbot_bot.engine.commands import Decide, Outcome
from tbot_bot.engine.view import LimitView
from tbot_bot.reporting.summaries import DayFacts, OrderRecord

DAY = date(2025, 3, 10)
OPEN = datetime(2025, 3, 10, 13, 30, tzinfo=UTC)
AT = OPEN + timedelta(minutes=21)
CLOSE = datetime(2025, 3, 10, 20, tzinfo=UTC)
ENTRY_ID = ClientOrderId("tb-250310-open-spy-entry1-abc")


def trade(pnl: str = "9.65", why: str = "target", strategy: StrategyName | None = StrategyName.OPEN) -> RoundTrip:
    return RoundTrip(
        trade_id=ENTRY_ID,
        session=DAY,
        strategy=strategy,
        symbol=Symbol("SPY"),
        signal_symbol=None,
        direction=Direction.LONG,
        opened_by=Side.BUY,
        quantity=Decimal(10),
        entry_at=AT,
        entry_price=Decimal("50.032"),
        exit_at=AT + timedelta(minutes=9),
        exit_price=Decimal(51),
        fees=Decimal("0.03"),
        pnl=Decimal(pnl),
        entry_slippage_bps=Decimal("6.40"),
        exit_slippage_bps=None,
        why=why,
    )


def fill(name: str, side: Side, quantity: str, price: str, reference: str | None) -> BookedFill:
    return BookedFill(
        execution_id=name,
        order_id="b1",
        symbol=Symbol("SPY"),
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal("0.01"),
        at=AT,
        session=DAY,
        client_id=ENTRY_ID,
        strategy=StrategyName.OPEN,
        purpose=Purpose.ENTRY,
        reference_price=None if reference is None else Decimal(reference),
    )


def order(status: OrderStatus = OrderStatus.FILLED, reason: str = "") -> OrderRecord:
    intent = OrderIntent(
        client_id=ENTRY_ID,
        session=DAY,
        strategy=StrategyName.OPEN,
        symbol=Symbol("SPY"),
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        trade_id=ENTRY_ID,
        created_at=AT,
        reason="close 50.03 is above 49.90",
        notional=Decimal(800),
    )
    return OrderRecord(intent, status, Decimal(10), Decimal("50.032"), reason)


def decision(outcome: Outcome, reason: str, setting: str = "", symbol: str = "SPY") -> Decide:
    return Decide(
        AT,
        StrategyName.OPEN,
        Symbol(symbol),
        Direction.LONG,
        outcome,
        reason,
        1,
        setting=setting,
        needed=0.02,
        seen=0.01,
    )


PLAN = DayPlan(
    hours=SessionHours(DAY, OPEN, CLOSE),
    windows=(
        Window(StrategyName.OPEN, OPEN, OPEN + timedelta(minutes=20), OPEN + timedelta(minutes=30), 30),
    ),
    skipped=(SkippedWindow(StrategyName.CLOSE, "the VIX is not known"),),
    flat_by=CLOSE - timedelta(minutes=1),
)  # fmt: skip

FACTS = DayFacts(
    session=DAY,
    mode="PAPER",
    broker="PAPER",
    plan=PLAN,
    opening_equity=Decimal(100_000),
    closing_equity=Decimal("100009.65"),
    realised=Decimal("9.65"),
    trades=(trade(),),
    fills=(
        fill("e1", Side.BUY, "10", "50.05", "50.00"),
        fill("e2", Side.SELL, "10", "51", "51.00"),
        fill("e3", Side.SELL, "10", "51", None),
    ),
    orders=(order(), order(OrderStatus.REJECTED, "insufficient buying power")),
    decisions=(
        decision(Outcome.TAKEN, "breakout"),
        decision(Outcome.DENIED, "spread 2.1 % is above 1.5 %", "MAX_SPREAD_PCT", "AAA"),
        decision(Outcome.DENIED, "spread 1.6 % is above 1.5 %", "MAX_SPREAD_PCT", "BBB"),
        decision(Outcome.REFUSED, "no quote", "", "CCC"),
        decision(Outcome.MISSED, "0.5 % short", "", "DDD"),
    ),
    trial_balance={"Assets:Cash": (Decimal(5), Decimal(2)), "Equity:Opening balances": (Decimal(0), Decimal(3))},
    positions_left=(),
    limits=(
        LimitView("MAX_SPREAD_PCT", Decimal("0.01"), Decimal("0.015"), "fraction"),
        LimitView("MAX_TRADES", Decimal(1), Decimal(4), "trades today"),
        LimitView("MAX_OPEN_POSITIONS", Decimal(5), Decimal(5), "positions"),
        LimitView("DAILY_LOSS_LIMIT", None, Decimal(5000), "USD"),
    ),
    files={"summary": "output/sessions/2025-03-10/summary.json"},
)
