"""Alpaca's market data stream: msgpack; bars as each virtual minute ends, quotes and trades at a bounded pace."""

from collections.abc import Mapping, Sequence

import msgpack
import numpy as np
from aiohttp import web

from tbot_bot.paper.market import Floats, Ints, SessionBars, trade_counts
from tbot_bot.paper.sessions import MINUTE_MS, completed_minutes, midnight_ms
from tbot_bot.paper.snapshots import quote_sizes, tape_of, trade_sizes
from tbot_bot.paper.stream_hub import Client, Manner, serve
from tbot_bot.paper.stream_session import DataSessions, as_json, error, pack, timestamp, wants_msgpack
from tbot_bot.paper.venue import Venue

FEEDS = ("iex", "sip", "delayed_sip")
MINUTE_CHANNELS = ("bars", "dailyBars", "statuses", "lulds")
FRAME_MESSAGES = 2000
REFRESH_S = 1.0
BAND = 0.05
WIDE_FIRST_MINUTES, WIDE_LAST_MINUTES = 15, 25


class DataStream:
    """`pulse` is called several times a real second with the virtual present; it sends what has happened since."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.clients: set[Client] = set()
        self._sessions = DataSessions(venue, self.clients)
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
        listening = any(client.channels.get(name) for client in self.clients for name in MINUTE_CHANNELS)
        for day in self._venue.view.days[self._venue.view.position(start) :]:
            if day.close_ms <= start or not listening:
                continue
            if day.open_ms >= now_ms:
                break
            bars = self._venue.market.session(day.day)
            for minute in completed_minutes(day, max(start, day.open_ms), now_ms):
                self._broadcast("bars", self._minute(bars, minute))
                self._broadcast("dailyBars", self._session_so_far(bars, minute))
                self._broadcast("lulds", self._bands(bars, minute))
                self._send_statuses(bars, minute)

    def _minute(self, bars: SessionBars, minute: int) -> dict[str, bytes]:
        rows = self._wanted("bars")
        rows = rows[bars.volume[rows, minute] > 0]
        fields = [array[rows, minute] for array in (bars.open, bars.high, bars.low, bars.close, bars.volume)]
        vwap = (fields[1] + fields[2] + fields[3]) / 3
        return self._bars("b", bars.open_ms + minute * MINUTE_MS, rows, fields, vwap)

    def _session_so_far(self, bars: SessionBars, minute: int) -> dict[str, bytes]:
        rows = self._wanted("dailyBars")
        if not len(rows):
            return {}
        totals = self._venue.view.totals(bars.open_ms + minute * MINUTE_MS)
        rows = rows[totals.volume[rows, minute] > 0]
        volume = totals.volume[rows, minute]
        fields = [
            bars.open[rows, totals.first[rows]],
            totals.high[rows, minute],
            totals.low[rows, minute],
            bars.close[rows, totals.last[rows, minute]],
            volume,
        ]
        return self._bars("d", midnight_ms(bars.day), rows, fields, totals.notional[rows, minute] / volume)

    def _bars(self, kind: str, ms: int, rows: Ints, fields: Sequence[Ints], vwap: Floats) -> dict[str, bytes]:
        """`fields`: open, high, low, close in ticks, and volume."""
        stamp = timestamp(ms)
        volume = fields[4]
        columns = (rows, *(array / 1e4 for array in fields[:4]), volume, trade_counts(volume), vwap / 1e4)
        messages = {}
        for row, o, h, lo, c, v, n, vw in zip(*(column.tolist() for column in columns), strict=True):
            name = self._symbols[row]
            if name not in self._venue.faults.halted:
                bar = {"T": kind, "S": name, "o": o, "h": h, "l": lo, "c": c, "v": v, "t": stamp, "n": n}
                messages[name] = pack(bar | {"vw": round(vw, 6)})
        return messages

    def _bands(self, bars: SessionBars, minute: int) -> dict[str, bytes]:
        """Limit up and limit down around the minute's close, twice as wide near the open and the close."""
        rows = self._wanted("lulds")
        rows = rows[bars.volume[rows, minute] > 0]
        wide = minute < WIDE_FIRST_MINUTES or minute >= bars.minutes - WIDE_LAST_MINUTES
        band = BAND * 2 if wide else BAND
        stamp = timestamp(bars.open_ms + (minute + 1) * MINUTE_MS)
        messages = {}
        for row, price in zip(rows.tolist(), (bars.close[rows, minute] / 1e4).tolist(), strict=True):
            up, down = round(price * (1 + band), 2), round(price * (1 - band), 2)
            luld = {"T": "l", "S": self._symbols[row], "u": up, "d": down, "i": "B", "t": stamp, "z": self._tapes[row]}
            messages[self._symbols[row]] = pack(luld)
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
        stamp = timestamp(now_ms)
        self._broadcast("quotes", self._quotes(rows, bid, ask, stamp, now_ms))
        self._broadcast("trades", self._trades(rows, price, stamp, now_ms))

    def _quotes(self, rows: Ints, bid: Ints, ask: Ints, stamp: msgpack.Timestamp, now_ms: int) -> dict[str, bytes]:
        if not any(client.channels.get("quotes") for client in self.clients):
            return {}
        bid_size, ask_size = quote_sizes(rows, now_ms)
        columns = (rows, bid / 1e4, ask / 1e4, bid_size, ask_size)
        return {
            self._symbols[row]: pack(
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
            self._symbols[row]: pack(
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
        stamp = timestamp(bars.open_ms + following * MINUTE_MS)
        messages = {}
        for name in halted ^ self._halted:
            row = self._venue.market.index.get(name)
            tape = "B" if row is None else self._tapes[row]
            code, text, reason = ("H", "Trading Halt", "T1") if name in halted else ("T", "Trading Resumption", "")
            status = {"T": "s", "S": name, "sc": code, "sm": text, "rc": reason, "rm": "", "z": tape, "t": stamp}
            messages[name] = pack(status)
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
                client.send(_frame(mine[at : at + FRAME_MESSAGES]), error(407))

    # Receiving

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        encode = None if wants_msgpack(request) else as_json
        hello = pack([{"T": "success", "msg": "connected"}])
        return await serve(request, self.clients, Manner(hello, self._sessions.act, error(404), encode))


def _frame(messages: Sequence[bytes]) -> bytes:
    """An array of messages that are packed already."""
    header: bytes = msgpack.Packer().pack_array_header(len(messages))
    return header + b"".join(messages)


def add_routes(app: web.Application, stream: DataStream) -> None:
    for feed in FEEDS:
        app.router.add_get(f"/v2/{feed}", stream.handle)
