"""The strategy runtime's life: wait for provisioning, for Start, for the session; run the day; close it; again."""

import os
import sys
from datetime import date, datetime, timedelta

from tbot_bot.config.startup import require_no_plaintext
from tbot_bot.domain.errors import BrokerError, IllegalTransition, StateCorrupt, TbotError
from tbot_bot.domain.orders import ClientOrderId
from tbot_bot.domain.session import ARMED_STATES, CLOSING_STATES, SETUP_STATES, BotState, SessionHours
from tbot_bot.domain.settings import ServiceStop
from tbot_bot.engine import events as e
from tbot_bot.engine.day import FLAT_LEAST_S
from tbot_bot.runtime import compose
from tbot_bot.runtime.cadence import Cadence, Turns
from tbot_bot.runtime.closing import close_books
from tbot_bot.runtime.day import Day
from tbot_bot.runtime.desk import ClockPulled, Message, StreamChanged, wait_for
from tbot_bot.runtime.display import Display
from tbot_bot.runtime.journal import read_journal, unfinished_session
from tbot_bot.runtime.records import record_fact
from tbot_bot.runtime.saved_settings import SavedSettings
from tbot_bot.runtime.service_stop import close_first, come_back, keep_closing, leave
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.flags import FlagClaimer
from tbot_bot.support.logs import get_logger, set_level
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.process import Process, run
from tbot_bot.support.process_lock import take
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile

log = get_logger("trader")

PREPARE = timedelta(minutes=5)
"""Market time before the open at which the day is prepared."""
KILLED_STATES = frozenset({BotState.EMERGENCY_CLOSING, BotState.SHUTDOWN_TRIGGERED})
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
"""Real seconds between two looks when nothing comes in: SLEEP_TIME, but never so long that a kill flag waits."""
RETRY_SECONDS = 2.0
BROKER_STEP = 900.0
"""Real seconds after which a step that waits for the broker, with all its tries again, is taken for hanging. A broker
that is silent for longer meets a bot that was restarted in between, too seldom to use up the unit's starts."""


