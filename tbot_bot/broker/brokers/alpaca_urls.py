"""Where Alpaca (or the paper venue, which speaks like it) is reached."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from tbot_bot.broker.addresses import base_address
from tbot_bot.domain.settings import BrokerCredentials
from tbot_bot.support.loopback import is_loopback

_DEFAULT_DATA = "https://data.alpaca.markets"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses without a trailing slash; the two streams are whole addresses."""

    trading: str
    data: str
    data_stream: str
    trading_stream: str


def endpoints(credentials: BrokerCredentials) -> Endpoints:
    """From BROKER_URL and BROKER_HOST (the data host; empty: the usual one).

    Raises ConfigInvalid for anything but https, http on loopback excepted."""
    trading = _base("BROKER_URL", credentials.broker_url)
    if credentials.broker_host:
        plain = is_loopback(urlsplit(f"//{credentials.broker_host}").hostname or "")
        data = _base("BROKER_HOST", f"{'http' if plain else 'https'}://{credentials.broker_host}")
    elif is_loopback(trading.hostname or ""):
        data = trading
    else:
        data = _base("BROKER_HOST", _DEFAULT_DATA)
    pushed = f"stream.{data.netloc}" if (data.hostname or "").startswith("data.") else data.netloc
    return Endpoints(
        trading=f"{trading.scheme}://{trading.netloc}",
        data=f"{data.scheme}://{data.netloc}",
        data_stream=f"{_socket_scheme(data)}://{pushed}/v2/iex",
        trading_stream=f"{_socket_scheme(trading)}://{trading.netloc}/stream",
    )


def _base(key: str, url: str) -> SplitResult:
    return base_address(key, url, "https://paper-api.alpaca.markets", ("/v2",))


def _socket_scheme(parts: SplitResult) -> str:
    return "wss" if parts.scheme == "https" else "ws"
