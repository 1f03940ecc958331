"""Alpaca's market data stream: msgpack; bars as each virtual minute ends, quotes and trades at a bounded pace."""

from collections.abc import Mapping, Sequence

import msgpack
import numpy as np
from aiohttp import web

from tbot_bot.paper.market import Ints, SessionBars, trade_counts
from tbot_bot.paper.sessions import MINUTE_MS, completed_minutes
from tbot_bot.paper.snapshots import quote_sizes, tape_of, trade_sizes
from tbot_bot.paper.stream_hub import Client, serve
from tbot_bot.paper.venue import Venue

CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "corrections", "cancelErrors")
FRAME_MESSAGES = 2000
REFRESH_S = 1.0
_ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    407: "slow client",
}


class DataStream:
    """`pulse` is called several times a real second with the virtual present; it sends what has happened since."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.clients: set[Client] = set()
        self._symbols = [item.symbol for item in venue.market.instruments]
        self._tapes = [tape_of(item.exchange) for item in venue.market.instruments]
        self._bars_until = venue.clock.now_ms()
        self._price = np.full(len(self._symbols), -1, dtype=np.int64)
        self._sent_at = np.zeros(len(self._symbols))
        self._halted: set[str] = set()

    # Sending

    def send_bars(self, now_ms: int) -> None:
        """One batch for each minute that has ended since the last call."""
        start, self._bars_until = self._bars_until, now_ms
        if now_ms <= start:
            return
        listening = any(client.channels.get("bars") for client in self.clients)
        for day in self._venue.view.days[self._venue.view.position(start) :]:
            if day.close_ms <= start or not listening:
                continue
            if day.open_ms >= now_ms:
                break
            bars = self._venue.market.session(day.day)
            for minute in completed_minutes(day, max(start, day.open_ms), now_ms):
                self._broadcast("bars", self._minute(bars, minute))
                self._send_statuses(bars, minute)

    def _minute(self, bars: SessionBars, minute: int) -> dict[str, bytes]:
        rows = self._wanted("bars")
        rows = rows[bars.volume[rows, minute] > 0]
        stamp = _timestamp(bars.open_ms + minute * MINUTE_MS)
        fields = [array[rows, minute] for array in (bars.open, bars.high, bars.low, bars.close)]
        volume = bars.volume[rows, minute]
        vwap = (fields[1] + fields[2] + fields[3]) / 3e4
        columns = (rows, *(array / 1e4 for array in fields), volume, trade_counts(volume), vwap)
        messages = {}
        for row, o, h, lo, c, v, n, vw in zip(*(column.tolist() for column in columns), strict=True):
            name = self._symbols[row]
            if name not in self._venue.faults.halted:
                bar = {"T": "b", "S": name, "o": o, "h": h, "l": lo, "c": c, "v": v, "t": stamp, "n": n}
                messages[name] = _pack(bar | {"vw": round(vw, 6)})
        return messages

    def send_quotes(self, now_ms: int, real_s: float) -> None:
        """Quotes and trades of the rows whose price has changed, or that have been silent for `REFRESH_S`."""
        wanted = np.union1d(self._wanted("quotes"), self._wanted("trades"))
        if not len(wanted) or not self._venue.view.is_open(now_ms) or not self._venue.clock.running:
            return
        price, bid, ask = self._venue.view.quotes(wanted, now_ms)
        bars, minute = self._venue.view.bars(now_ms), self._venue.view.minute(now_ms)
        due = (price != self._price[wanted]) | (real_s - self._sent_at[wanted] >= REFRESH_S)
        due &= (price > 0) & ~bars.halted[wanted, minute]
        rows, price, bid, ask = wanted[due], price[due], bid[due], ask[due]
        self._price[rows], self._sent_at[rows] = price, real_s
        stamp = _timestamp(now_ms)
        self._broadcast("quotes", self._quotes(rows, bid, ask, stamp, now_ms))
        self._broadcast("trades", self._trades(rows, price, stamp, now_ms))

    def _quotes(self, rows: Ints, bid: Ints, ask: Ints, stamp: msgpack.Timestamp, now_ms: int) -> dict[str, bytes]:
        if not any(client.channels.get("quotes") for client in self.clients):
            return {}
        bid_size, ask_size = quote_sizes(rows, now_ms)
        columns = (rows, bid / 1e4, ask / 1e4, bid_size, ask_size)
        return {
            self._symbols[row]: _pack(
                {
                    "T": "q",
                    "S": self._symbols[row],
                    "bx": "V",
                    "bp": b,
                    "bs": z,
                    "ax": "V",
                    "ap": a,
                    "as": s,
                    "c": ["R"],
                    "z": self._tapes[row],
                    "t": stamp,
                }
            )
            for row, b, a, z, s in zip(*(column.tolist() for column in columns), strict=True)
            if self._symbols[row] not in self._venue.faults.halted
        }

    def _trades(self, rows: Ints, price: Ints, stamp: msgpack.Timestamp, now_ms: int) -> dict[str, bytes]:
        if not any(client.channels.get("trades") for client in self.clients):
            return {}
        columns = (rows, price / 1e4, trade_sizes(rows, now_ms))
        return {
            self._symbols[row]: _pack(
                {
                    "T": "t",
                    "S": self._symbols[row],
                    "i": now_ms % 10**9,
                    "x": "V",
                    "p": p,
                    "s": s,
                    "c": ["@"],
                    "z": self._tapes[row],
                    "t": stamp,
                }
            )
            for row, p, s in zip(*(column.tolist() for column in columns), strict=True)
            if self._symbols[row] not in self._venue.faults.halted
        }

    def _send_statuses(self, bars: SessionBars, minute: int) -> None:
        """Halts and resumptions, once each."""
        following = min(minute + 1, bars.minutes - 1)
        halted = {self._symbols[row] for row in np.flatnonzero(bars.halted[:, following]).tolist()}
        halted |= self._venue.faults.halted
        stamp = _timestamp(bars.open_ms + following * MINUTE_MS)
        messages = {}
        for name in halted ^ self._halted:
            code, text, reason = ("H", "Trading Halt", "T1") if name in halted else ("T", "Trading Resumption", "")
            status = {"T": "s", "S": name, "sc": code, "sm": text, "rc": reason, "rm": "", "z": "C", "t": stamp}
            messages[name] = _pack(status)
        self._halted = halted
        self._broadcast("statuses", messages)

    def _wanted(self, channel: str) -> Ints:
        """Rows that anyone listens to."""
        names: set[str] = set()
        for client in self.clients:
            names |= client.channels.get(channel, set())
        if "*" in names:
            return np.arange(len(self._symbols))
        index = self._venue.market.index
        return np.array(sorted(index[name] for name in names if name in index), dtype=np.int64)

    def _broadcast(self, channel: str, messages: Mapping[str, bytes]) -> None:
        if self._venue.faults.mute_streams or not messages:
            return
        for client in self.clients:
            names = client.channels.get(channel)
            if not names:
                continue
            mine = [message for name, message in messages.items() if "*" in names or name in names]
            for at in range(0, len(mine), FRAME_MESSAGES):
                client.send(_frame(mine[at : at + FRAME_MESSAGES]), _error(407))

    # Receiving

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        return await serve(request, self.clients, _pack([{"T": "success", "msg": "connected"}]), self._act)

    def _act(self, client: Client, data: str | bytes) -> None:
        try:
            message = msgpack.unpackb(data) if isinstance(data, bytes) else None
        except (ValueError, msgpack.UnpackException):
            message = None
        action = message.get("action") if isinstance(message, Mapping) else None
        if not isinstance(message, Mapping) or action not in ("auth", "subscribe", "unsubscribe"):
            client.send(_error(400))
        elif action == "auth":
            self._authenticate(client, str(message.get("key", "")), str(message.get("secret", "")))
        elif not client.account:
            client.send(_error(401))
        else:
            _subscribe(client, message, add=action == "subscribe")

    def _authenticate(self, client: Client, key: str, secret: str) -> None:
        if client.account:
            client.send(_error(403))
            return
        account = self._venue.authenticate(key, secret)
        if account is None:
            client.send(_error(402))
            return
        client.account = account.id
        client.send(_pack([{"T": "success", "msg": "authenticated"}]))


def _subscribe(client: Client, message: Mapping[str, object], *, add: bool) -> None:
    for channel in CHANNELS:
        asked = message.get(channel)
        names = {str(name) for name in asked} if isinstance(asked, Sequence) and not isinstance(asked, str) else set()
        held = client.channels.setdefault(channel, set())
        client.channels[channel] = held | names if add else held - names
    client.send(_pack([{"T": "subscription", **{name: sorted(client.channels[name]) for name in CHANNELS}}]))


def _timestamp(ms: int) -> msgpack.Timestamp:
    return msgpack.Timestamp(ms // 1000, ms % 1000 * 1_000_000)


def _pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


def _frame(messages: Sequence[bytes]) -> bytes:
    """An array of messages that are packed already."""
    header: bytes = msgpack.Packer().pack_array_header(len(messages))
    return header + b"".join(messages)


def _error(code: int) -> bytes:
    return _pack([{"T": "error", "code": code, "msg": _ERRORS[code]}])


def add_routes(app: web.Application, stream: DataStream) -> None:
    app.router.add_get("/v2/iex", stream.handle)
    app.router.add_get("/v2/sip", stream.handle)
