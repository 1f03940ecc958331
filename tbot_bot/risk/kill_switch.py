"""DAILY_LOSS_LIMIT: once the session's loss reaches it, everything is closed and nothing is entered again that
session."""

from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.domain.verdict import ALLOWED, Denied, Verdict


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """Latching: once `tripped` says why, no later value clears it. `daily_loss`: USD, positive."""

    daily_loss: Decimal
    tripped: str = ""

    def see(self, pnl: Decimal | None) -> "KillSwitch":
        """After hearing of today's P&L (realised + unrealised − fees, USD); unknown trips nothing but allows
        nothing."""
        if self.tripped or pnl is None or pnl > -self.daily_loss:
            return self
        return KillSwitch(self.daily_loss, f"loss limit: {pnl:,.2f} USD reaches −{self.daily_loss:,.2f} USD")

    def pull(self, why: str) -> "KillSwitch":
        """By a human; the first reason stays."""
        return self if self.tripped else KillSwitch(self.daily_loss, why)

    def judge(self, pnl: Decimal | None) -> Verdict:
        """Whether a new entry may be made."""
        if self.tripped:
            return Denied("kill_switch", f"the kill switch fell: {self.tripped}", "DAILY_LOSS_LIMIT")
        if pnl is None:
            return Denied("kill_switch", "today's P&L is unknown", "DAILY_LOSS_LIMIT")
        if pnl <= -self.daily_loss:
            return Denied("kill_switch", f"today's loss of {-pnl:,.2f} USD reaches the limit", "DAILY_LOSS_LIMIT")
        return ALLOWED


def day_pnl(equity: Decimal | None, opening_equity: Decimal) -> Decimal | None:
    """The broker's equity against the session's opening equity: realised, unrealised and fees together."""
    return None if equity is None else equity - opening_equity
