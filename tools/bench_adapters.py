"""What the adapters add to the raw clients that they are built on, and how late a pushed message reaches the engine."""

import asyncio
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
from alpaca.trading.client import TradingClient

from tbot_bot.broker.brokers import ibkr_library
from tbot_bot.broker.gateway import BrokerConnection
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderReport, OrderStatus, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.engine.events import OrderReported
from tbot_bot.ports.broker import StreamHandlers
from tbot_bot.runtime.desk import Inbox
from tools.counterparts.rigs import FIRST, AlpacaRig, IbkrRig, Rig, TradierRig
from tools.counterparts.tradier.shape import account_number
from tools.figures import Measure
from tools.stopwatch import medians

ROUNDS = 60
MESSAGES = 40
SPEED = 20
KEY, SECRET = "BENCH", "secret-of-the-test"
_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class _Raw:
    """The same question through the client that the adapter is built on."""

    ask: Callable[[], object]
    name: str
    close: Callable[[], object]


def adapters_bench(folder: Path) -> tuple[Measure, ...]:
    """Median milliseconds of the account's question, and of a pushed fill from its cause to the engine's inbox."""
    found: list[Measure] = []
    for make, raw in ((AlpacaRig, _raw_alpaca), (TradierRig, _raw_tradier), (IbkrRig, _raw_ibkr)):
        rig = make(folder / make.name, SPEED)
        rig.start()
        try:
            rig.run_from(FIRST)
            found += _measured(rig, raw)
        finally:
            rig.close()
    return tuple(found)


def _measured(rig: Rig, raw: Callable[[Rig], _Raw]) -> list[Measure]:
    account = KEY if rig.name == "alpaca" else rig.new_account()
    broker = rig.broker(account)
    try:
        broker.connect()
        bare = raw(rig)
        try:
            ours, theirs = medians(broker.get_positions, bare.ask, ROUNDS)
        finally:
            bare.close()
        measures = [Measure(f"{rig.name}_positions", ours * 1000, theirs * 1000, "ms", bare.name)]
        if broker.capabilities.pushes:
            pushed, asked = _pushed(rig, broker)
            measures.append(
                Measure(f"{rig.name}_fill_to_engine", pushed * 1000, asked * 1000, "ms", "an_order's_answer")
            )
    finally:
        broker.close()
    return measures


def _raw_alpaca(rig: Rig) -> _Raw:
    client = TradingClient(KEY, SECRET, raw_data=True, url_override=f"http://127.0.0.1:{rig.port}")
    return _Raw(client.get_all_positions, "alpaca_py", client._session.close)


def _raw_tradier(rig: Rig) -> _Raw:
    session = requests.Session()
    session.trust_env = False
    token = f"{rig.name.upper()}RAW"
    session.headers.update({"Authorization": f"Bearer {token}", "Accept": "application/json"})
    url = f"http://127.0.0.1:{rig.port}/v1/accounts/{account_number(token)}/positions"
    return _Raw(lambda: session.get(url, timeout=5).json(), "requests_get", session.close)


def _raw_ibkr(rig: Rig) -> _Raw:
    library: Any = ibkr_library.load()
    asyncio.set_event_loop(asyncio.new_event_loop())
    client = library.IB()
    client.connect("127.0.0.1", rig.port, clientId=77_770, timeout=10)
    return _Raw(client.reqPositions, library.__name__, client.disconnect)


def _buy(symbol: Symbol, name: ClientOrderId) -> OrderIntent:
    return OrderIntent(
        client_id=name,
        session=FIRST.date(),
        strategy=StrategyName.OPEN,
        symbol=symbol,
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        trade_id=name,
        created_at=FIRST,
        reason="bench",
        quantity=Decimal(1),
    )


def _pushed(rig: Rig, broker: BrokerConnection) -> tuple[float, float]:
    """Seconds from sending a market order to its fill in the engine's inbox, beside those to the order's own answer."""
    inbox, filled = Inbox(), threading.Event()

    def heard(report: OrderReport) -> None:
        inbox.put(OrderReported(report.at, report))
        if report.status is OrderStatus.FILLED:
            filled.set()

    broker.start(StreamHandlers(lambda bar: None, lambda quote: None, heard, lambda name, up, words: None))
    time.sleep(1.0)
    name = rig.names()[0]
    told: list[float] = []
    answered: list[float] = []
    for number in range(MESSAGES):
        filled.clear()
        order = _buy(name, ClientOrderId(f"tb-bench-{number}"))
        began = time.perf_counter()
        broker.submit_order(order)
        answered.append(time.perf_counter() - began)
        if filled.wait(_WITHIN_S):
            told.append(time.perf_counter() - began)
    return statistics.median(told), statistics.median(answered)
