"""Broker name to adapter."""

import importlib
from collections.abc import Mapping
from typing import Protocol, cast

from tbot_bot.broker.links import BrokerLinks
from tbot_bot.domain.settings import BotSettings, BrokerCredentials, BrokerName
from tbot_bot.ports.broker import Broker, MarketData, Streams
from tbot_bot.ports.clock import MarketClock

_ADAPTERS: Mapping[BrokerName, str] = {
    BrokerName.PAPER: "tbot_bot.broker.brokers.broker_alpaca",
    BrokerName.ALPACA: "tbot_bot.broker.brokers.broker_alpaca",
    BrokerName.IBKR: "tbot_bot.broker.brokers.broker_ibkr",
    BrokerName.TRADIER: "tbot_bot.broker.brokers.broker_tradier",
}
"""Modules with a function `build`, imported when their broker is opened: alpaca-py alone takes 1.6 s."""


class BrokerConnection(Broker, MarketData, Streams, Protocol):
    """All that an adapter is."""

    def close(self) -> None:
        """Stop the streams and give the connections back."""
        ...


class _Factory(Protocol):
    def build(
        self, credentials: BrokerCredentials, settings: BotSettings, clock: MarketClock, links: BrokerLinks
    ) -> BrokerConnection: ...


def open_broker(
    credentials: BrokerCredentials, settings: BotSettings, clock: MarketClock, links: BrokerLinks
) -> BrokerConnection:
    """The adapter of `credentials.broker_code`; nothing is asked of the broker yet. Raises ConfigInvalid."""
    module = _ADAPTERS[credentials.broker_code]
    return cast("_Factory", importlib.import_module(module)).build(credentials, settings, clock, links)
