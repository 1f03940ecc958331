"""Entries as rows: how a fact is laid out in the `entry` table, read back, and chained by digest."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tbot_bot.accounting.booking import EXCHANGE_ZONE, Posting
from tbot_bot.accounting.schema import COLUMNS
from tbot_bot.accounting.units import from_micros, from_nanos, to_micros, to_nanos
from tbot_bot.domain.books import BookedFill
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, Direction, Purpose, Side
from tbot_bot.domain.session import StrategyName

KINDS = ("opening", "fill", "reversal")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `entry` by column name, before its number and digests are known or as read."""

    values: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.values["kind"])

    @property
    def postings(self) -> tuple[Posting, ...]:
        return tuple(Posting(account, amount) for account, amount in json.loads(self.values["postings"]))

    @property
    def fill(self) -> BookedFill:
        """The fill that a `fill` row holds; ValueError when a word in it is none of ours."""
        v = self.values
        return BookedFill(
            execution_id=v["execution_id"],
            order_id=v["order_id"],
            symbol=Symbol(v["symbol"]),
            side=Side(v["side"]),
            quantity=from_nanos(v["quantity_nano"]),
            price=from_nanos(v["price_nano"]),
            fee=from_micros(v["fee_micro"]),
            at=datetime.fromisoformat(v["at"]),
            session=date.fromisoformat(v["session"]),
            client_id=None if v["client_id"] is None else ClientOrderId(v["client_id"]),
            trade_id=None if v["trade_id"] is None else ClientOrderId(v["trade_id"]),
            strategy=None if v["strategy"] is None else StrategyName(v["strategy"]),
            purpose=None if v["purpose"] is None else Purpose(v["purpose"]),
            direction=None if v["direction"] is None else Direction(v["direction"]),
            signal_symbol=None if v["signal_symbol"] is None else Symbol(v["signal_symbol"]),
            reference_price=None if v["reference_nano"] is None else from_nanos(v["reference_nano"]),
            reason=v["narration"],
        )


def postings_json(postings: Sequence[Posting]) -> str:
    return json.dumps([[posting.account, posting.amount] for posting in postings], separators=(",", ":"))


def fill_row(fill: BookedFill, postings: Sequence[Posting], config_version: str) -> Row:
    return _row(
        kind="fill",
        at=fill.at.isoformat(),
        session=fill.session.isoformat(),
        narration=fill.reason,
        postings=postings_json(postings),
        execution_id=fill.execution_id,
        order_id=fill.order_id,
        client_id=fill.client_id,
        trade_id=fill.trade_id,
        strategy=_word(fill.strategy),
        purpose=_word(fill.purpose),
        direction=_word(fill.direction),
        symbol=fill.symbol,
        signal_symbol=fill.signal_symbol,
        side=fill.side.value,
        quantity_nano=to_nanos(fill.quantity),
        price_nano=to_nanos(fill.price),
        fee_micro=to_micros(fill.fee),
        reference_nano=_nanos(fill.reference_price),
        config_version=config_version,
    )


def opening_row(account_id: str, at: datetime, postings: Sequence[Posting], config_version: str) -> Row:
    return _row(
        kind="opening",
        at=at.isoformat(),
        session=at.astimezone(EXCHANGE_ZONE).date().isoformat(),
        narration="opening balance",
        postings=postings_json(postings),
        account_id=account_id,
        config_version=config_version,
    )


def reversal_row(entry_id: int, undone: Row, at: datetime, why: str, postings: Sequence[Posting], version: str) -> Row:
    """A reversal counts in the session of the fill that it undoes: the session's result is the corrected one."""
    kept = ("session", "client_id", "trade_id", "strategy", "purpose", "symbol")
    return _row(
        kind="reversal",
        at=at.isoformat(),
        narration=why,
        postings=postings_json(postings),
        reverses=entry_id,
        config_version=version,
        **{name: undone.values[name] for name in kept},
    )


def digest(values: dict[str, Any]) -> str:
    """SHA-256 over every column but the digest itself; `previous` is one of them, which makes the chain."""
    text = json.dumps([values[name] for name in COLUMNS if name != "digest"], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _row(**values: Any) -> Row:
    return Row({name: values.get(name) for name in COLUMNS})


def _word(value: StrategyName | Purpose | Direction | None) -> str | None:
    return None if value is None else value.value


def _nanos(value: Decimal | None) -> int | None:
    return None if value is None else to_nanos(value)
