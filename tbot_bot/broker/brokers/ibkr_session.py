"""One connection to TWS or IB Gateway, in a thread and event loop of its own, kept up and watched over."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, TypeVar

from tbot_bot.broker.api_log import ApiLog
from tbot_bot.domain.errors import BrokerDenied, BrokerUnavailable, ConfigInvalid, TbotError
from tbot_bot.support.loopback import is_loopback

T = TypeVar("T")
PAPER_PORT = 4002
_FIRST_WAIT_S, _MOST_DOUBLINGS = 0.25, 7
_HEARTBEAT_S = 5.0
_JOIN_S = 5.0
_LAST_TURN_S = 0.05
_QUIET = frozenset({"1", "2", "45", "46", "49", "81", "90"})
"""Message types of market data and heartbeats, which the API log leaves out."""
_MAX_LINE = 2000
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


def address(text: str) -> tuple[str, int]:
    """Host and port of BROKER_HOST; empty: IB Gateway for paper trading on this machine. Raises ConfigInvalid."""
    host, _, port = (text or f"127.0.0.1:{PAPER_PORT}").rpartition(":")
    if not host:
        host, port = port, str(PAPER_PORT)
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise ConfigInvalid("BROKER_HOST must be a host and a port, such as 127.0.0.1:4002")
    if not is_loopback(host.strip("[]")):
        raise ConfigInvalid(
            "BROKER_HOST must be on this machine: the gateway's socket is not encrypted. Run IB Gateway here, or bring"
            " its port here through ssh -L"
        )
    return host.strip("[]"), int(port)


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
        self._log = log
        self._on_up = on_up
        self._on_state = on_state
        self._thread = threading.Thread(target=self._run, name=f"ibkr-{where.client}", daemon=True)
        self._started = threading.Event()
        self._lock = threading.Lock()
        self._closing = False
        self._loop: asyncio.AbstractEventLoop
        self._turns: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._supervised = False
        self._taken = False
        self._told: dict[str, bool] = {}
        self.connected_to_market = True
        self.ib: Any = None
        self.account = ""
        self.errors: dict[int, tuple[int, str]] = {}
        """Of each order's number, the last that the gateway said against it."""

    # from outside

    def call(self, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float | None = None) -> T:
        """Run in the loop over a living connection. Raises BrokerUnavailable, BrokerDenied.

        When it takes too long, `work` is cancelled, but not before this returns: see Gate."""
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
        except self._library.RequestError as error:
            raise BrokerUnavailable(f"the gateway refuses the question: {error.message}") from error

    def post(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run soon in the loop, without an answer."""
        self._start()
        self._loop.call_soon_threadsafe(lambda: self.later(work()))

    def close(self) -> None:
        """Disconnect and end the thread within 5 s."""
        with self._lock:
            done, self._closing = self._closing, True
            if done or not self._started.is_set():
                return
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(_JOIN_S)

    # in the loop

    async def only(self, question: str) -> Any:
        """The library's question of this name. It keeps one answer of a kind, so those of a kind take turns."""
        return await self.one_at_a_time(question, getattr(self.ib, question))

    async def one_at_a_time(self, kind: str, ask: Callable[[], Any]) -> Any:
        async with self._turns.setdefault(kind, asyncio.Lock()):
            return await ask()

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Work that no one waits for; what it cannot do over this connection is done after the next connect."""
        task = self._loop.create_task(self._quiet(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quiet(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (TbotError, OSError, self._library.RequestError) as error:
            _log.warning("not done at the gateway", extra={"fields": {"why": type(error).__name__}})

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
        self.ib = self._library.IB()
        self.ib.RaiseRequestErrors = True
        self.ib.errorEvent += self._error
        self.ib.disconnectedEvent += self._down
        _record(self.ib.client, self._library.__name__, self._log)
        self._started.set()
        self._loop.run_forever()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        # A transport that was closed last says so to its socket one turn of the loop later.
        self._loop.run_until_complete(asyncio.sleep(_LAST_TURN_S))
        self._loop.close()

    def _end(self) -> None:
        # First of all who would connect again.
        for task in self._tasks:
            task.cancel()
        if self.ib.isConnected():
            self.ib.disconnect()
        self._loop.call_later(_LAST_TURN_S, self._loop.stop)

    async def ensure(self) -> bool:
        """Connect and stay so; False when it was connected before, which is told then.

        Raises BrokerUnavailable, BrokerDenied."""
        self._supervise()
        # Whoever starts to listen is told all anew.
        self._told.clear()
        if await self._connect():
            return True
        self._state(True, "connected")
        return False

    def _supervise(self) -> None:
        if not self._supervised:
            self._supervised = True
            self.later(self._keep_up())

    async def _connect(self) -> bool:
        """Whether it had to. The same client id each time: it brings the orders back.

        Raises BrokerUnavailable, BrokerDenied."""
        return bool(await self.one_at_a_time("connect", self._connect_once))

    async def _connect_once(self) -> bool:
        if self.ib.isConnected() and self.ib.client.isReady():
            return False
        where = self._where
        self._taken = False
        try:
            await self.ib.connectAsync(
                where.host, where.port, where.client, timeout=where.timeout_s, account=where.account
            )
            self.account = self._account(self.ib.managedAccounts())
            self.errors.clear()
            self.connected_to_market = True
            await asyncio.wait_for(self._on_up(), 2 * where.timeout_s)
        except (OSError, TimeoutError) as error:
            self.ib.disconnect()
            raise BrokerUnavailable(self._why_not(error)) from error
        except BaseException:
            # Half of what follows a connect would pass for the whole of it at the next look.
            self.ib.disconnect()
            raise
        self._state(True, "connected")
        self._supervise()
        return True

    def _why_not(self, error: Exception) -> str:
        where = self._where
        if self._taken:
            # Ours of a moment ago, or another's: until the gateway lets go of it no one can tell.
            return f"client id {where.client} is in use at the gateway: end the other program that has it"
        words = f"TWS or IB Gateway does not answer at {where.host}:{where.port}"
        return f"{words}: start it, log in and allow its API ({error!r})"

    def _account(self, served: Sequence[str]) -> str:
        """The account that is traded. Raises BrokerDenied when the gateway does not serve it, or not it alone."""
        account = self._where.account or (served[0] if len(served) == 1 else "")
        if account in served:
            return account
        which = "another account than BROKER_ACCOUNT_NUMBER names" if account else "several accounts"
        raise BrokerDenied(f"the gateway serves {which}: correct BROKER_ACCOUNT_NUMBER")

    async def _keep_up(self) -> None:
        """Ask for the time now and then; connect again with jittered backoff when there is no answer."""
        failures = 0
        while True:
            if failures == 0:
                await self._until_loss(_HEARTBEAT_S)
            else:
                pause = _FIRST_WAIT_S * 2.0 ** min(failures, _MOST_DOUBLINGS)
                await asyncio.sleep(pause * _random.uniform(0.5, 1.0))
            try:
                await self._connect()
                await asyncio.wait_for(self.only("reqCurrentTimeAsync"), self._where.timeout_s)
                failures = 0
            except (BrokerUnavailable, BrokerDenied) as error:
                failures += 1
                self._state(False, str(error))
            except (OSError, TimeoutError, self._library.RequestError):
                failures += 1
                self._state(False, "the gateway has fallen silent")
                self.ib.disconnect()

    async def _until_loss(self, seconds: float) -> None:
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
            self._state(False, words, ("data", "trading") if code == _LOST else ("data",))
        elif code in (_RESTORED, _FARM_UP, _RESTORED_EMPTY) and not self.connected_to_market:
            self.later(self._restored())

    async def _restored(self) -> None:
        """As after a connect; what cannot be learnt now is learnt by a new one."""
        try:
            await self._on_up()
        except BaseException:
            self.ib.disconnect()
            raise
        self.connected_to_market = True
        self._state(True, "restored")

    def _state(self, up: bool, words: str, names: Sequence[str] = ("data", "trading")) -> None:
        """Each change once: an outage has many failures."""
        for name in names:
            if self._told.get(name) is not up:
                self._told[name] = up
                self._on_state(name, up, words)


class Gate:
    """Between a thread that gives up waiting and the loop that is about to send: one of the two comes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent = self._given_up = False

    def send(self) -> None:
        """Called right before the first byte. Raises CancelledError when nobody waits any more: nothing is sent."""
        with self._lock:
            if self._given_up:
                raise asyncio.CancelledError
            self._sent = True

    def give_up(self) -> bool:
        """Whether something was, or may have been, sent; if not, nothing ever will be."""
        with self._lock:
            self._given_up = True
            return self._sent


def _record(client: Any, library: str, log: ApiLog) -> None:
    """Hand each message that goes and comes to the API log. The library's own words, which are for a console and name
    the account, go nowhere."""
    send, interpret = client.sendMsg, client.decoder.interpret

    def sent(message: str | None) -> None:
        if message and message.split("\0", 1)[0] not in _QUIET:
            log.note("sent", line=message.replace("\0", ",")[:_MAX_LINE])
        send(message)

    def received(fields: list[str]) -> None:
        if fields and fields[0] not in _QUIET:
            log.note("received", line=",".join(fields)[:_MAX_LINE])
        interpret(fields)

    client.sendMsg, client.decoder.interpret = sent, received
    logger = logging.getLogger(library)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
