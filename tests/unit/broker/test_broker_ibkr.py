"""What the adapter says before there is a gateway; and who comes first, the sender or who gives up."""

import asyncio
import socket
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tbot_bot.broker.brokers.broker_ibkr import IbkrBroker, IbkrOptions
from tbot_bot.broker.brokers.ibkr_session import Gate
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.domain.errors import BrokerUnavailable, ConfigInvalid, OrderRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.settings import BrokerCredentials, BrokerName
from tbot_bot.support.clock import SystemClock

AT = datetime(2026, 6, 1, 14, 0, tzinfo=UTC)
OURS = ClientOrderId("tb-1")
ENTRY = OrderIntent(
    client_id=OURS,
    session=date(2026, 6, 1),
    strategy=StrategyName.OPEN,
    symbol=Symbol("SPY"),
    side=Side.BUY,
    purpose=Purpose.ENTRY,
    trade_id=OURS,
    created_at=AT,
    reason="test",
    quantity=Decimal(4),
)


def _broker(host: str) -> IbkrBroker:
    credentials = BrokerCredentials(BrokerName.IBKR, broker_host=host, broker_account_number="DU1")
    return IbkrBroker(credentials, IbkrOptions(1.0, 0), SystemClock(), BrokerLinks())


@pytest.mark.parametrize(
    "host", ["192.0.2.1:4002", "gateway.example:4002", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:70000"]
)
def test_a_gateway_elsewhere_or_at_no_port_is_refused_in_words(host: str) -> None:
    with pytest.raises(ConfigInvalid, match="BROKER_HOST"):
        _broker(host)


def test_no_gateway_at_the_port_is_said_in_words_and_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        broker = _broker(f"127.0.0.1:{taken.getsockname()[1]}")
        try:
            with pytest.raises(BrokerUnavailable, match="start it, log in and allow its API"):
                broker.connect()
            with pytest.raises(OrderRefused, match="not sent"):
                broker.submit_order(ENTRY)
        finally:
            broker.close()


def test_what_is_given_up_is_never_sent_and_what_is_sent_is_not_given_up() -> None:
    late, early = Gate(), Gate()
    assert not late.give_up()
    with pytest.raises(asyncio.CancelledError):
        late.send()
    early.send()
    assert early.give_up()
