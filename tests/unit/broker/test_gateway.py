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


@pytest.mark.parametrize("name", [BrokerName.IBKR])
def test_a_broker_of_a_later_release_is_refused_with_words(settings: BotSettings, name: BrokerName) -> None:
    with pytest.raises(ConfigInvalid, match="not in this release"):
        open_broker(BrokerCredentials(name), settings, SystemClock(), BrokerLinks())
