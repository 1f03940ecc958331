"""One backtest job from its file to its folder of results."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from tbot_bot.backtest.calendar import sessions_between
from tbot_bot.backtest.fills import CAPABILITIES, MemoryExchange, SlippageModel
from tbot_bot.backtest.history import History, SessionBars, read_history
from tbot_bot.backtest.job import Job, read_job
from tbot_bot.backtest.metrics import measure
from tbot_bot.backtest.results import RunResult, as_plain, write_results
from tbot_bot.backtest.session import EquityPoint, SessionResult, SessionRun
from tbot_bot.domain.books import RoundTrip
from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.market import Fundamentals, Listing, Symbol, VixReading
from tbot_bot.domain.settings import BotSettings
from tbot_bot.engine.commands import Outcome
from tbot_bot.engine.context import DayContext
from tbot_bot.engine.schedule import resolve_day
from tbot_bot.ports.clock import Clock
from tbot_bot.risk.defense import DefenseFacts
from tbot_bot.screeners.inverse import inverse_map
from tbot_bot.support.path_resolver import Paths

VIX = Symbol("VIX")
AVERAGE_SESSIONS = 20
BOT_ID = "backtest"

ASSUMPTIONS = (
    "market orders fill whole at the next bar's open, moved towards its close by SIMULATED_LATENCY_MS; without a "
    "further bar at the day's last close",
    "stops fill at their price when a bar touches them, at the open when a bar opens beyond; stop before target",
    "slippage by SLIPPAGE_* (percent of the price), always paid; no fees, no partial fills, no shorting of shares",
    "quotes are the last close with no spread, so MAX_SPREAD_PCT never refuses",
    "market caps and fundamentals of the past are not known: their filters let unknown values pass",
    "average volume is that of up to 20 earlier sessions in the file; the VIX is its VIX close of the session before",
    "symbols without any volume in the file are taken for indexes and not traded; only the file's symbols exist",
)


@dataclass(slots=True)
class _Run:
    """What one session leaves to the next."""

    exchange: MemoryExchange
    symbols: Sequence[Symbol]
    closings: list[Decimal] = field(default_factory=list)
    curve: list[EquityPoint] = field(default_factory=list)
    trades: list[RoundTrip] = field(default_factory=list)
    results: dict[date, SessionResult] = field(default_factory=dict)


def run_job(paths: Paths, job_path: Path, clock: Clock, settings: BotSettings) -> Path:
    """Run the job and return its folder below `backtest_results/`, named by its dates and inputs.

    Raises DataInvalid, naming what to correct, before anything is written."""
    job = read_job(job_path, paths.root, clock.now().date())
    history = read_history(job.file, sessions_between(job.first, job.last))
    chosen = [session for session in history.sessions if session.hours.day >= job.first]
    if not chosen:
        raise DataInvalid(f"{job.file.name} holds no bars of a session from {job.first} to {job.last}")
    tolerant = replace(settings.filters, market_cap_missing_allowed=True, fundamentals_missing_allowed=True)
    used = replace(settings, filters=tolerant)
    run = _Run(MemoryExchange(job.equity, SlippageModel(used.slippage, job.seed)), _traded(history))
    for session in chosen:
        _trade(run, used, history, session)
    config = _config(job, used, history, chosen)
    result = RunResult(
        config, measure(job.equity, run.closings, run.curve, run.trades), run.trades, run.curve, _notes(run, history)
    )
    folder = paths.backtest_results / f"{job.first}_{job.last}_{_digest(config)}"
    write_results(folder, result)
    return folder


def _trade(run: _Run, settings: BotSettings, history: History, session: SessionBars) -> None:
    earlier = [one for one in history.sessions if one.hours.day < session.hours.day]
    run.exchange.start_session()
    context = _context(run, settings, session, earlier)
    result = SessionRun(context, session, run.exchange).run()
    day = session.hours.day
    run.results[day] = result
    run.curve.extend(result.equity)
    run.trades.extend(run.exchange.books.trips(day))
    run.closings.append(run.exchange.equity)


def _context(run: _Run, settings: BotSettings, session: SessionBars, earlier: Sequence[SessionBars]) -> DayContext:
    hours = session.hours
    listings = _listings(run.symbols, earlier)
    vix = _vix(earlier)
    return DayContext(
        settings=settings,
        plan=resolve_day(settings, hours, hours.open),
        bot_id=BOT_ID,
        listings=listings,
        inverse_etfs=tuple(etf for etf in inverse_map() if etf.symbol in listings),
        capabilities=CAPABILITIES,
        opening_equity=run.exchange.equity,
        vix=vix,
        previous_session=earlier[-1].hours.day if earlier else None,
        defense=DefenseFacts(_drawdown(run), _losing_days(run), vix.value if vix else None),
    )


def _traded(history: History) -> tuple[Symbol, ...]:
    """The file's symbols that ever had volume: the others are indexes."""
    total: Counter[Symbol] = Counter()
    for session in history.sessions:
        total.update(_volumes(session))
    return tuple(sorted(symbol for symbol, volume in total.items() if volume > 0))


