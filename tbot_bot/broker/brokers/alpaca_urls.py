"""Where Alpaca (or the paper venue, which speaks like it) is reached."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from tbot_bot.domain.errors import ConfigInvalid
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
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigInvalid(f"{key} is not an address: {error}") from error
    if not host or parts.scheme not in ("http", "https") or parts.username is not None:
        raise ConfigInvalid(f"{key} must be an address such as https://paper-api.alpaca.markets")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigInvalid(f"{key} must begin with https://; plain http is accepted only on this machine")
    if parts.path.rstrip("/") not in ("", "/v2"):
        raise ConfigInvalid(f"{key} must be the base address without the path {parts.path}")
    return parts


def _socket_scheme(parts: SplitResult) -> str:
    return "wss" if parts.scheme == "https" else "ws"
