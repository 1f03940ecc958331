"""Today's windows from the settings and the exchange's hours."""

from datetime import UTC, datetime, time, timedelta

from tbot_bot.domain.session import DayPlan, SessionHours, SkippedWindow, StrategyName, Window
from tbot_bot.domain.settings import BotSettings, ScheduleAnchor

STANDARD_OPEN = time(14, 30)
STANDARD_CLOSE = time(21, 0)
MINUTE = timedelta(minutes=1)


def resolve_day(settings: BotSettings, hours: SessionHours, now: datetime) -> DayPlan:
    """The windows that run today, in time order, and why the others do not.

    SCHEDULE_ANCHOR=market: a START_TIME is a distance from the open (OPEN, MID) or the close (CLOSE) as in
    standard time (14:30 and 21:00 UTC), so it moves with DST and half days. `utc`: literally. A window that starts
    before the open, is not over by flat-by, or whose breakout is over already is skipped. Windows may overlap: the
    gate is common to all."""
    flat_by = hours.close - timedelta(seconds=settings.execution.flat_before_close_s)
    windows: list[Window] = []
    skipped: list[SkippedWindow] = []
    for name in StrategyName:
        window = _window(settings, name, hours)
        why = _why_off(settings, name, hours) or _why_unfit(window, hours, flat_by, now)
        if why:
            skipped.append(SkippedWindow(name, why))
        else:
            windows.append(window)
    order = {name: index for index, name in enumerate(settings.running_strategies)}
    windows.sort(key=lambda w: (w.start, order[w.strategy]))
    return DayPlan(hours, tuple(windows), tuple(skipped), flat_by)


def _window(settings: BotSettings, name: StrategyName, hours: SessionHours) -> Window:
    own = settings.strategies.of(name)
    start = _start(settings.timing.schedule_anchor, name, own.start_utc, hours)
    analysis_end = start + own.analysis_minutes * MINUTE
    return Window(name, start, analysis_end, analysis_end + own.breakout_minutes * MINUTE, own.monitoring_minutes)


def _start(anchor: ScheduleAnchor, name: StrategyName, start: time, hours: SessionHours) -> datetime:
    literal = datetime.combine(hours.day, start, UTC)
    if anchor is ScheduleAnchor.UTC:
        return literal
    if name is StrategyName.CLOSE:
        return hours.close - (datetime.combine(hours.day, STANDARD_CLOSE, UTC) - literal)
    return hours.open + (literal - datetime.combine(hours.day, STANDARD_OPEN, UTC))


def _why_off(settings: BotSettings, name: StrategyName, hours: SessionHours) -> str:
    if hours.day.weekday() not in settings.timing.trading_days:
        return f"{hours.day:%A} is not in TRADING_DAYS"
    if not settings.strategies.of(name).enabled:
        return f"switched off (STRAT_{name.upper()}_ENABLED)"
    override = settings.routing.strategy_override
    if override is not None and override is not name:
        return f"STRATEGY_OVERRIDE runs {override} alone"
    if name not in settings.running_strategies:
        return "not in STRATEGY_SEQUENCE"
    return ""


def _why_unfit(window: Window, hours: SessionHours, flat_by: datetime, now: datetime) -> str:
    if window.start < hours.open:
        return f"starts {window.start:%H:%M} UTC, before the open at {hours.open:%H:%M}"
    if window.breakout_end > flat_by:
        return f"ends {window.breakout_end:%H:%M} UTC, too late to be flat by {flat_by:%H:%M:%S}"
    if now >= window.breakout_end:
        return f"too late today: its breakout ended at {window.breakout_end:%H:%M} UTC"
    return ""
