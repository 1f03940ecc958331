"""The listed securities of the synthetic market: made-up companies, real inverse ETFs."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tbot_bot.paper.market import Floats, Instrument, Ints

SECTORS = (
    "Technology",
    "Healthcare",
    "Financials",
    "Industrials",
    "Consumer Discretionary",
    "Consumer Staples",
    "Energy",
    "Materials",
    "Real Estate",
    "Utilities",
    "Communication Services",
)
MARKET_FACTOR = -1
# symbol, name, what it multiplies (a sector, or None for the whole market), the multiple
ETFS: tuple[tuple[str, str, str | None, int], ...] = (
    ("SPY", "SPDR S&P 500 ETF Trust", None, 1),
    ("SH", "ProShares Short S&P500", None, -1),
    ("SDS", "ProShares UltraShort S&P500", None, -2),
    ("SPXU", "ProShares UltraPro Short S&P500", None, -3),
    ("SPDN", "Direxion Daily S&P 500 Bear 1X Shares", None, -1),
    ("PSQ", "ProShares Short QQQ", "Technology", -1),
    ("QID", "ProShares UltraShort QQQ", "Technology", -2),
    ("SQQQ", "ProShares UltraPro Short QQQ", "Technology", -3),
    ("DOG", "ProShares Short Dow30", None, -1),
    ("DXD", "ProShares UltraShort Dow30", None, -2),
    ("RWM", "ProShares Short Russell2000", None, -1),
    ("TWM", "ProShares UltraShort Russell2000", None, -2),
    ("TZA", "Direxion Daily Small Cap Bear 3X Shares", None, -3),
    ("MYY", "ProShares Short MidCap400", None, -1),
    ("SBB", "ProShares Short SmallCap600", None, -1),
    ("SEF", "ProShares Short Financials", "Financials", -1),
    ("SKF", "ProShares UltraShort Financials", "Financials", -2),
    ("REW", "ProShares UltraShort Technology", "Technology", -2),
    ("SSG", "ProShares UltraShort Semiconductors", "Technology", -2),
    ("DUG", "ProShares UltraShort Energy", "Energy", -2),
    ("ERY", "Direxion Daily Energy Bear 2X Shares", "Energy", -2),
    ("RXD", "ProShares UltraShort Health Care", "Healthcare", -2),
    ("REK", "ProShares Short Real Estate", "Real Estate", -1),
    ("SRS", "ProShares UltraShort Real Estate", "Real Estate", -2),
    ("SDP", "ProShares UltraShort Utilities", "Utilities", -2),
    ("SIJ", "ProShares UltraShort Industrials", "Industrials", -2),
    ("SMN", "ProShares UltraShort Materials", "Materials", -2),
    ("SCC", "ProShares UltraShort Consumer Discretionary", "Consumer Discretionary", -2),
    ("SZK", "ProShares UltraShort Consumer Staples", "Consumer Staples", -2),
)
_HEADS = (
    "Alder",
    "Amber",
    "Apex",
    "Arbor",
    "Ardent",
    "Aspen",
    "Atlas",
    "Aurora",
    "Beacon",
    "Birch",
    "Blue",
    "Bright",
    "Cascade",
    "Cedar",
    "Cobalt",
    "Copper",
    "Coral",
    "Crest",
    "Delta",
    "Dune",
    "Echo",
    "Elm",
    "Ember",
    "Evergreen",
    "Falcon",
    "Fern",
    "Flint",
    "Frontier",
    "Garnet",
    "Glacier",
    "Granite",
    "Grove",
    "Harbor",
    "Haven",
    "Hawthorn",
    "Helix",
    "Heron",
    "Horizon",
    "Indigo",
    "Iron",
    "Ivory",
    "Jasper",
    "Juniper",
    "Keystone",
    "Lantern",
    "Laurel",
    "Ledge",
    "Lumen",
    "Maple",
    "Marlin",
    "Meadow",
    "Meridian",
    "Mesa",
    "Nimbus",
    "North",
    "Nova",
    "Oak",
    "Onyx",
    "Opal",
    "Orchard",
    "Orion",
    "Osprey",
    "Pearl",
    "Pine",
    "Pioneer",
    "Prairie",
    "Quarry",
    "Quartz",
    "Raven",
    "Redwood",
    "Ridge",
    "River",
    "Rowan",
    "Sable",
    "Saffron",
    "Sequoia",
    "Sierra",
    "Silver",
    "Slate",
    "Solstice",
    "Spruce",
    "Sterling",
    "Summit",
    "Tern",
    "Thistle",
    "Timber",
    "Topaz",
    "Trident",
    "Umber",
    "Vale",
    "Vertex",
    "Vista",
    "Walnut",
    "Willow",
    "Wren",
    "Yarrow",
    "Zenith",
    "Zephyr",
)
_TAILS: dict[str, tuple[str, ...]] = {
    "Technology": ("Systems", "Software", "Semiconductor", "Networks"),
    "Healthcare": ("Therapeutics", "Medical", "Diagnostics", "Biosciences"),
    "Financials": ("Bancorp", "Capital", "Financial", "Insurance Group"),
    "Industrials": ("Industries", "Logistics", "Machinery", "Aerospace"),
    "Consumer Discretionary": ("Brands", "Outfitters", "Restaurants", "Motors"),
    "Consumer Staples": ("Foods", "Beverage", "Household Products", "Markets"),
    "Energy": ("Petroleum", "Energy", "Drilling", "Midstream"),
    "Materials": ("Minerals", "Chemicals", "Steel", "Packaging"),
    "Real Estate": ("Properties", "Realty Trust", "Storage", "Residential"),
    "Utilities": ("Power", "Electric", "Water", "Gas & Light"),
    "Communication Services": ("Media", "Telecom", "Broadcasting", "Interactive"),
}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Universe:
    """Instruments and the parameters of their paths; arrays [symbol]. Row i does not depend on how many rows there are.

    `base_price` dollars; `volume` shares a day; `volatility` of the idiosyncratic daily return; `beta` to the market;
    `factor` row in SECTORS or MARKET_FACTOR; `multiple` of that factor, 0 for ordinary shares.
    """

    instruments: tuple[Instrument, ...]
    base_price: Floats
    volume: Floats
    volatility: Floats
    beta: Floats
    factor: Ints
    multiple: Floats
    half_spread: Floats


def build_universe(seed: int, count: int) -> Universe:
    taken = {symbol for symbol, *_ in ETFS}
    rng = np.random.default_rng([seed, 0x7501])
    instruments: list[Instrument] = []
    rows: list[tuple[float, float, float, float, int, float, float]] = []
    for symbol, name, sector, multiple in ETFS:
        factor = SECTORS.index(sector) if sector else MARKET_FACTOR
        price, volume = (
            (590.0, 60e6) if symbol == "SPY" else (float(rng.uniform(9, 45)), float(rng.uniform(1.5e6, 9e6)))
        )
        instruments.append(
            Instrument(symbol, name, "ARCA", "ETF", shortable=multiple == 1, easy_to_borrow=multiple == 1)
        )
        rows.append((price, volume, 0.0, 0.0, factor, float(multiple), 1.7e-5 if symbol == "SPY" else 1.2e-4))
    while len(instruments) < count:
        instrument, row = _company(rng, taken)
        instruments.append(instrument)
        rows.append(row)
    prices, volumes, volatility, beta, factors, multiples, spread = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    return Universe(tuple(instruments), prices, volumes, volatility, beta, factors.astype(np.int64), multiples, spread)


def _company(
    rng: np.random.Generator, taken: set[str]
) -> tuple[Instrument, tuple[float, float, float, float, int, float, float]]:
    factor = int(rng.integers(len(SECTORS)))
    sector = SECTORS[factor]
    head = _HEADS[int(rng.integers(len(_HEADS)))]
    tail = _TAILS[sector][int(rng.integers(len(_TAILS[sector])))]
    symbol = _ticker(rng, head, tail, taken)
    exchange = ("NASDAQ", "NYSE", "AMEX", "ARCA", "OTC")[int(np.searchsorted((0.52, 0.92, 0.95, 0.96), rng.random()))]
    price = float(np.exp(rng.normal(np.log(32), 0.75)))
    cap = float(np.exp(rng.normal(np.log(4.8e9), 1.0)))
    volume = float(np.clip(np.exp(rng.normal(np.log(1.6e6), 0.8)), 2e4, 6e7))
    has_pe, has_debt = rng.random() > 0.14, rng.random() > 0.08
    pe = Decimal(str(round(float(np.exp(rng.normal(np.log(20), 0.6))), 2)))
    debt = Decimal(str(round(float(np.exp(rng.normal(np.log(0.75), 0.8))), 3)))
    common = rng.random(4)
    tradable = bool(exchange != "OTC" and common[0] > 0.02)
    shortable = bool(tradable and common[1] > 0.12)
    instrument = Instrument(
        symbol,
        f"{head} {tail} Inc. Common Stock",
        exchange,
        sector,
        round(cap / 1000) * 1000,
        pe if has_pe else None,
        debt if has_debt else None,
        tradable,
        shortable,
        bool(shortable and common[2] > 0.1),
        bool(tradable and common[3] > 0.1),
    )
    spread = float(np.clip(2.5e-4 * (1.5e6 / volume) ** 0.5, 5e-5, 6e-3)) * float(rng.uniform(0.7, 1.4))
    return instrument, (
        max(price, 0.8),
        volume,
        float(np.clip(rng.normal(0.016, 0.004), 0.007, 0.04)),
        float(np.clip(rng.normal(1.0, 0.3), 0.2, 2.0)),
        factor,
        0.0,
        spread,
    )


def _ticker(rng: np.random.Generator, head: str, tail: str, taken: set[str]) -> str:
    """Letters of the name, then letters at random until nobody has it."""
    stem = (head[:2] + tail[:2]).upper()
    letters = "".join(letter for letter in stem if letter.isalpha())[: int(rng.integers(3, 5))]
    while letters in taken:
        letters = stem[0] + "".join(_LETTERS[int(at)] for at in rng.integers(0, 26, int(rng.integers(2, 4))))
    taken.add(letters)
    return letters
