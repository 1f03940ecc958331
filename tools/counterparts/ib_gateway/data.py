"""Market data of a gateway's client: contracts, quotes live and delayed, bars past and running."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tbot_bot.paper.sessions import MINUTE_MS, NEW_YORK, TradingDay, utc
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.view import dollars
from tools.counterparts.ib_gateway import messages
from tools.counterparts.ib_gateway.messages import Fields
from tools.counterparts.ib_gateway.requests import History, Unreadable, Wanted, read_contract, read_history

if TYPE_CHECKING:
    from tools.counterparts.ib_gateway.face import Connection

LINES = 100
HISTORY_REQUESTS, HISTORY_SPAN_MS = 60, 600_000
LIVE, DELAYED = 1, 3
_BID, _ASK, _LAST, _CLOSE, _HALTED, _SHORTABLE, _SHORTABLE_SHARES, _STAMP = 1, 2, 4, 9, 49, 46, 89, 45
_AS_DELAYED = {_BID: 66, _ASK: 67, _LAST: 68, _CLOSE: 75, _STAMP: 88}
_EVERY_STEPS = 5
_HMDS = "Historical Market Data Service error message:"


@dataclass(slots=True)
class _Client:
    """What one connection has asked to be kept told. `minutes`: request → (row, minute told last)."""

    kind: int = LIVE
    lines: dict[int, tuple[int, bool]] = field(default_factory=dict)
    told: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    running: dict[int, tuple[int, History]] = field(default_factory=dict)
    asked: deque[int] = field(default_factory=deque)


class Data:
    """`delayed_only` accounts have no subscription: their live requests are told so (354)."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._clients: dict[Connection, _Client] = {}
        self._acts: dict[int, Callable[[Connection, list[str]], None]] = {
            1: self._quote,
            2: lambda connection, fields: self._stop_quote(connection, int(fields[2])),
            9: self._details,
            20: self._history,
            25: self._stop_history,
            49: self._time,
            59: self._kind,
        }

    def act(self, connection: "Connection", kind: int, fields: list[str]) -> None:
        act = self._acts.get(kind)
        if act is not None:
            act(connection, fields)

    def forget(self, connection: "Connection") -> None:
        self._clients.pop(connection, None)

    def move(self, connection: "Connection", now_ms: int, step: int) -> None:
        """Tells changed quotes, and bars of minutes that are complete."""
        client = self._clients.get(connection)
        if client is None or step % _EVERY_STEPS:
            return
        for number, (row, shortable) in list(client.lines.items()):
            told = self._ticks(number, row, client.kind, now_ms, shortable=shortable)
            if client.told.get(number) != told:
                client.told[number] = told
                connection.send(*told)
        for number, (row, history) in list(client.running.items()):
            for bar in self._bars(row, history, now_ms, running=True)[-1:]:
                connection.send(messages.historical_update(number, bar))

    def _client(self, connection: "Connection") -> _Client:
        return self._clients.setdefault(connection, _Client())

    def _row(self, wanted: Wanted) -> int:
        row = wanted.con_id - messages.FIRST_CON_ID
        if not wanted.symbol and 0 <= row < len(self._venue.market.instruments):
            return row
        found = self._venue.market.index.get(wanted.symbol)
        if found is None or wanted.kind not in ("", "STK"):
            raise Unreadable(200, "No security definition has been found for the request")
        return found

    # contracts and time

    def _details(self, connection: "Connection", fields: list[str]) -> None:
        number, row = int(fields[2]), self._row(read_contract(fields, 3))
        item = self._venue.market.instruments[row]
        connection.send(messages.contract_details(number, item, row, self._hours()), [52, 1, number])

    def _hours(self) -> str:
        """The regular session of this day and of the five after it."""
        first = utc(self._venue.sync()).astimezone(NEW_YORK).date()
        days = [first + timedelta(days=number) for number in range(6)]
        return ";".join(self._hours_of(self._venue.calendar.on(day), f"{day:%Y%m%d}") for day in days)

    def _hours_of(self, day: TradingDay | None, name: str) -> str:
        if day is None:
            return f"{name}:CLOSED"
        opened, closed = (utc(ms).astimezone(NEW_YORK) for ms in (day.open_ms, day.close_ms))
        return f"{opened:%Y%m%d:%H%M}-{closed:%Y%m%d:%H%M}"

    def _time(self, connection: "Connection", fields: list[str]) -> None:
        connection.send([49, 1, (self._venue.sync() + self._venue.faults.clock_skew_s * 1000) // 1000])

    # quotes

    def _kind(self, connection: "Connection", fields: list[str]) -> None:
        self._client(connection).kind = int(fields[2])

    def _quote(self, connection: "Connection", fields: list[str]) -> None:
        number, row = int(fields[2]), self._row(read_contract(fields, 3))
        client, now = self._client(connection), self._venue.sync()
        snapshot, shortable = fields[17] == "1", "236" in fields[16].split(",")
        if not snapshot and len(client.lines) >= LINES:
            raise Unreadable(101, "Max number of tickers has been reached")
        told = self._ticks(number, row, client.kind, now, shortable=shortable)
        connection.send([58, 1, number, client.kind], [81, number, "0.01", "9c0001", 3], *told)
        if snapshot:
            connection.send([57, 1, number])
        else:
            client.lines[number] = (row, shortable)
            client.told[number] = told

    def _stop_quote(self, connection: "Connection", number: int) -> None:
        client = self._client(connection)
        client.lines.pop(number, None)
        client.told.pop(number, None)

    def _ticks(self, number: int, row: int, kind: int, now: int, *, shortable: bool) -> tuple[Fields, ...]:
        view, item = self._venue.view, self._venue.market.instruments[row]
        quote, last = view.quote(item.symbol, now), view.price(item.symbol, now)
        delayed = kind in (DELAYED, 4)
        told: list[Fields] = []

        def price(tick: int, value: Decimal | None) -> None:
            if value is not None:
                told.append([1, 6, number, _AS_DELAYED.get(tick, tick) if delayed else tick, round(value, 4), 100, 0])

        price(_BID, dollars(quote.bid) if quote else None)
        price(_ASK, dollars(quote.ask) if quote else None)
        price(_LAST, last)
        stamp = min(now, view.day(now).close_ms) // 1000
        told.append([46, 6, number, _AS_DELAYED[_STAMP] if delayed else _STAMP, stamp])
        halted = item.symbol in self._venue.faults.halted
        if not delayed:
            told.append([45, 6, number, _HALTED, 1.0 if halted else 0.0])
        if shortable:
            worth = 3.0 if item.easy_to_borrow else (2.0 if item.shortable else 1.0)
            shares = {3.0: 100_000, 2.0: 500}.get(worth, 0)
            told += [[45, 6, number, _SHORTABLE, worth], [2, 6, number, _SHORTABLE_SHARES, shares]]
        return tuple(told)

    # bars

    def _history(self, connection: "Connection", fields: list[str]) -> None:
        asked, client, now = read_history(fields), self._client(connection), self._venue.sync()
        row = self._row(asked.what)
        while client.asked and now - client.asked[0] > HISTORY_SPAN_MS:
            client.asked.popleft()
        client.asked.append(now)
        if len(client.asked) > HISTORY_REQUESTS:
            raise Unreadable(162, _HMDS + "Historical data request pacing violation")
        bars = self._bars(row, asked, now, running=asked.keep)
        if not bars:
            raise Unreadable(162, _HMDS + "HMDS query returned no data")
        connection.send(messages.historical(asked.number, "20260105  00:00:00", "20260105  23:59:59", bars))
        if asked.keep:
            client.running[asked.number] = (row, asked)

    def _stop_history(self, connection: "Connection", fields: list[str]) -> None:
        self._client(connection).running.pop(int(fields[2]), None)

    def _bars(self, row: int, asked: History, now: int, *, running: bool) -> list[Fields]:
        end = asked.end_ms if asked.end_ms is not None else now
        first = end - int(asked.span.total_seconds() * 1000)
        if asked.step_s == 86_400:
            return self._days(row, first, end, now)
        bars: list[Fields] = []
        for day in self._venue.calendar.between(
            utc(first).astimezone(NEW_YORK).date(), utc(end).astimezone(NEW_YORK).date()
        ):
            if day.day in self._venue.market.days and day.open_ms < now:
                bars += self._minutes(row, day, (first, min(end, now)), asked, now, running=running)
        return bars

    def _minutes(
        self, row: int, day: TradingDay, span: tuple[int, int], asked: History, now: int, *, running: bool
    ) -> list[Fields]:
        """Bars that start inside the span, the running one only where it is wanted."""
        bars, size = self._venue.market.session(day.day), asked.step_s * 1000
        told: list[Fields] = []
        for start in range(day.open_ms, min(day.close_ms, now), size):
            complete = start + size <= now
            if not span[0] <= start < span[1] or not (complete or running):
                continue
            first = (start - day.open_ms) // MINUTE_MS
            minutes = [m for m in range(first, min(first + asked.step_s // 60, bars.minutes)) if bars.volume[row, m]]
            if not minutes:
                continue
            high = max(int(bars.high[row, m]) for m in minutes)
            low = min(int(bars.low[row, m]) for m in minutes)
            opened, closed = int(bars.open[row, minutes[0]]), int(bars.close[row, minutes[-1]])
            volume = sum(int(bars.volume[row, m]) for m in minutes)
            date = start // 1000 if asked.epoch else f"{utc(start):%Y%m%d %H:%M:%S} UTC"
            prices = [dollars(ticks) for ticks in (opened, high, low, closed)]
            told.append([date, *prices, volume, prices[3], len(minutes)])
        return told

    def _days(self, row: int, first: int, end: int, now: int) -> list[Fields]:
        told: list[Fields] = []
        for day in self._venue.past_days(now, 300):
            daily = self._venue.market.daily(day)
            session = self._venue.calendar.on(day)
            if daily is None or session is None or not first <= session.open_ms <= end or not daily.volume[row]:
                continue
            names = ("open", "high", "low", "close")
            prices = [dollars(int(getattr(daily, name)[row])) for name in names]
            told.append([f"{day:%Y%m%d}", *prices, int(daily.volume[row]), prices[3], 390])
        return told
