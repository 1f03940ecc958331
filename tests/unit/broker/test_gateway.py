import pytest

from tbot_bot.broker.gateway import open_broker
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.domain.errors import ConfigInvalid
from tbot_bot.domain.settings import BotSettings, BrokerCredentials, BrokerName
from tbot_bot.support.clock import SystemClock


@pytest.fixture
def settings() -> BotSettings:
    parsed = parse({}, "v1.0.0")
    assert isinstance(parsed, ParsedConfig)
    return parsed.bot


@pytest.mark.parametrize("name", [BrokerName.PAPER, BrokerName.ALPACA])
def test_paper_and_alpaca_speak_alpaca(settings: BotSettings, name: BrokerName) -> None:
    credentials = BrokerCredentials(name, broker_url="http://127.0.0.1:8090", broker_api_key="k", broker_secret_key="s")
    broker = open_broker(credentials, settings, SystemClock(), BrokerLinks())
    assert broker.capabilities.bracket
    broker.close()


@pytest.mark.parametrize(("name", "url"), [(BrokerName.IBKR, ""), (BrokerName.TRADIER, "https://sandbox.tradier.com")])
def test_every_broker_has_an_adapter_that_asks_nothing_when_it_is_made(
    settings: BotSettings, name: BrokerName, url: str
) -> None:
    credentials = BrokerCredentials(name, broker_url=url, broker_api_key="k", broker_account_number="n")
    broker = open_broker(credentials, settings, SystemClock(), BrokerLinks())
    assert broker.capabilities.replaces_in_place
    broker.close()


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        (BrokerName.IBKR, {"broker_host": "10.0.0.7:4001"}, "on this machine"),
        (BrokerName.IBKR, {"broker_host": "127.0.0.1:port"}, "a host and a port"),
        (BrokerName.TRADIER, {"broker_url": "http://api.tradier.com"}, "https"),
        (BrokerName.TRADIER, {"broker_url": "https://api.tradier.com/v2"}, "without the path"),
        (BrokerName.TRADIER, {"broker_url": "https://api.tradier.com", "broker_api_key": ""}, "BROKER_API_KEY"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_with_words(
    settings: BotSettings, name: BrokerName, where: dict[str, str], words: str
) -> None:
    given = {"broker_api_key": "k", "broker_account_number": "n", **where}
    with pytest.raises(ConfigInvalid, match=words):
        open_broker(BrokerCredentials(name, **given), settings, SystemClock(), BrokerLinks())
