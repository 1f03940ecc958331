"""Alpaca's two streams, each in a thread with its own event loop, reconnecting for as long as they are wanted.

alpaca-py's connecting, authenticating and receiving are used; its endless `run` is not: an error that is no
WebSocketException makes it read the dead socket again at once, without end; its wait for the first subscription spins;
one message resets its backoff. Here a connection must have held for a while before the pauses grow short again.
Silence is not judged here: the age of data is, by whoever receives it.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from random import SystemRandom
from typing import Any, Protocol

import websockets

from tbot_bot.broker.brokers.alpaca_sockets import DataSocket, TradingSocket
from tbot_bot.broker.brokers.alpaca_urls import Endpoints
from tbot_bot.domain.market import Symbol
from tbot_bot.ports.broker import StreamHandlers

DATA, TRADING = "data", "trading"
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STABLE_S = 30.0
_OPENING_S = 15.0
_JOIN_S = 5.0
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    websockets.WebSocketException,
)
"""What alpaca-py, msgpack and websockets raise for a bad connection or frame."""
_random = SystemRandom()


class _Socket(Protocol):
    async def _start_ws(self) -> None: ...
    async def _consume(self) -> object: ...
    async def close(self) -> None: ...


class AlpacaStreams:
    """Implements ports.Streams; may be started again after a stop. `watch_*` may be called before `start`."""

    def __init__(self, where: Endpoints, key: str, secret: str, symbol_limit: int) -> None:
        self._where = where
        self._key = key
        self._secret = secret
        self._limit = symbol_limit
        self._wanted: dict[str, frozenset[Symbol]] = {"bars": frozenset(), "quotes": frozenset()}
        self._links: tuple[_Link, ...] = ()

    def start(self, handlers: StreamHandlers) -> None:
        if self._links:
            return
        self._links = (
            _DataLink(self._where.data_stream, self._key, self._secret, handlers, self._wanted),
            _TradingLink(self._where.trading_stream, self._key, self._secret, handlers),
        )
        for link in self._links:
            link.start()

    def watch_bars(self, symbols: Sequence[Symbol]) -> None:
        self._watch("bars", symbols)

    def watch_quotes(self, symbols: Sequence[Symbol]) -> None:
        self._watch("quotes", symbols)

    def stop(self) -> None:
        links, self._links = self._links, ()
        for link in links:
            link.ask_to_stop()
        deadline = time.monotonic() + _JOIN_S
        for link in links:
            link.join(max(deadline - time.monotonic(), 0.0))

    def _watch(self, channel: str, symbols: Iterable[Symbol]) -> None:
        """The first `symbol_limit` of the symbols; the feed refuses a longer subscription as a whole."""
        kept = list(dict.fromkeys(symbols))[: self._limit]
        self._wanted[channel] = frozenset(kept)
        for link in self._links:
            link.wants_changed()


class _Link:
    """One stream's thread. `_attempt` connects, says so by `_up`, and returns or raises when the connection ends."""

    name: str

    def __init__(self, url: str, key: str, secret: str, handlers: StreamHandlers) -> None:
        self._url = url
        self._key = key
        self._secret = secret
        self._handlers = handlers
        self._loop = asyncio.new_event_loop()
        self._stopping = False
        self._main: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._up_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"alpaca-{self.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stopping = True
        self._call(self._cancel)

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def wants_changed(self) -> None:
        self._call(self._changed.set)

    def _call(self, act: Callable[[], object]) -> None:
        """On the loop's thread; a loop that has closed has nothing left to do."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act)

    def _cancel(self) -> None:
        if self._main is not None:
            self._main.cancel()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner, suppress(asyncio.CancelledError):
            runner.run(self._keep_up())

    async def _keep_up(self) -> None:
        self._main = asyncio.current_task()
        failures = 0
        while not self._stopping:
            words = "the broker closed the connection"
            try:
                await self._attempt()
            except _BROKEN as error:
                words = f"{type(error).__name__}: {error}"
            failures = 1 if self._held() else failures + 1
            pause = min(_FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10), _LONGEST_PAUSE_S) * _random.uniform(0.5, 1.0)
            self._down(f"{words}; next attempt in {pause:.1f} s")
            await asyncio.sleep(pause)

    async def _attempt(self) -> None:
        raise NotImplementedError

    async def _open(self, socket: _Socket) -> None:
        async with asyncio.timeout(_OPENING_S):
            await socket._start_ws()

    def _up(self) -> None:
        self._up_since = time.monotonic()
        self._handlers.on_state(self.name, True, "connected")

    def _down(self, words: str) -> None:
        self._up_since = None
        self._handlers.on_state(self.name, False, words)

    def _held(self) -> bool:
        return self._up_since is not None and time.monotonic() - self._up_since >= _STABLE_S


class _TradingLink(_Link):
    name = TRADING

    async def _attempt(self) -> None:
        socket: _Socket = TradingSocket(self._url, self._key, self._secret, self._handlers)
        try:
            await self._open(socket)
            self._up()
            await socket._consume()
        finally:
            await _close(socket)


class _DataLink(_Link):
    name = DATA

    def __init__(
        self, url: str, key: str, secret: str, handlers: StreamHandlers, wanted: dict[str, frozenset[Symbol]]
    ) -> None:
        super().__init__(url, key, secret, handlers)
        self._wanted = wanted

    async def _attempt(self) -> None:
        """Connects once there is something to watch, and follows changes of it beside receiving."""
        while not any(self._wanted.values()):
            await self._changed.wait()
            self._changed.clear()
        socket = DataSocket(self._url, self._key, self._secret, self._handlers)
        try:
            await self._open(socket)
            self._changed.set()
            self._up()
            await _first_to_end(socket._consume(), self._follow(socket))
        finally:
            await _close(socket)

    async def _follow(self, socket: DataSocket) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for channel, symbols in tuple(self._wanted.items()):
                await socket.wants(channel, symbols)


async def _first_to_end(*works: Coroutine[Any, Any, object]) -> None:
    """Run all until one ends or fails, end the others, and raise what that one raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _close(socket: _Socket) -> None:
    with suppress(*_BROKEN):
        await socket.close()
