"""1,000 symbols' quotes through the Alpaca adapter, beside bare GETs of the same addresses."""

from pathlib import Path

import requests

from tbot_bot.broker.brokers.broker_alpaca import AlpacaBroker, AlpacaOptions
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.settings import BrokerCredentials, BrokerName
from tbot_bot.support.clock import FollowedClock
from tools.figures import Measure
from tools.stopwatch import medians
from tools.venue_process import HEADERS, KEY, SECRET, VenueProcess

SYMBOLS = 1000
SYMBOLS_A_CALL = 500
LISTED = 1200
ROUNDS = 7
SPEED = 60


def quotes_bench(folder: Path) -> tuple[Measure, ...]:
    """Median milliseconds of one question for 1,000 snapshots. The market is open; the venue is the paper one."""
    venue = VenueProcess(folder, SPEED, LISTED)
    venue.start()
    try:
        venue.open_market()
        broker = _broker(venue.url)
        try:
            names = [asset.symbol for asset in broker.get_assets() if asset.tradable][:SYMBOLS]
            addresses = _addresses(venue.url, names)
            with requests.Session() as session:
                session.trust_env = False

                def bare() -> None:
                    for address in addresses:
                        session.get(address, headers=HEADERS, timeout=30).raise_for_status()

                ours, theirs = medians(lambda: broker.quotes(names), bare, ROUNDS)
        finally:
            broker.close()
    finally:
        venue.end()
    return (Measure("quotes_1000", ours * 1000, theirs * 1000, "ms", "bare_requests_get"),)


def _broker(url: str) -> AlpacaBroker:
    clock = FollowedClock()
    credentials = BrokerCredentials(BrokerName.PAPER, broker_url=url, broker_api_key=KEY, broker_secret_key=SECRET)
    broker = AlpacaBroker(credentials, AlpacaOptions(30.0, 3, SYMBOLS), clock, BrokerLinks())
    told = broker.get_clock()
    clock.sample(told.now, float(told.speed))
    return broker


def _addresses(url: str, names: list[Symbol]) -> list[str]:
    """As the adapter asks: so many symbols a call."""
    starts = range(0, len(names), SYMBOLS_A_CALL)
    chunks = (",".join(names[start : start + SYMBOLS_A_CALL]) for start in starts)
    return [f"{url}/v2/stocks/snapshots?symbols={chunk}&feed=iex" for chunk in chunks]
