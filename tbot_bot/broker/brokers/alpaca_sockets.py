"""One connection to each of Alpaca's streams: alpaca-py's protocol handling, our parsing, no redirects."""

import logging
from collections.abc import Mapping
from typing import Any

import msgpack
from alpaca.data.live.stock import StockDataStream
from alpaca.trading.stream import TradingStream
from websockets.legacy import client as legacy

from tbot_bot.broker.brokers.alpaca_wire import parse_bar, parse_order, parse_quote
from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.market import Symbol
from tbot_bot.ports.broker import StreamHandlers

_FATAL_CODES = frozenset({402, 404, 406, 407})
"""Authentication failed or timed out, too many connections, too slow: this connection is of no more use."""
_log = logging.getLogger("tbot.alpaca")


class _Connect(legacy.Connect):
    """A redirect would carry the keys to another host: the first attempt is the only one."""

    MAX_REDIRECTS_ALLOWED = 1


async def _open(url: str, kind: str) -> Any:
    return await _Connect(
        url,
        extra_headers={"Content-Type": kind},
        ping_interval=10,
        ping_timeout=10,
        open_timeout=10,
        close_timeout=1,
        max_queue=1024,
    )


async def _ignore(_: Any) -> None:
    """alpaca-py wants a handler for what it subscribes; the messages are taken in `_dispatch` instead."""


class DataSocket(StockDataStream):
    """Bars and quotes, parsed, to the handlers."""

    def __init__(self, url: str, key: str, secret: str, handlers: StreamHandlers) -> None:
        super().__init__(key, secret, raw_data=True, url_override=url)
        self._to = handlers

    async def wants(self, channel: str, symbols: frozenset[Symbol]) -> None:
        """Make `symbols` the subscription of `channel` (bars or quotes). Sends only differences."""
        had = frozenset(self._handlers[channel])
        self._handlers[channel] = dict.fromkeys(sorted(symbols), _ignore)
        if symbols - had:
            await self._send_subscribe_msg()
        if had - symbols:
            await self._send_unsubscribe_msg(channel, sorted(had - symbols))

    async def _connect(self) -> None:
        socket = await _open(self._endpoint, "application/msgpack")
        self._ws = socket
        greeting = msgpack.unpackb(await socket.recv())
        if greeting[0].get("T") != "success":
            raise ValueError(f"the feed greets with {greeting[0].get('msg')}")

    async def _dispatch(self, msg: dict[str, Any]) -> None:
        try:
            match msg.get("T"):
                case "b":
                    self._to.on_bar(parse_bar(str(msg.get("S")), msg))
                case "q":
                    self._to.on_quote(parse_quote(msg))
                case "error":
                    self._refused(msg)
        except DataInvalid as error:
            _log.warning("unreadable market data", extra={"fields": {"why": str(error)}})

    def _refused(self, msg: Mapping[str, Any]) -> None:
        words = f"the feed says {msg.get('code')}: {msg.get('msg')}"
        if msg.get("code") in _FATAL_CODES:
            raise ConnectionError(words)
        _log.warning("the feed refused a request", extra={"fields": {"why": words}})


class TradingSocket(TradingStream):
    """Order updates, parsed, to the handlers."""

    def __init__(self, url: str, key: str, secret: str, handlers: StreamHandlers) -> None:
        super().__init__(key, secret, raw_data=True, url_override=url)
        self._to = handlers
        self.subscribe_trade_updates(_ignore)

    async def _connect(self) -> None:
        self._ws = await _open(self._endpoint, "application/json")

    async def _dispatch(self, msg: dict[str, Any]) -> None:
        data = msg.get("data")
        if msg.get("stream") != "trade_updates" or not isinstance(data, Mapping):
            return
        try:
            self._to.on_order(parse_order(data.get("order")))
        except DataInvalid as error:
            _log.warning("unreadable order update", extra={"fields": {"why": str(error)}})
