"""What the venue is told when it starts."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

from tbot_bot.domain.errors import ConfigInvalid
from tbot_bot.paper.plans import PLANS
from tbot_bot.support.loopback import is_loopback

DEFAULT_FIRST_SESSION = date(2026, 1, 5)
MAX_SPEED = Decimal(5000)
MAX_LATENCY_MS = 60_000


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """`start_minutes`: how long before each open the virtual day begins. `session`: the first to trade; None is
    2026-01-05 on the synthetic market and the file's first on replay. Port 0 takes a free one. `hold`: the clock
    stands still until `POST /clock/run` on the admin port. `plan`: what accounts are limited to (see plans.py).
    stands still until `POST /clock/run` on the admin port. Latencies in milliseconds of market time: until an accepted
    order can trade, and until an order's event is told.

    Raises ConfigInvalid for a host that is not loopback and for values out of range.
    """

    state_dir: Path
    host: str = "127.0.0.1"
    port: int = 8090
    admin_port: int = 8091
    market: Literal["synthetic", "replay"] = "synthetic"
    seed: int = 7
    speed: Decimal = Decimal(1)
    replay_file: Path | None = None
    session: date | None = None
    start_minutes: int = 5
    opening_cash: Decimal = Decimal(100_000)
    symbols: int = 600
    hold: bool = False
    plan: str = "open"
    match_latency_ms: int = 20
    report_latency_ms: int = 0

    def __post_init__(self) -> None:
        faults = [text for wrong, text in self._checks() if wrong]
        if faults:
            raise ConfigInvalid("paper venue: " + "; ".join(faults))

    def _checks(self) -> tuple[tuple[bool, str], ...]:
        return (
            (not is_loopback(self.host), f"host {self.host!r} is not loopback: use 127.0.0.1 or ::1"),
            (self.market not in ("synthetic", "replay"), f"market {self.market!r} must be synthetic or replay"),
            (not 0 < self.speed <= MAX_SPEED, f"speed {self.speed} must be above 0 and at most {MAX_SPEED}"),
            (self.market == "replay" and self.replay_file is None, "market replay needs replay_file"),
            (not 0 <= self.start_minutes <= 240, f"start_minutes {self.start_minutes} must be 0 to 240"),
            (self.opening_cash <= 0, f"opening_cash {self.opening_cash} must be positive"),
            (not 50 <= self.symbols <= 10_000, f"symbols {self.symbols} must be 50 to 10000"),
            (self.plan not in PLANS, f"plan {self.plan!r} must be one of {', '.join(PLANS)}"),
            (
                not 0 <= self.match_latency_ms <= MAX_LATENCY_MS or not 0 <= self.report_latency_ms <= MAX_LATENCY_MS,
                f"match_latency_ms and report_latency_ms must be 0 to {MAX_LATENCY_MS}",
            ),
            (self.seed < 0, f"seed {self.seed} must not be negative"),
        )
