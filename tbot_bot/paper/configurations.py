"""An account's own settings, and the orders that they refuse."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from tbot_bot.paper.account import closes
from tbot_bot.paper.book import Account
from tbot_bot.paper.orders import NewOrder
from tbot_bot.paper.refusal import Refusal, forbidden, invalid
from tbot_bot.paper.venue import Venue

_IGNORED = ("dtbp_check", "pdt_check")
_FIXED = {"max_margin_multiplier": "2", "max_options_trading_level": 0}


@dataclass(frozen=True, slots=True)
class Configuration:
    suspend_trade: bool = False
    no_shorting: bool = False
    fractional_trading: bool = True
    ptp_no_exception_entry: bool = False
    disable_overnight_trading: bool = True
    trade_confirm_email: str = "all"

    def json(self) -> dict[str, object]:
        return {**asdict(self), **_FIXED}


def read_configuration(old: Configuration, body: object) -> Configuration | Refusal:
    """`old` with the fields of a PATCH; null leaves one as it is."""
    if not isinstance(body, Mapping):
        return invalid("request body format is invalid")
    known = asdict(old)
    changes: dict[str, bool | str] = {}
    for name, value in body.items():
        if value is None or name in _IGNORED:
            continue
        if name in _FIXED:
            if str(value) != str(_FIXED[name]):
                return invalid(f"{name} of the paper venue is always {_FIXED[name]}")
        elif name not in known:
            return invalid(f"unknown configuration {str(name)[:40]!r}")
        elif type(value) is not type(known[name]) or (name == "trade_confirm_email" and value not in ("all", "none")):
            return invalid(f"invalid {name}: {str(value)[:40]}")
        else:
            changes[name] = value
    return replace(old, **changes)  # type: ignore[arg-type]


def configuration_of(venue: Venue, account: Account) -> Configuration:
    found = venue.store.get(_key(account))
    return Configuration() if found is None else Configuration(**json.loads(found))


def save_configuration(venue: Venue, account: Account, configuration: Configuration) -> None:
    venue.store.put(_key(account), json.dumps(asdict(configuration)))


def _key(account: Account) -> str:
    return f"configuration:{account.id}"


def refuse_by_configuration(venue: Venue, account: Account, new: NewOrder) -> Refusal | None:
    chosen = configuration_of(venue, account)
    if chosen.suspend_trade:
        return forbidden("new orders are rejected by user request")
    if not chosen.fractional_trading and new.is_fractional:
        return forbidden("fractional trading is disabled by user request")
    if chosen.no_shorting and new.side == "sell" and not closes(account, new.symbol, "sell"):
        return forbidden("account is not allowed to short")
    return None