def _listings(symbols: Sequence[Symbol], earlier: Sequence[SessionBars]) -> dict[Symbol, Listing]:
    """All symbols, with what earlier sessions tell of them."""
    totals = [_volumes(one) for one in earlier[-AVERAGE_SESSIONS:]]
    closes = _closes(earlier[-1]) if earlier else {}
    listings = {}
    for symbol in symbols:
        known = [volumes[symbol] for volumes in totals if symbol in volumes]
        average = sum(known) // len(known) if known else None
        facts = Fundamentals(symbol, average_volume=average, previous_close=closes.get(symbol))
        listings[symbol] = Listing(symbol, symbol, "", fractionable=True, shortable=False, fundamentals=facts)
    return listings


def _volumes(session: SessionBars) -> Counter[Symbol]:
    total: Counter[Symbol] = Counter()
    for bars in session.minutes.values():
        for symbol, bar in bars.items():
            total[symbol] += bar.volume
    return total


def _closes(session: SessionBars) -> dict[Symbol, Decimal]:
    return {symbol: bar.close for bars in session.minutes.values() for symbol, bar in bars.items()}


def _vix(earlier: Sequence[SessionBars]) -> VixReading | None:
    if not earlier:
        return None
    close = _closes(earlier[-1]).get(VIX)
    return None if close is None else VixReading(close, earlier[-1].hours.day)


def _drawdown(run: _Run) -> Decimal | None:
    recent = run.closings[-AVERAGE_SESSIONS:]
    return (max(recent) - recent[-1]) / max(recent) if recent and max(recent) > 0 else None


def _losing_days(run: _Run) -> int:
    count = 0
    for before, after in zip(reversed(run.closings[:-1]), reversed(run.closings[1:]), strict=True):
        if after >= before:
            break
        count += 1
    return count


def _config(job: Job, settings: BotSettings, history: History, chosen: Sequence[SessionBars]) -> dict[str, Any]:
    symbols = sorted({symbol for session in chosen for bars in session.minutes.values() for symbol in bars})
    return {
        "first": job.first.isoformat(),
        "last": job.last.isoformat(),
        "file": job.file.name,
        "data_sha256": history.fingerprint,
        "rows_outside_sessions": history.left_out,
        "sessions": [session.hours.day.isoformat() for session in chosen],
        "symbols": symbols,
        "equity": str(job.equity),
        "seed": job.seed,
        "settings": as_plain(settings),
        "assumptions": list(ASSUMPTIONS),
    }


def _digest(config: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def _notes(run: _Run, history: History) -> tuple[str, ...]:
    notes = []
    if history.left_out:
        notes.append(f"{history.left_out} rows lie outside the chosen sessions' regular hours and were left out")
    for day, result in run.results.items():
        if result.tripped:
            notes.append(f"{day}: {result.tripped}")
        if not result.flat:
            notes.append(f"{day}: the day did not end flat")
    denied = Counter(
        decision.setting or decision.reason
        for result in run.results.values()
        for decision in result.decisions
        if decision.outcome in {Outcome.DENIED, Outcome.REFUSED}
    )
    notes += [f"{count} candidates were refused by {rule}" for rule, count in sorted(denied.items())]
    return tuple(notes)
