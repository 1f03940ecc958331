from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.backtest.fills import MemoryExchange, SlippageModel
from tbot_bot.domain.market import Bar, Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderReport, OrderStatus, OrderType, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.settings import SlippageSettings, SlippageType

T0 = datetime(2025, 1, 6, 15, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AAA = Symbol("AAA")


def model(kind: SlippageType = SlippageType.NONE, *, on: bool = True, latency: int = 0, seed: int = 7) -> SlippageModel:
    return SlippageModel(SlippageSettings(on, kind, Decimal("0.10"), Decimal("0.05"), latency), seed)


def bar(minute: int, opened: str, high: str, low: str, close: str, volume: int = 1000) -> Bar:
    return Bar(AAA, T0 + minute * MINUTE, Decimal(opened), Decimal(high), Decimal(low), Decimal(close), volume)


def order(side: Side = Side.BUY, name: str = "c1", **changes: Any) -> OrderIntent:
    plain: dict[str, Any] = {
        "client_id": ClientOrderId(name),
        "session": date(2025, 1, 6),
        "strategy": StrategyName.OPEN,
        "symbol": AAA,
        "side": side,
        "purpose": Purpose.ENTRY,
        "trade_id": ClientOrderId("c1"),
        "created_at": T0,
        "reason": "test",
    }
    if "notional" not in changes:
        plain["quantity"] = Decimal(10)
    return OrderIntent(**{**plain, **changes})


def exchange(slippage: SlippageModel | None = None, cash: str = "10000") -> MemoryExchange:
    """After one minute that closed at 100."""
    venue = MemoryExchange(Decimal(cash), slippage or model())
    venue.see_minute({AAA: bar(-1, "100", "100", "100", "100")}, T0)
    return venue


def only(reports: tuple[OrderReport, ...]) -> OrderReport:
    (report,) = reports
    return report


def holding(slippage: SlippageModel | None = None) -> MemoryExchange:
    """Ten shares bought at 100, protected at 98."""
    venue = exchange(slippage)
    venue.accept(order(), T0)
    venue.fill_at_open({AAA: bar(0, "100", "101", "99", "100")}, T0)
    venue.accept(order(Side.SELL, "s1", type=OrderType.STOP, stop_price=Decimal(98)), T0)
    return venue


def test_a_market_order_fills_at_the_next_open_not_at_the_close_it_saw() -> None:
    venue = exchange()
    venue.accept(order(), T0)
    report = only(venue.fill_at_open({AAA: bar(0, "101.5", "102", "101", "101.8")}, T0))
    assert (report.status, report.average_price, report.at) == (OrderStatus.FILLED, Decimal("101.5"), T0)
    assert venue.account().cash == Decimal("8985")


def test_without_a_bar_the_order_waits_for_the_next() -> None:
    venue = exchange()
    venue.accept(order(), T0)
    assert venue.fill_at_open({}, T0) == ()
    report = only(venue.fill_at_open({AAA: bar(1, "103", "103", "103", "103")}, T0 + MINUTE))
    assert (report.average_price, report.at) == (Decimal(103), T0 + MINUTE)


def test_a_late_order_pays_the_price_of_its_arrival() -> None:
    venue = exchange(model(latency=30_000))
    venue.accept(order(), T0)
    report = only(venue.fill_at_open({AAA: bar(0, "100", "102", "100", "102")}, T0))
    assert (report.average_price, report.at) == (Decimal(101), T0 + timedelta(seconds=30))


def test_an_order_that_arrives_after_the_minute_takes_the_next_bar() -> None:
    venue = exchange(model(latency=60_000))
    venue.accept(order(), T0)
    assert venue.fill_at_open({AAA: bar(0, "100", "102", "100", "102")}, T0) == ()
    report = only(venue.fill_at_open({AAA: bar(1, "105", "105", "105", "105")}, T0 + MINUTE))
    assert (report.average_price, report.at) == (Decimal(105), T0 + MINUTE)


def test_an_amount_buys_shares_rounded_down_to_a_billionth() -> None:
    venue = exchange()
    venue.accept(order(notional=Decimal(100)), T0)
    report = only(venue.fill_at_open({AAA: bar(0, "30", "30", "30", "30")}, T0))
    assert report.filled_quantity == Decimal("3.333333333")


def test_a_stop_fills_at_its_price_when_touched() -> None:
    venue = holding()
    assert venue.see_minute({AAA: bar(0, "100", "101", "98.01", "99")}, T0 + MINUTE) == ()
    report = only(venue.see_minute({AAA: bar(1, "99", "99", "97", "98.5")}, T0 + 2 * MINUTE))
    assert (report.status, report.average_price) == (OrderStatus.FILLED, Decimal(98))
    assert venue.positions() == ()


def test_a_stop_that_is_gapped_through_fills_at_the_open() -> None:
    report = only(holding().see_minute({AAA: bar(0, "95", "99", "94", "98.5")}, T0 + MINUTE))
    assert report.average_price == Decimal(95)


def test_buying_more_than_the_cash_is_refused_with_what_is_on_its_way_counted() -> None:
    venue = exchange(cash="1500")
    assert not isinstance(venue.accept(order(), T0), str)
    assert venue.accept(order(name="c2"), T0) == "insufficient buying power"


def test_an_order_without_a_market_or_of_another_type_is_refused() -> None:
    venue = exchange()
    assert "no bars" in str(venue.accept(order(symbol=Symbol("ZZZ")), T0))
    assert "market and stop" in str(venue.accept(order(type=OrderType.LIMIT, limit_price=Decimal(1)), T0))


def test_a_cancelled_stop_never_fills() -> None:
    venue = holding()
    cancelled = venue.cancel(ClientOrderId("s1"), T0)
    assert cancelled is not None
    assert cancelled.status is OrderStatus.CANCELLED
    assert venue.see_minute({AAA: bar(0, "95", "95", "95", "95")}, T0 + MINUTE) == ()
    assert venue.cancel(ClientOrderId("s1"), T0) is None


def test_the_close_ends_every_order() -> None:
    venue = holding()
    venue.accept(order(Side.SELL, "x1"), T0)
    reports = {report.client_id: report for report in venue.close_session(T0 + MINUTE)}
    assert reports[ClientOrderId("x1")].status is OrderStatus.FILLED
    assert reports[ClientOrderId("s1")].status is OrderStatus.EXPIRED


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "100.1010"), (Side.SELL, "99.8990")])
def test_rule_based_slippage_is_paid_by_both_sides_and_grows_with_the_share_of_volume(side: Side, price: str) -> None:
    venue = exchange(model(SlippageType.RULE_BASED))
    venue.accept(order(side), T0)
    report = only(venue.fill_at_open({AAA: bar(0, "100", "100", "100", "100", volume=1000)}, T0))
    assert report.average_price == Decimal(price)


def test_randomized_slippage_is_the_orders_own_and_never_a_gift() -> None:
    slippage = model(SlippageType.RANDOMIZED)
    draws = [slippage.fraction(order(name=f"c{n}"), Decimal(1), 100) for n in range(300)]
    again = [slippage.fraction(order(name=f"c{n}"), Decimal(1), 100) for n in range(300)]
    mean = sum(draws) / 300
    assert draws == again
    assert min(draws) >= 0
    assert Decimal("0.0009") < mean < Decimal("0.0011")
    other = model(SlippageType.RANDOMIZED, seed=8)
    assert other.fraction(order(), Decimal(1), 100) != slippage.fraction(order(), Decimal(1), 100)


def test_a_switched_off_model_costs_nothing() -> None:
    assert model(SlippageType.RANDOMIZED, on=False).fraction(order(), Decimal(1), 0) == 0
