import pytest

from tbot_bot.broker.brokers.alpaca_urls import endpoints
from tbot_bot.domain.errors import ConfigInvalid
from tbot_bot.domain.settings import BrokerCredentials, BrokerName


def where(url: str, host: str = ""):  # type: ignore[no-untyped-def]
    return endpoints(BrokerCredentials(BrokerName.ALPACA, broker_url=url, broker_host=host))


def test_loopback_serves_data_and_streams_from_the_same_base() -> None:
    found = where("http://127.0.0.1:8090/")
    assert (found.trading, found.data) == ("http://127.0.0.1:8090",) * 2
    assert found.data_stream == "ws://127.0.0.1:8090/v2/iex"
    assert found.trading_stream == "ws://127.0.0.1:8090/stream"


def test_alpaca_has_its_own_data_and_stream_hosts() -> None:
    found = where("https://paper-api.alpaca.markets/v2")
    assert found.trading == "https://paper-api.alpaca.markets"
    assert found.data == "https://data.alpaca.markets"
    assert found.data_stream == "wss://stream.data.alpaca.markets/v2/iex"
    assert found.trading_stream == "wss://paper-api.alpaca.markets/stream"


def test_the_data_host_can_be_named() -> None:
    found = where("https://api.alpaca.markets", "data.sandbox.alpaca.markets")
    assert found.data == "https://data.sandbox.alpaca.markets"
    assert found.data_stream == "wss://stream.data.sandbox.alpaca.markets/v2/iex"


@pytest.mark.parametrize(
    "url",
    [
        "http://paper-api.alpaca.markets",
        "http://127.0.0.1.evil.example",
        "ftp://127.0.0.1",
        "https://user:password@api.alpaca.markets",
        "https://api.alpaca.markets/elsewhere",
        "https://[::1",
        "http://10.0.0.1:8090",
        "",
    ],
)
def test_anything_but_tls_or_loopback_is_refused(url: str) -> None:
    with pytest.raises(ConfigInvalid, match="BROKER_URL"):
        where(url)
