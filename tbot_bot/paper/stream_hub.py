"""Connections of one stream, each with its own queue, so that a slow client holds up nobody."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, WSMsgType, web

QUEUED_FRAMES = 2000
LOGIN_S = 10.0
GOODBYE_S = 1.0


@dataclass(eq=False, slots=True)
class Client:
    """`account` is empty until the client has authenticated. `channels`: what it has subscribed to.

    `encode` makes text of a frame for clients that do not read the stream's own encoding."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    feed: str = ""
    encode: Callable[[bytes], str] | None = None
    queue: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(QUEUED_FRAMES))
    account: str = ""
    channels: dict[str, set[str]] = field(default_factory=dict)
    _last_words: bytes | None = None

    @property
    def is_cut(self) -> bool:
        return self._last_words is not None

    def send(self, frame: bytes, too_slow: bytes = b"") -> None:
        """Queues a frame; a client whose queue is full gets `too_slow` and is cut off."""
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self._last_words = too_slow

    def cut(self, words: bytes) -> None:
        """Ends the connection after `words`; what is queued before them is not sent."""
        if self._last_words is None:
            self._last_words = words
            if self.queue.empty():
                self.queue.put_nowait(b"")

    async def drain(self) -> None:
        """Sends what is queued until the connection ends or is cut off."""
        try:
            while True:
                frame = await self.queue.get()
                if self._last_words is not None:
                    break
                await self._write(frame)
            if self._last_words:
                await self._write(self._last_words)
            await self.socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
        except ConnectionError:
            return

    async def _write(self, frame: bytes) -> None:
        if self.encode is None:
            await self.socket.send_bytes(frame)
        else:
            await self.socket.send_str(self.encode(frame))


Act = Callable[[Client, str | bytes], None]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a stream treats a new connection: what it says first, how it reads and encodes, and the words for a client
    that has not logged in after `LOGIN_S`."""

    hello: bytes
    act: Act
    late: bytes = b""
    encode: Callable[[bytes], str] | None = None


@asynccontextmanager
async def _connection(request: web.Request, clients: set[Client], manner: Manner) -> AsyncIterator[Client]:
    """A prepared WebSocket that is among `clients` while it lives."""
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    client = Client(socket, request.transport, request.path.rpartition("/")[2], manner.encode)
    clients.add(client)
    writer = asyncio.create_task(client.drain())
    patience = asyncio.get_running_loop().call_later(LOGIN_S, _end_stranger, client, manner.late)
    try:
        yield client
    finally:
        patience.cancel()
        clients.discard(client)
        # Last words are on their way: a client that does not take them is not waited for.
        if client.is_cut:
            await asyncio.wait([writer], timeout=GOODBYE_S)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


def _end_stranger(client: Client, words: bytes) -> None:
    if not client.account:
        client.cut(words)


async def serve(request: web.Request, clients: set[Client], manner: Manner) -> web.WebSocketResponse:
    """Says hello and hands each message of one connection to `act` until it ends or is to be cut off."""
    async with _connection(request, clients, manner) as client:
        if manner.hello:
            client.send(manner.hello)
        async for message in client.socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                manner.act(client, message.data)
            if client.is_cut:
                break
        return client.socket


def drop(clients: Iterable[Client]) -> int:
    """Cuts connections without a goodbye, as a failing network does; returns how many."""
    cut = 0
    for client in list(clients):
        if client.transport is not None:
            client.transport.abort()
            cut += 1
    return cut


def subscribed(clients: Iterable[Client]) -> int:
    """How many clients have authenticated and listen to something."""
    return sum(1 for client in clients if client.account and client.channels)
