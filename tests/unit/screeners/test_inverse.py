from tbot_bot.domain.market import Asset, Symbol
from tbot_bot.screeners.inverse import canonical_sector, inverse_map, tradable_inverse


def asset(symbol: str, **flags: bool) -> Asset:
    given = {"tradable": True, "fractionable": False, "shortable": True, "easy_to_borrow": True, **flags}
    return Asset(Symbol(symbol), symbol, "ARCA", **given)


def test_no_fund_is_listed_twice_and_leverage_is_one_to_three() -> None:
    funds = inverse_map()
    assert len({fund.symbol for fund in funds}) == len(funds)
    assert {fund.leverage for fund in funds} == {1, 2, 3}


def test_the_least_leverage_comes_first_in_every_sector() -> None:
    by_sector: dict[str | None, list[int]] = {}
    for fund in inverse_map():
        by_sector.setdefault(fund.sector, []).append(int(fund.leverage))
    assert all(leverages == sorted(leverages) for leverages in by_sector.values())
    assert inverse_map()[0].symbol == "SH"


def test_only_tradable_funds_count_with_their_own_flags() -> None:
    found = tradable_inverse([asset("SH"), asset("PSQ", tradable=False), asset("DOG", active=False), asset("AAPL")])
    assert [(fund.symbol, fund.fractionable) for fund in found] == [("SH", False)]


def test_sectors_have_one_name() -> None:
    assert canonical_sector("Health Care") == canonical_sector(" healthcare ".strip().title()) == "Healthcare"
    assert canonical_sector("Information Technology") == "Technology"
    assert canonical_sector("Shipbuilding") == "Shipbuilding"


def test_every_mapped_sector_is_a_canonical_one() -> None:
    assert all(fund.sector is None or canonical_sector(fund.sector) == fund.sector for fund in inverse_map())
