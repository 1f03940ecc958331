"""What the streams make of a broker that misbehaves; the contract tests hold the good cases."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tbot_bot.broker.brokers.alpaca_sockets import DataSocket, TradingSocket
from tbot_bot.broker.brokers.alpaca_streams import AlpacaStreams
from tbot_bot.broker.brokers.alpaca_urls import Endpoints
from tbot_bot.domain.market import Symbol
from tbot_bot.ports.broker import StreamHandlers


class Door:
    """A TCP listener that counts who knocks, says `words` and hangs up."""

    def __init__(self, words: bytes = b"") -> None:
        self._words = words
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.knocks = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                guest, _ = self._listener.accept()
                self.knocks += 1
                with guest, contextlib.suppress(OSError):
                    if self._words:
                        guest.recv(4096)
                        guest.sendall(self._words)


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.close()


class Heard:
    def __init__(self) -> None:
        self.bars: list[Any] = []
        self.quotes: list[Any] = []
        self.orders: list[Any] = []
        self.states: list[tuple[str, bool, str]] = []

    def handlers(self) -> StreamHandlers:
        return StreamHandlers(
            self.bars.append, self.quotes.append, self.orders.append, lambda *state: self.states.append(state)
        )


def streams_at(port: int) -> AlpacaStreams:
    base = f"127.0.0.1:{port}"
    where = Endpoints(f"http://{base}", f"http://{base}", f"ws://{base}/v2/iex", f"ws://{base}/stream")
    return AlpacaStreams(where, "KEY", "SECRET-VALUE", 2)


def knock_for(port: int, seconds: float) -> Heard:
    heard, streams = Heard(), streams_at(port)
    streams.watch_bars([Symbol("A")])
    streams.start(heard.handlers())
    time.sleep(seconds)
    streams.stop()
    return heard


def test_a_broker_that_hangs_up_is_not_hammered(door: Door) -> None:
    heard = knock_for(door.port, 1.5)
    assert 2 <= door.knocks <= 8
    assert not any(connected for _, connected, _ in heard.states)
    assert {name for name, _, _ in heard.states} == {"data", "trading"}


def test_a_redirect_is_not_followed(door: Door) -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:{door.port}/\r\nContent-Length: 0\r\n\r\n"
    redirecting = Door(head.encode())
    knock_for(redirecting.port, 0.7)
    redirecting.close()
    assert redirecting.knocks >= 2
    assert door.knocks == 0


def test_the_data_stream_connects_only_when_something_is_watched(door: Door) -> None:
    heard, streams = Heard(), streams_at(door.port)
    streams.start(heard.handlers())
    time.sleep(0.4)
    assert "data" not in {name for name, _, _ in heard.states}
    streams.watch_quotes([Symbol("A")])
    time.sleep(0.4)
    streams.stop()
    assert "data" in {name for name, _, _ in heard.states}


def test_waiting_costs_no_processor_time(door: Door) -> None:
    streams = streams_at(door.port)
    before = time.process_time()
    streams.start(Heard().handlers())
    time.sleep(0.8)
    used = time.process_time() - before
    streams.stop()
    assert used < 0.3


def test_stopping_twice_or_before_the_start_is_no_error(door: Door) -> None:
    streams = streams_at(door.port)
    streams.stop()
    streams.start(Heard().handlers())
    streams.stop()
    streams.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("alpaca-")]


def test_an_unreadable_message_is_dropped_and_the_next_one_read() -> None:
    heard = Heard()
    socket_ = DataSocket("ws://127.0.0.1:1", "KEY", "SECRET", heard.handlers())
    bad = {"T": "b", "S": "A", "t": "2026-01-05T15:00:00Z", "o": None}
    good = {"T": "q", "S": "A", "t": "2026-01-05T15:00:00Z", "bp": 1, "ap": 2, "unknown": []}
    for message in (bad, {"T": "q"}, {"T": "from the future"}, good):
        asyncio.run(socket_._dispatch(message))
    assert (len(heard.bars), len(heard.quotes)) == (0, 1)


@pytest.mark.parametrize(("code", "fatal"), [(402, True), (406, True), (407, True), (405, False), (409, False)])
def test_a_refusal_that_ends_the_connection_is_told_from_one_that_does_not(code: int, fatal: bool) -> None:
    socket_ = DataSocket("ws://127.0.0.1:1", "KEY", "SECRET", Heard().handlers())
    message = {"T": "error", "code": code, "msg": "no"}
    if fatal:
        with pytest.raises(ConnectionError, match=str(code)):
            asyncio.run(socket_._dispatch(message))
    else:
        asyncio.run(socket_._dispatch(message))


def test_order_updates_are_read_and_rubbish_is_dropped() -> None:
    heard = Heard()
    socket_ = TradingSocket("ws://127.0.0.1:1", "KEY", "SECRET", heard.handlers())
    order = {
        "id": "b1",
        "client_order_id": "c1",
        "symbol": "A",
        "side": "buy",
        "status": "filled",
        "filled_qty": "1",
        "updated_at": "2026-01-05T15:00:00Z",
    }
    update = {"stream": "trade_updates", "data": {"event": "fill", "order": order}}
    for message in ({"stream": "listening", "data": {}}, {"stream": "trade_updates", "data": {}}, {}, update):
        asyncio.run(socket_._dispatch(message))
    assert [report.client_id for report in heard.orders] == ["c1"]
