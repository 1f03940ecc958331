"""Market data through the gateway: lines of live quotes, bars past and running, contracts."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tbot_bot.broker.brokers import ibkr_wire as wire
from tbot_bot.broker.brokers.ibkr_session import IbkrSession
from tbot_bot.broker.rate_limit import Budget, Urgency
from tbot_bot.domain.errors import BrokerError, BrokerUnavailable, DataInvalid
from tbot_bot.domain.market import Asset, Bar, DailyBar, Quote, Symbol
from tbot_bot.ports.clock import MarketClock

LINES = 90
"""Of the hundred that an account may have open at once."""
RUNNING_BARS = 50
_FIRST_WORD_S = 2.0
_POLL_S, _LOOK_S = 0.01, 0.25
_SAME_AGAIN_S = 15.0
_NO_SUCH_CONTRACT = 200
_MINUTE = timedelta(minutes=1)
_HISTORY_PATIENCE_S = 20.0


class IbkrMarket:
    """Everything here runs in the session's loop."""

    def __init__(self, session: IbkrSession, library: Any, clock: MarketClock, history: Budget) -> None:
        self._session = session
        self._library = library
        self._clock = clock
        self._history = history
        self._details: dict[Symbol, Any] = {}
        self._lines: OrderedDict[Symbol, Any] = OrderedDict()
        self._running: dict[Symbol, Any] = {}
        self._told: dict[Symbol, datetime] = {}
        self._asked: dict[tuple[int, str, str, str], tuple[float, tuple[Any, ...]]] = {}
        self._watched_quotes: tuple[Symbol, ...] = ()
        self._watched_bars: tuple[Symbol, ...] = ()
        self._kept = False
        self.on_quote: Callable[[Quote], None] = lambda quote: None
        self.on_bar: Callable[[Bar], None] = lambda bar: None

    def watch_quotes(self, symbols: Sequence[Symbol]) -> None:
        """From any thread: takes effect at the keeper's next look."""
        self._watched_quotes = tuple(dict.fromkeys(symbols))[:LINES]

    def watch_bars(self, symbols: Sequence[Symbol]) -> None:
        """As watch_quotes."""
        self._watched_bars = tuple(dict.fromkeys(symbols))[:RUNNING_BARS]

    async def up(self) -> None:
        """After a connect: nothing of the old connection lives."""
        self._lines.clear()
        self._running.clear()
        self._asked.clear()
        self._session.ib.reqMarketDataType(1)
        self._session.ib.pendingTickersEvent -= self._ticked
        self._session.ib.pendingTickersEvent += self._ticked
        if not self._kept:
            self._kept = True
            self._session.later(self._keep())

    async def _keep(self) -> None:
        """Opens and closes lines and running bars until they are those that are watched, for as long as the loop runs.

        Beside the connection, since the gateway's pacing may let it have fifty bars only minutes after a reconnect."""
        while True:
            if self._session.ib.isConnected():
                with suppress(BrokerError, OSError, TimeoutError, self._library.RequestError):
                    await self._watch()
            await asyncio.sleep(_LOOK_S)

    async def _watch(self) -> None:
        for symbol in self._watched_quotes:
            await self._line(symbol)
        for symbol in tuple(self._running):
            if symbol not in self._watched_bars:
                self._session.ib.cancelHistoricalData(self._running.pop(symbol))
        for symbol in self._watched_bars:
            if symbol not in self._running and symbol in self._watched_bars:
                await self._run_bars(symbol)

    async def contract(self, symbol: Symbol) -> Any | None:
        """None for a symbol that the broker does not know. Raises BrokerUnavailable where that cannot be said."""
        if symbol not in self._details:
            asked = self._library.Stock(wire.from_symbol(symbol), "SMART", "USD")
            try:
                found = await self._session.ib.reqContractDetailsAsync(asked)
            except self._library.RequestError as error:
                if error.code != _NO_SUCH_CONTRACT:
                    raise BrokerUnavailable(f"the gateway does not tell what {symbol} is: {error.message}") from error
                return None
            if not found:
                return None
            self._details[symbol] = found[0]
        return self._details[symbol].contract

    async def assets(self, symbols: Sequence[Symbol]) -> tuple[Asset, ...]:
        found: list[Asset] = []
        unique = list(dict.fromkeys(symbols))
        for start in range(0, len(unique), LINES):
            tickers = await self._opened(unique[start : start + LINES], _tells_shortable)
            found += [wire.parse_details(self._details[symbol], ticker) for symbol, ticker in tickers.items()]
        return tuple(found)

    async def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        """What the lines say now. An answered question for the time proves that all earlier ticks are in; where the
        gateway says that it has lost its market data, there are no quotes."""
        if not self._session.connected_to_market:
            raise BrokerUnavailable("the gateway has lost its connection to the market data")
        found: list[Quote] = []
        unique = list(dict.fromkeys(symbols))
        for start in range(0, len(unique), LINES):
            tickers = await self._opened(unique[start : start + LINES], _priced)
            await self._session.only("reqCurrentTimeAsync")
            now = self._clock.now()
            quotes = (wire.parse_ticker(symbol, ticker, now) for symbol, ticker in tickers.items())
            found += [quote for quote in quotes if quote is not None]
        return tuple(found)

    async def bars(self, symbols: Sequence[Symbol], start: datetime, end: datetime) -> tuple[Bar, ...]:
        last = min(end, self._clock.now() - _MINUTE + timedelta(microseconds=1))
        found: list[Bar] = []
        for symbol in dict.fromkeys(symbols):
            raw = await self._raw_bars(symbol, start, end)
            bars = (wire.parse_bar(symbol, each) for each in raw)
            found += [bar for bar in bars if bar is not None and start <= bar.start < last]
        return tuple(sorted(found, key=lambda bar: (bar.start, bar.symbol)))

    async def _raw_bars(self, symbol: Symbol, start: datetime, end: datetime) -> Sequence[Any]:
        running = self._running.get(symbol)
        if running and running[0].date <= start:
            return tuple(running)
        contract = await self.contract(symbol)
        if contract is None:
            return ()
        seconds = max(int((end - start).total_seconds()), 60)
        span = f"{seconds} S" if seconds <= 86_400 else f"{-(-seconds // 86_400)} D"
        return await self._ask_history(contract, min(end, self._clock.now()), span, "1 min")

    async def daily_bars(self, symbols: Sequence[Symbol], first: date, last: date) -> tuple[DailyBar, ...]:
        found: list[DailyBar] = []
        days = (self._clock.now().date() - first).days + 1
        span = f"{days} D" if days <= 365 else f"{-(-days // 365)} Y"
        for symbol in dict.fromkeys(symbols):
            contract = await self.contract(symbol)
            raw = await self._ask_history(contract, None, span, "1 day") if contract is not None else ()
            bars = (wire.parse_daily_bar(symbol, each) for each in raw)
            found += [bar for bar in bars if bar is not None and first <= bar.day <= last]
        return tuple(sorted(found, key=lambda bar: (bar.day, bar.symbol)))

    async def _ask_history(self, contract: Any, end: datetime | None, span: str, size: str) -> Sequence[Any]:
        """Paced: the gateway refuses a sixtieth question in ten minutes, and the same one within fifteen seconds."""
        ib, now = self._session.ib, asyncio.get_running_loop().time()
        stamp = f"{end.astimezone(UTC):%Y%m%d-%H:%M:%S}" if end is not None else ""
        question = (contract.conId, stamp, span, size)
        self._asked = {each: kept for each, kept in self._asked.items() if now - kept[0] < _SAME_AGAIN_S}
        if question in self._asked:
            return self._asked[question][1]
        await self._pace()
        try:
            raw = tuple(await ib.reqHistoricalDataAsync(contract, stamp, span, size, "TRADES", True, 2, timeout=10))
        except self._library.RequestError as error:
            if "no data" not in error.message:
                raise BrokerUnavailable(f"no bars of {contract.symbol}: {error.message}") from error
            raw = ()
        self._asked[question] = (now, raw)
        return raw

    async def _pace(self) -> None:
        if not await asyncio.to_thread(self._history.take, Urgency.ROUTINE, _HISTORY_PATIENCE_S):
            raise BrokerUnavailable("the gateway's limit of questions for bars is used up: ask later")

    # lines

    async def _opened(self, symbols: Sequence[Symbol], told: Callable[[Any], bool]) -> dict[Symbol, Any]:
        """The lines of those that the broker knows. What was open before says all that it has; a new one is waited for,
        for a while."""
        new = [symbol for symbol in symbols if symbol not in self._lines]
        lines = {symbol: line for symbol in symbols if (line := await self._line(symbol)) is not None}
        end = asyncio.get_running_loop().time() + _FIRST_WORD_S
        while not all(told(lines[s]) for s in new if s in lines) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(_POLL_S)
        return lines

    async def _line(self, symbol: Symbol) -> Any | None:
        if symbol in self._lines:
            self._lines.move_to_end(symbol)
            return self._lines[symbol]
        contract = await self.contract(symbol)
        if contract is None:
            return None
        while len(self._lines) >= LINES:
            old = next(iter(self._lines))
            self._lines.pop(old)
            self._session.ib.cancelMktData(self._details[old].contract)
        ticker = self._lines[symbol] = self._session.ib.reqMktData(contract, "236", False, False)
        return ticker

    def _ticked(self, tickers: Any) -> None:
        now = self._clock.now()
        for ticker in tickers:
            symbol = wire.to_symbol(ticker.contract.symbol)
            if symbol in self._watched_quotes:
                quote = wire.parse_ticker(symbol, ticker, now)
                if quote is not None:
                    self.on_quote(quote)

    # running bars

    async def _run_bars(self, symbol: Symbol) -> None:
        contract = await self.contract(symbol)
        if contract is None:
            return
        await self._pace()
        bars = await self._session.ib.reqHistoricalDataAsync(
            contract, "", "3600 S", "1 min", "TRADES", True, 2, keepUpToDate=True, timeout=10
        )
        bars.updateEvent += lambda held, new, symbol=symbol: self._updated(symbol, held)
        self._running[symbol] = bars
        self._told[symbol] = self._clock.now() - _MINUTE

    def _updated(self, symbol: Symbol, bars: Any) -> None:
        """All but the last bar are complete; a minute that has passed completes the last one as well."""
        now = self._clock.now()
        for raw in bars[-4:]:
            with suppress(DataInvalid):
                bar = wire.parse_bar(symbol, raw)
                complete = bar is not None and (raw is not bars[-1] or bar.start + _MINUTE <= now)
                if bar is not None and complete and bar.start > self._told[symbol] and symbol in self._watched_bars:
                    self._told[symbol] = bar.start
                    self.on_bar(bar)


def _priced(ticker: Any) -> bool:
    return bool(ticker.bid > 0 and ticker.ask > 0)


def _tells_shortable(ticker: Any) -> bool:
    return not math.isnan(ticker.shortableShares)
