"""One connection to TWS or IB Gateway, in a thread and event loop of its own, kept up and watched over."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, TypeVar

from tbot_bot.broker.api_log import ApiLog
from tbot_bot.domain.errors import BrokerDenied, BrokerUnavailable

T = TypeVar("T")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 30.0
_HEARTBEAT_S = 5.0
_JOIN_S = 5.0
_QUIET = ("1,", "2,", "45,", "46,", "49,", "81,", "90,")
"""Message types of market data and heartbeats, which the API log leaves out."""
_LOST, _RESTORED_EMPTY, _RESTORED = 1100, 1101, 1102
_FARM_DOWN, _FARM_UP = 2103, 2104
_TAKEN = 326
_random = SystemRandom()
_log = logging.getLogger("tbot.ibkr")


@dataclass(frozen=True, slots=True)
class Where:
    """Address, this process's client id, and the account that is traded (empty: the gateway's only one)."""

    host: str
    port: int
    client: int
    account: str
    timeout_s: float


class IbkrSession:
    """`on_up` runs in the loop after each connect, `on_state` tells streams (name, connected, words)."""

    def __init__(
        self,
        library: Any,
        where: Where,
        log: ApiLog,
        on_up: Callable[[], Coroutine[Any, Any, None]],
        on_state: Callable[[str, bool, str], None],
    ) -> None:
        self._library = library
        self._where = where
        self._on_up = on_up
        self._on_state = on_state
        self._thread = threading.Thread(target=self._run, name=f"ibkr-{where.client}", daemon=True)
        self._started = threading.Event()
        self._lock = threading.Lock()
        self._closing = False
        self._loop: asyncio.AbstractEventLoop
        self._connecting: asyncio.Lock | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._taken = False
        self._handler = _Lines(log, library.__name__)
        self.connected_to_market = True
        self.ib: Any = None
        self.account = ""
        self.errors: dict[int, tuple[int, str]] = {}

    # from outside

    def call(self, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float | None = None) -> T:
        """Run in the loop over a living connection. Raises BrokerUnavailable, BrokerDenied."""
        self._start()

        async def connected() -> T:
            await self._connect()
            return await work()

        future: Future[T] = asyncio.run_coroutine_threadsafe(connected(), self._loop)
        try:
            return future.result(timeout_s or self._where.timeout_s * 2)
        except FutureTimeout as error:
            future.cancel()
            raise BrokerUnavailable("the gateway gave no answer in time") from error
        except (ConnectionError, asyncio.CancelledError) as error:
            raise BrokerUnavailable(f"the connection to the gateway was lost ({error})") from error

    def post(self, act: Callable[[], Any]) -> None:
        """Run soon in the loop, without an answer."""
        self._start()
        self._loop.call_soon_threadsafe(act)

    def close(self) -> None:
        """Disconnect and end the thread within 5 s."""
        with self._lock:
            done, self._closing = self._closing, True
            if done or not self._started.is_set():
                return
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(_JOIN_S)
        self._handler.detach()

    # in the loop

    def _start(self) -> None:
        with self._lock:
            if self._closing:
                raise BrokerUnavailable("the connection to the gateway is closed")
            if not self._started.is_set():
                self._thread.start()
                self._started.wait(_JOIN_S)

    def _run(self) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._connecting = asyncio.Lock()
        self.ib = self._library.IB()
        self.ib.errorEvent += self._error
        self.ib.disconnectedEvent += self._down
        self._started.set()
        self._loop.run_forever()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    def _end(self) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
        if self.ib.isConnected():
            self.ib.disconnect()
        self._loop.call_later(0.05, self._loop.stop)

    async def ensure(self) -> bool:
        """Connect; False when it was connected before, which is told then. Raises BrokerUnavailable, BrokerDenied."""
        if await self._connect():
            return True
        self._state(True, "connected")
        return False

    async def _connect(self) -> bool:
        """Whether it had to. The same client id each time: it brings the orders back.

        Raises BrokerUnavailable, BrokerDenied."""
        assert self._connecting is not None
        async with self._connecting:
            if self.ib.isConnected() and self.ib.client.isReady():
                return False
            where = self._where
            self._taken = False
            try:
                await self.ib.connectAsync(
                    where.host, where.port, where.client, timeout=where.timeout_s, account=where.account
                )
            except (OSError, TimeoutError) as error:
                self.ib.disconnect()
                if self._taken:
                    # Ours of a moment ago, or another's: until the gateway lets go of it no one can tell.
                    words = f"client id {where.client} is in use at the gateway: end the other program that has it"
                    raise BrokerUnavailable(words) from error
                words = f"TWS or IB Gateway does not answer at {where.host}:{where.port}"
                raise BrokerUnavailable(f"{words}: start it, log in and allow its API ({error!r})") from error
            self.account = self._account()
            self.errors.clear()
            self.connected_to_market = True
            await self._on_up()
            self._state(True, "connected")
            if self._supervisor is None:
                self._supervisor = self._loop.create_task(self._keep_up())
            return True

    def _account(self) -> str:
        """The account that is traded. Raises BrokerDenied when the gateway does not serve it, or not it alone."""
        served = self.ib.managedAccounts()
        account = self._where.account or (served[0] if len(served) == 1 else "")
        if account in served:
            return str(account)
        self.ib.disconnect()
        which = "another account than BROKER_ACCOUNT_NUMBER names" if account else "several accounts"
        raise BrokerDenied(f"the gateway serves {which}: correct BROKER_ACCOUNT_NUMBER")

    async def _keep_up(self) -> None:
        """Ask for the time now and then; connect again with jittered backoff when there is no answer."""
        failures = 0
        while True:
            pause = min(_FIRST_WAIT_S * 2.0**failures, _LONGEST_WAIT_S) if failures else _HEARTBEAT_S
            if self.ib.isConnected() and failures == 0:
                await self._sleep_or_loss(pause)
            else:
                await asyncio.sleep(pause * _random.uniform(0.5, 1.0))
            try:
                await self._connect()
                await asyncio.wait_for(self.ib.reqCurrentTimeAsync(), self._where.timeout_s)
                failures = 0
            except (BrokerUnavailable, BrokerDenied) as error:
                failures += 1
                self._state(False, str(error))
            except (OSError, TimeoutError):
                failures += 1
                self._state(False, "the gateway has fallen silent")
                self.ib.disconnect()

    async def _sleep_or_loss(self, seconds: float) -> None:
        end = self._loop.time() + seconds
        while self._loop.time() < end and self.ib.isConnected():
            await asyncio.sleep(0.05)

    def _down(self) -> None:
        if not self._closing:
            self._state(False, "the connection to the gateway was lost")

    def _error(self, number: int, code: int, words: str, *_: Any) -> None:
        if number > 0:
            self.errors[number] = (code, words)
        elif code == _TAKEN:
            self._taken = True
        elif code in (_LOST, _FARM_DOWN):
            self.connected_to_market = False
            for name in ("data", "trading") if code == _LOST else ("data",):
                self._on_state(name, False, words)
        elif code in (_RESTORED, _FARM_UP, _RESTORED_EMPTY) and not self.connected_to_market:
            self.connected_to_market = True
            self._loop.create_task(self._restored())

    async def _restored(self) -> None:
        await self._on_up()
        self._state(True, "restored")

    def _state(self, up: bool, words: str) -> None:
        for name in ("data", "trading"):
            self._on_state(name, up, words)


class _Lines(logging.Handler):
    """The library logs each message that it sends and receives at DEBUG: this hands them to the API log."""

    def __init__(self, log: ApiLog, library: str) -> None:
        super().__init__(logging.DEBUG)
        self._to = log
        self._logger = logging.getLogger(f"{library}.client")
        self._logger.setLevel(logging.DEBUG)
        self._logger.addHandler(self)
        # Its own words are for a console and name the account; what matters of them comes back as errors and states.
        logging.getLogger(library).propagate = False
        logging.getLogger(library).addHandler(logging.NullHandler())

    def emit(self, record: logging.LogRecord) -> None:
        if record.args and isinstance(record.msg, str) and record.msg[:3] in (">>>", "<<<"):
            line = str(record.args[0] if isinstance(record.args, tuple) else record.args)
            if not line.startswith(_QUIET):
                self._to.note("sent" if record.msg[0] == ">" else "received", line=line[:2000])

    def detach(self) -> None:
        self._logger.removeHandler(self)
