from decimal import Decimal

from tbot_bot.domain.market import InverseEtf, Symbol
from tbot_bot.domain.orders import Side
from tbot_bot.domain.settings import ShortType
from tbot_bot.domain.verdict import Denied
from tbot_bot.engine.routing import Route, route
from tools.simulation.builders import PAPER, listing

FUNDS = (
    InverseEtf(Symbol("SH"), None, Decimal(1)),
    InverseEtf(Symbol("SQQQ"), "Technology", Decimal(3)),
    InverseEtf(Symbol("REW"), "Technology", Decimal(2)),
)


def bearish(
    sector: str, used: frozenset[Symbol] = frozenset(), funds: tuple[InverseEtf, ...] = FUNDS
) -> Route | Denied:
    return route(listing("AAA", sector=sector), -1, ShortType.INVERSE_ETF, funds, PAPER, used, "SHORT_TYPE_OPEN")


def test_a_long_signal_buys_the_symbol_itself() -> None:
    found = route(listing("AAA", fractionable=False), 1, ShortType.DISABLED, (), PAPER, frozenset(), "K")
    assert found == Route(Symbol("AAA"), Side.BUY, fractionable=False)


def test_the_sectors_least_leveraged_free_fund_is_taken() -> None:
    first = bearish("Technology")
    assert isinstance(first, Route)
    assert (first.symbol, first.leverage) == ("REW", 2)
    second = bearish("Technology", frozenset({Symbol("REW")}))
    assert isinstance(second, Route)
    assert second.symbol == "SQQQ"


def test_a_sector_without_a_fund_falls_back_to_the_market() -> None:
    found = bearish("Energy")
    assert isinstance(found, Route)
    assert found.symbol == "SH"


def test_without_any_fund_the_reason_names_the_sector() -> None:
    found = bearish("Energy", funds=())
    assert isinstance(found, Denied)
    assert "Energy" in found.reason


def test_what_cannot_be_borrowed_is_not_sold() -> None:
    found = route(listing("AAA", shortable=False), -1, ShortType.SHORT_SELL, (), PAPER, frozenset(), "K")
    assert isinstance(found, Denied)
    assert "cannot be borrowed" in found.reason
