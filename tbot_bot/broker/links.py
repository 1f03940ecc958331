"""What an adapter shares with the rest of tbot: budgets of requests and the log of what was said to the broker."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tbot_bot.broker.api_log import ApiLog, NoApiLog
from tbot_bot.broker.rate_limit import Limits
from tbot_bot.domain.orders import OrderReport
from tbot_bot.domain.settings import BrokerCredentials
from tbot_bot.ports.broker import StreamHandlers
from tbot_bot.ports.clock import Clock
from tbot_bot.support.codec import to_json
from tbot_bot.support.path_resolver import Paths


@dataclass(frozen=True, slots=True)
class BrokerLinks:
    """`limits_folder`: where budgets are shared between processes; None: they belong to this one. `role` tells the
    processes of one installation apart at brokers that let each connect once: 0 trades, 1 builds the universe, 2
    trades the secondary account."""

    limits_folder: Path | None = None
    api_log: ApiLog = field(default_factory=NoApiLog)
    role: int = 0

    def limits(self, speed: Callable[[], float]) -> Limits:
        return Limits(self.limits_folder, speed)

    def logged(self, handlers: StreamHandlers) -> StreamHandlers:
        """The same handlers; the API log also hears when a stream connects or breaks, and each order update."""

        def on_state(name: str, connected: bool, words: str) -> None:
            self.api_log.note("stream", stream=name, connected=connected, words=words)
            handlers.on_state(name, connected, words)

        def on_order(report: OrderReport) -> None:
            self.api_log.note("order_update", report=to_json(report))
            handlers.on_order(report)

        return replace(handlers, on_state=on_state, on_order=on_order)


def open_links(paths: Paths, wall: Clock, credentials: BrokerCredentials, role: int = 0) -> BrokerLinks:
    """The links of a process on this root; the log never shows what identifies or opens the account."""
    hidden = (
        credentials.broker_account_number,
        credentials.broker_api_key,
        credentials.broker_secret_key,
        credentials.broker_username,
        credentials.broker_password,
    )
    return BrokerLinks(paths.private / "limits", ApiLog(paths.api_logs, wall, hidden), role)
