"""The gateway as a face: connections, handshake, who is who, and what the exchange does told to whom it concerns."""

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from tbot_bot.paper.book import Account, OrderEvent
from tbot_bot.paper.face import Fail
from tbot_bot.paper.venue import Venue
from tools.counterparts.ib_gateway import messages
from tools.counterparts.ib_gateway.accounts import account_number
from tools.counterparts.ib_gateway.data import Data
from tools.counterparts.ib_gateway.desk import Desk
from tools.counterparts.ib_gateway.messages import Fields, frame, name_of
from tools.counterparts.ib_gateway.requests import Unreadable

SERVER_VERSION = 176
SECRET = "behind-the-gateway"  # noqa: S105 - the socket has no credentials; the exchange wants some
MESSAGES_A_SECOND = 50
_LONGEST = 1 << 20
_PLACE = 3
_FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)
_WORDS = {
    1100: "Connectivity between IB and Trader Workstation has been lost.",
    1101: "Connectivity between IB and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IB and Trader Workstation has been restored - data maintained.",
    2103: "Market data farm connection is broken:usfarm",
    2104: "Market data farm connection is OK:usfarm",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
}


class Connection:
    """One client. `client` is its id, -1 until it has said it."""

    def __init__(self, writer: asyncio.StreamWriter, muted: Callable[[], bool]) -> None:
        self._writer = writer
        self._muted = muted
        self.client = -1
        self.account: Account | None = None
        self.times: deque[float] = deque()
        self.follows_positions = False
        self.silent = False

    def send(self, *told: Fields) -> None:
        if not self.silent and not self._muted() and not self._writer.is_closing():
            self._writer.write(b"".join(frame(fields) for fields in told))

    def abort(self) -> None:
        self._writer.transport.abort()

    @property
    def number(self) -> str:
        return account_number(self.client)


class IbGatewayFace:
    """Listens on one port; each account's orders are told to the client that placed them."""

    def __init__(self, venue: Venue, fail: Fail) -> None:
        self._venue = venue
        self._fail = fail
        self._clients: dict[int, Connection] = {}
        self._server: asyncio.Server | None = None
        self._desk = Desk(venue)
        self._data = Data(venue)
        venue.exchange.listen(self._tell)

    async def start(self, host: str, port: int) -> int:
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    def move(self, now_ms: int, real_s: float, step: int) -> None:
        code, self._venue.faults.announce = self._venue.faults.announce, 0
        for connection in list(self._clients.values()):
            if code:
                connection.send(messages.error(-1, code, _WORDS.get(code, "announced")))
            self._data.move(connection, now_ms, step)

    def drop(self) -> int:
        count = len(self._clients)
        for connection in list(self._clients.values()):
            connection.abort()
        return count

    def listeners(self) -> int:
        return len(self._clients)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.drop()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 1)

    # connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(writer, lambda: self._venue.faults.mute_streams)
        try:
            await self._handshake(reader, connection)
            while True:
                fields = await _read(reader)
                if fields is None:
                    break
                await self._act(connection, fields)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError, IndexError):
            pass
        finally:
            if self._clients.get(connection.client) is connection:
                del self._clients[connection.client]
            self._data.forget(connection)
            writer.close()

    async def _handshake(self, reader: asyncio.StreamReader, connection: Connection) -> None:
        if await reader.readexactly(4) != b"API\0":
            raise ValueError("not a client")
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        offered = (await reader.readexactly(min(length, 200))).decode().split(" ")[0].lstrip("v")
        least, _, most = offered.partition("..")
        version = min(int(most or least), SERVER_VERSION)
        if version < SERVER_VERSION:
            raise ValueError("a client older than what is spoken here")
        connection.send([version, "20260105 10:00:00 EST"])

    async def _act(self, connection: Connection, fields: list[str]) -> None:
        kind = int(fields[0])
        if connection.client < 0:
            if kind == 71:
                self._log_in(connection, int(fields[2]))
            return
        if not self._paced(connection):
            connection.send(messages.error(-1, 100, "Max rate of messages per second has been exceeded."))
            return
        faults = self._venue.faults
        if faults.latency_ms:
            await asyncio.sleep(faults.latency_ms / 1000)
        cut = faults.take_cut("POST" if kind == _PLACE else "GET")
        connection.silent = bool(cut)
        if cut == "before":
            connection.abort()
            return
        try:
            if not self._desk.act(connection, kind, fields):
                self._data.act(connection, kind, fields)
        except Unreadable as wrong:
            number = int(fields[1]) if kind in (_PLACE, 20) else int(fields[2])
            connection.send(messages.error(number, wrong.code, str(wrong)))
        if cut:
            connection.abort()

    def _log_in(self, connection: Connection, client: int) -> None:
        if client in self._clients:
            connection.send(messages.error(-1, 326, "Unable to connect as the client id is already in use."))
            raise ConnectionError("the id is taken")
        connection.client = client
        connection.account = self._venue.authenticate(connection.number, SECRET)
        self._clients[client] = connection
        connection.send([15, 1, connection.number], [9, 1, self._desk.next_number(client)])
        connection.send(*(messages.error(-1, code, words) for code, words in _FARMS))

    def _paced(self, connection: Connection) -> bool:
        now, times = asyncio.get_running_loop().time(), connection.times
        while times and now - times[0] > 1.0:
            times.popleft()
        times.append(now)
        return len(times) <= MESSAGES_A_SECOND

    # events

    def _tell(self, event: OrderEvent) -> None:
        """To the client that placed the order; fills go through the faults."""
        connection = self._clients.get(name_of(event.order).client)
        if connection is None:
            return
        told = self._desk.told(event, connection.number)
        if event.fill is not None and connection.follows_positions:
            told += self._desk.positions_changed(event.order.symbol, connection)
        faults = self._venue.faults
        if event.fill is None:
            connection.send(*told)
        elif not faults.take("missing_fills"):
            copies = told * 2 if faults.take("duplicate_fills") else told
            if faults.late_fills_ms:
                asyncio.get_running_loop().call_later(faults.late_fills_ms / 1000, connection.send, *copies)
            else:
                connection.send(*copies)


async def _read(reader: asyncio.StreamReader) -> list[str] | None:
    """The fields of the next frame; None at the end."""
    head = await reader.read(4)
    if not head:
        return None
    while len(head) < 4:
        head += await reader.readexactly(4 - len(head))
    (length,) = struct.unpack(">I", head)
    if length > _LONGEST:
        raise ValueError("a frame of this length is nonsense")
    return (await reader.readexactly(length)).decode(errors="replace").split("\0")[:-1]
