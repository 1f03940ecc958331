from datetime import UTC, date, datetime
from decimal import Decimal

from tbot_bot.accounting.lots import Lot, apply_fill, cost, held
from tbot_bot.domain.books import BookedFill
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import Side

AT = datetime(2025, 3, 10, 14, tzinfo=UTC)


def fill(side: Side, quantity: str, price: str, fee: str = "0", name: str = "e") -> BookedFill:
    amounts = Decimal(quantity), Decimal(price), Decimal(fee)
    return BookedFill(name, "o", Symbol("SPY"), side, *amounts, AT, date(2025, 3, 10))


def lots_of(*fills: BookedFill) -> tuple[Lot, ...]:
    lots: tuple[Lot, ...] = ()
    for one in fills:
        lots = apply_fill(lots, one).lots
    return lots


def test_the_oldest_lot_is_closed_first() -> None:
    lots = lots_of(fill(Side.BUY, "10", "100", name="a"), fill(Side.BUY, "10", "110", name="b"))
    matched = apply_fill(lots, fill(Side.SELL, "15", "120"))
    assert [(m.opened.execution_id, m.quantity, m.realised) for m in matched.matches] == [
        ("a", 10 * 10**9, 200 * 10**6),
        ("b", 5 * 10**9, 50 * 10**6),
    ]
    assert (held(matched.lots), cost(matched.lots)) == (5 * 10**9, 550 * 10**6)


def test_a_short_gains_when_the_price_falls() -> None:
    lots = lots_of(fill(Side.SELL, "10", "50"))
    assert (held(lots), cost(lots)) == (-10 * 10**9, -500 * 10**6)
    (match,) = apply_fill(lots, fill(Side.BUY, "10", "48.50")).matches
    assert match.realised == 15 * 10**6


def test_a_fill_beyond_flat_closes_and_opens_the_other_side() -> None:
    matched = apply_fill(lots_of(fill(Side.BUY, "5", "10")), fill(Side.SELL, "8", "11"))
    assert [m.realised for m in matched.matches] == [5 * 10**6]
    assert (held(matched.lots), cost(matched.lots)) == (-3 * 10**9, -33 * 10**6)


def test_thirds_of_a_lot_add_up_to_its_value_and_fee() -> None:
    lots = lots_of(fill(Side.BUY, "3", "33.333333", fee="0.01"))
    values, fees = [], []
    for _ in range(3):
        matched = apply_fill(lots, fill(Side.SELL, "1", "34"))
        lots = matched.lots
        values += [m.opened_value for m in matched.matches]
        fees += [m.fees for m in matched.matches]
    assert (sum(values), sum(fees), lots) == (99_999_999, 10_000, ())


def test_the_smallest_fractional_share_is_kept_exactly() -> None:
    lots = lots_of(fill(Side.BUY, "1.000000001", "187.25"))
    matched = apply_fill(lots, fill(Side.SELL, "1", "187.25"))
    assert held(matched.lots) == 1
    assert apply_fill(matched.lots, fill(Side.SELL, "0.000000001", "187.25")).lots == ()
