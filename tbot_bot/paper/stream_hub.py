"""Connections of one stream, each with its own queue, so that a slow client holds up nobody."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, WSMsgType, web

QUEUED_FRAMES = 2000


@dataclass(eq=False, slots=True)
class Client:
    """`account` is empty until the client has authenticated. `channels`: what it has subscribed to."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    queue: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(QUEUED_FRAMES))
    account: str = ""
    channels: dict[str, set[str]] = field(default_factory=dict)
    last_words: bytes | None = None

    def send(self, frame: bytes, too_slow: bytes = b"") -> None:
        """Queues a frame; a client whose queue is full gets `too_slow` and is cut off."""
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self.last_words = too_slow

    async def drain(self) -> None:
        """Sends what is queued until the connection ends or has fallen too far behind."""
        try:
            while self.last_words is None:
                await self.socket.send_bytes(await self.queue.get())
            if self.last_words:
                await self.socket.send_bytes(self.last_words)
            await self.socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
        except ConnectionError:
            return


Act = Callable[[Client, str | bytes], None]


@asynccontextmanager
async def connection(request: web.Request, clients: set[Client]) -> AsyncIterator[Client]:
    """A prepared WebSocket that is among `clients` while it lives."""
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    client = Client(socket, request.transport)
    clients.add(client)
    writer = asyncio.create_task(client.drain())
    try:
        yield client
    finally:
        clients.discard(client)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


async def serve(request: web.Request, clients: set[Client], hello: bytes, act: Act) -> web.WebSocketResponse:
    """Says `hello` and hands each message of one connection to `act` until it ends or is to be cut off."""
    async with connection(request, clients) as client:
        if hello:
            client.send(hello)
        async for message in client.socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                act(client, message.data)
            if client.last_words is not None:
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