class Trader:
    """One process, one broker, one day at a time."""

    def __init__(self, paths: Paths, process: Process) -> None:
        self._paths = paths
        self._wall = SystemClock()
        self._state = StateFile(paths, self._wall)
        self._publisher = Publisher(paths, "bot", self._wall)
        self._claims = FlagClaimer(paths.private / "claims")
        self._process = process
        self._turns = Turns()
        self._desk: compose.Trading | None = None
        self._day: Day | None = None
        self._display = Display(paths, self._publisher, process)
        self._saved = SavedSettings(paths, self._state)
        self._why = "starting"
        self._start_refused = ""
        self._reason = ""
        self._over: date | None = None

    def run(self) -> None:
        """Until SIGTERM; then as SERVICE_STOP says: positions keep their orders at the broker, or are closed first."""
        self._process.notify.ready()
        self._come_back()
        while not self._process.stop.is_set():
            self._process.notify.beat()
            try:
                self._turn()
            except BrokerError as error:
                self._pause(f"the broker cannot be used: {error}")
            except (TbotError, OSError) as error:
                self._pause(str(error))
        self._process.notify.stopping()
        if self._flattens():
            self._flatten()
        leave(self._state)
        self._drop()

    def _come_back(self) -> None:
        try:
            come_back(self._state)
        except (TbotError, OSError) as error:
            # The first turn says so, and what follows from it.
            log.error("the state cannot be taken up", extra={"fields": {"why": str(error)}})

    def _flattens(self) -> bool:
        """Whether the stop of the service is to close what is open."""
        return (
            self._desk is not None
            and self._desk.services.settings.execution.service_stop is ServiceStop.FLATTEN
            and self._state.exists()
        )

    def _flatten(self) -> None:
        """Stop as an operator would, until all is closed; the next start goes on closing what is not by then."""

        def closed() -> bool:
            return self._day is None and self._state.read() not in ARMED_STATES | CLOSING_STATES

        ask, notify = lambda: self._stop("service"), self._process.notify
        if close_first(notify, self._flatten_seconds(), ask=ask, turn=self._turn, closed=closed):
            return
        keep_closing(self._state)
        words = "the service was stopped before every position was closed; the next start goes on closing"
        if self._desk is not None:
            self._desk.services.notifier.notify("critical", "positions are still open", words)

    def _flatten_seconds(self) -> float:
        return 0.0 if self._desk is None else float(self._desk.services.settings.execution.service_stop_s)

    def _pause(self, why: str) -> None:
        """Something outside is not as it must be: say so, wait a little, try again."""
        if why != self._why:
            log.error("waiting", extra={"fields": {"why": why}})
        self._why = why
        self._publish()
        self._process.stop.wait(RETRY_SECONDS)

    def _turn(self) -> None:
        try:
            state = self._state.read()
        except StateCorrupt:
            if not self._paths.generations.exists():
                self._idle("waiting for first provisioning")
                return
            log.critical("bot_state.txt is missing or corrupt; new entries are halted")
            self._state.move(None, BotState.ERROR, "bot", "bot_state.txt was missing or corrupt")
            state = BotState.ERROR
        if state in SETUP_STATES:
            self._drop()
            self._idle("waiting for provisioning to finish")
            return
        trading = self._connected()
        self._flags(state)
        self._read_messages(trading)
        if self._day is not None:
            if state is BotState.ERROR and not self._day.halted:
                self._day.halt("the state became error")
            self._run_day(self._day)
        else:
            self._between_days(trading, self._state.read())
        self._publish()

    def _idle(self, why: str) -> None:
        self._why = why
        self._publish()
        self._process.stop.wait(0.2)

    def _connected(self) -> compose.Trading:
        """The broker connection, renewed when the configuration was saved anew and no day is running."""
        generation = compose.generation(self._paths)
        if self._desk is not None and (self._desk.generation == generation or self._day is not None):
            return self._desk
        self._drop()
        with self._process.notify.patient(BROKER_STEP):
            self._desk = compose.open_trading(self._paths, self._wall, self._state, self._publisher)
        self._why = "connected"
        set_level(compose.log_level(self._desk.services.settings.general))
        log.info("connected", extra={"fields": {"broker": self._desk.services.settings.routing.broker_name}})
        return self._desk

    def _drop(self) -> None:
        if self._day is not None:
            self._day.close()
            self._day = None
        if self._desk is not None:
            with self._process.notify.patient(BROKER_STEP):
                self._desk.close()
            self._desk = None

    def _read_messages(self, trading: compose.Trading) -> None:
        """Everything that waits, or a short sleep when nothing does."""
        pause = trading.services.settings.timing.sleep_time_ms / 1000 / max(1.0, trading.services.clock.speed)
        message = wait_for(trading.inbox, min(LONGEST_PAUSE, max(SHORTEST_PAUSE, pause)))
        budget = 5000
        while message is not None:
            self._hear(trading, message)
            budget -= 1
            if budget == 0 or trading.inbox.empty():
                break
            message = wait_for(trading.inbox, 0)
        if self._turns.due("clock", Cadence.at(trading.services.clock.speed).clock):
            trading.desk.pull_clock()

    def _hear(self, trading: compose.Trading, message: Message) -> None:
        if isinstance(message, ClockPulled):
            trading.services.clock.sample(message.clock.now, float(message.clock.speed))
        elif isinstance(message, StreamChanged):
            self._display.stream_changed(message)
            if message.connected and self._day is not None:
                self._day.resync()
        elif self._day is not None:
            self._day.receive(message)

    def _flags(self, state: BotState) -> None:
        now = self._market_now()
        # A flag is taken away after it was obeyed and the state word says so: a crash in between obeys it again.
        if os.path.lexists(self._paths.kill_flag):
            log.critical("kill requested")
            self._day_for_kill().feed(e.KillRequested(now, "operator", "kill flag"))
            self._refuse_start("the kill came after it")
            if self._killed():
                self._claims.claim(self._paths.kill_flag)
        if os.path.lexists(self._paths.stop_flag):
            log.warning("stop requested")
            self._stop()
            self._refuse_start("the stop came after it")
            self._claims.claim(self._paths.stop_flag)
        if state in ARMED_STATES | CLOSING_STATES:
            # Left lying it would start the bot by itself as soon as it is stopped.
            self._refuse_start(f"the bot is {state}")
        elif self._claims.claim(self._paths.start_flag):
            self._arm(state)
        for job in self._claims.take_jobs(self._paths.job_folder("confirm")):
            if self._day is not None:
                self._day.confirm(ClientOrderId(str(job.get("client_id"))), str(job.get("by")))

    def _refuse_start(self, why: str) -> None:
        if self._claims.claim(self._paths.start_flag):
            log.warning("start refused", extra={"fields": {"why": why}})

    def _stop(self, by: str = "operator") -> None:
        """Close what is open, that of a session which a restart left unfinished too; then idle."""
        if self._day is None and unfinished_session(self._paths) is not None:
            self._begin(self._hours(), emergency=True)
        if self._day is not None and self._day.done is None:
            self._day.feed(e.StopRequested(self._market_now(), by))
            return
        state = self._state.read()
        if state in ARMED_STATES:
            self._state.move(state, BotState.IDLE, by, "stop requested; no session is running")

    def _killed(self) -> bool:
        """Whether the state word says so, which is what a restart goes by; it may not while the disk is full."""
        try:
            state = self._state.read()
            if state not in KILLED_STATES:
                self._state.move(state, BotState.EMERGENCY_CLOSING, "operator", "kill flag")
        except (StateCorrupt, OSError) as error:
            log.error("the kill is not in the state word yet", extra={"fields": {"why": str(error)}})
            return False
        return True

    def _arm(self, state: BotState) -> None:
        """Start: from idle or a halted state; a loss limit that tripped stays so for the session."""
        hours = self._hours()
        tripped = read_journal(self._paths, hours.day).tripped
        if tripped:
            self._start_refused = f"not started: {tripped}; the session of {hours.day} is over for the bot"
            self._connected().services.notifier.notify("critical", "start refused", self._start_refused)
            return
        self._start_refused = ""
        self._over = None
        try:
            if state is BotState.ERROR:
                self._state.move(state, BotState.IDLE, "operator", "start requested after an error")
                state = BotState.IDLE
            self._state.move(state, BotState.ANALYZING, "operator", "start requested")
        except IllegalTransition as error:
            log.error("start refused", extra={"fields": {"why": str(error)}})
            record_fact(self._connected().services.audit, "transition_refused", {"why": str(error)})

    def _day_for_kill(self) -> Day:
        """The running day, or one made to close everything: that needs no universe and no build check.

        A day that is done hears nothing more, so it is opened anew."""
        if self._day is not None and self._day.done is not None:
            self._day.close()
            self._day = None
        if self._day is None:
            return self._begin(self._hours(), emergency=True)
        return self._day

    def _market_now(self) -> datetime:
        return self._desk.services.clock.now() if self._desk is not None else self._wall.now()

    def _hours(self) -> SessionHours:
        """The session to run: an unfinished one first, else the present or next one."""
        services = self._connected().services
        left: date | None = unfinished_session(self._paths)
        if left is not None:
            hours = services.calendar.hours(left)
            if hours is not None:
                return hours
        return services.calendar.current_or_next(services.clock.now())

    def _between_days(self, trading: compose.Trading, state: BotState) -> None:
        left = unfinished_session(self._paths)
        if state not in ARMED_STATES | CLOSING_STATES and left is None:
            self._why = self._start_refused or ("ready; press Start" if state is BotState.IDLE else self._last_reason())
            return
        if trading.services.clock.speed == 0:
            self._why = "the venue's clock stands still"
            return
        hours = self._hours()
        now = trading.services.clock.now()
        if hours.day == self._over and state in ARMED_STATES:
            self._why = f"the session of {hours.day} is over for the bot"
            return
        if state not in ARMED_STATES:
            self._close_down(hours, state)
        elif now < hours.open - PREPARE:
            self._why = f"waiting for the session of {hours.day}"
        elif self._is_over(hours, now):
            self._why = f"the session of {hours.day} is over; waiting for the next"
        else:
            self._trade(hours)

    def _trade(self, hours: SessionHours) -> None:
        """Begin the session. When it may not be and orders of before a restart are out, they are closed at least."""
        try:
            self._begin(hours)
        except BrokerError:
            raise
        except (TbotError, OSError) as error:
            if not read_journal(self._paths, hours.day).orders:
                raise
            self._begin(hours, emergency=True).halt(f"the session cannot go on: {error}")

    def _close_down(self, hours: SessionHours, state: BotState) -> None:
        """Bring a session to its end that was not: the state says that nothing more is to be entered."""
        day = self._begin(hours, emergency=True)
        if state is BotState.SHUTDOWN_TRIGGERED:
            day.feed(e.KillRequested(self._market_now(), "bot", "the session's end was interrupted"))
        elif state not in CLOSING_STATES:
            day.halt(f"an unfinished session was found while {state}")

    def _is_over(self, hours: SessionHours, now: datetime) -> bool:
        """Whether the session's books are closed and nothing can be entered any more: then it is not opened again."""
        services = self._connected().services
        before = max(services.settings.execution.flat_before_close_s, FLAT_LEAST_S * services.clock.speed)
        return now >= hours.close - timedelta(seconds=before) and read_journal(self._paths, hours.day).done

    def _last_reason(self) -> str:
        if self._turns.due("reason", 1.0):
            self._reason = self._state.last_reason()
        return self._reason

    def _begin(self, hours: SessionHours, *, emergency: bool = False) -> Day:
        trading = self._connected()
        # What still waits for an earlier day (an account that was flat then) must not be news to this one.
        while (message := wait_for(trading.inbox, 0)) is not None:
            self._hear(trading, message)
        with self._process.notify.patient(BROKER_STEP):
            day = compose.open_day(trading, hours, self._state.read(), emergency=emergency)
        self._day = day
        day.start()
        log.info("session", extra={"fields": {"day": hours.day.isoformat(), "open": hours.open.isoformat()}})
        return day

    def _run_day(self, day: Day) -> None:
        speed = self._connected().services.clock.speed
        if speed not in (0, day.context.speed):
            log.info("the venue's clock changed its speed; the day begins anew", extra={"fields": {"speed": speed}})
            day.close()
            self._day = None
            return
        day.turn()
        self._why = ""
        if day.settled:
            self._finish(day)
        elif self._saved.to_be_adopted(self._connected(), day):
            day.close()
            self._day = None

    def _finish(self, day: Day) -> None:
        """Close the books. Armed goes on to the next session; stopped is idle; tripped stays down."""
        armed = self._state.read()
        if armed in ARMED_STATES and armed is not BotState.UPDATING:
            self._state.move(armed, BotState.UPDATING, "bot", "the session is over; closing the books")
        services = self._connected().services
        with self._process.notify.patient(BROKER_STEP):
            close_books(services, day)
        # What the session left, at its very end: nothing publishes positions and orders after it.
        self._display.show(self._desk, self._day, self._why)
        day.close()
        self._day = None
        self._over = day.context.plan.hours.day
        if self._state.read() is BotState.UPDATING:
            self._state.move(BotState.UPDATING, BotState.ANALYZING, "bot", "session closed; waiting for the next")

    def _publish(self) -> None:
        self._display.show_due(self._desk, self._day, self._why)


def trade(process: Process) -> None:
    paths = Paths(root_from_environment())
    require_no_plaintext(paths)
    lock = take(paths.private / "bot.lock", "the strategy runtime")
    Trader(paths, process).run()
    os.close(lock)


if __name__ == "__main__":
    sys.exit(run("bot", trade))
