"""The books in memory: lots and round trips, grown fill by fill. Derived from the entries alone, so it can be
thrown away."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from tbot_bot.accounting.booking import FillBooking, fill_postings
from tbot_bot.accounting.lots import Lot, Match, cost, held
from tbot_bot.accounting.units import from_micros, from_nanos
from tbot_bot.domain.books import BookedFill, RoundTrip, slippage_bps
from tbot_bot.domain.errors import LedgerRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.portfolio import Position


class Books:
    """Open lots by symbol and closed matches by session, in booking order. A reversed fill leaves both."""

    def __init__(self) -> None:
        self._fills: dict[Symbol, list[BookedFill]] = defaultdict(list)
        self._lots: dict[Symbol, tuple[Lot, ...]] = {}
        self._matches: dict[date, list[Match]] = defaultdict(list)
        self._seen: dict[str, BookedFill] = {}

    def seen(self, execution_id: str) -> BookedFill | None:
        """The fill ever booked under this id, reversed or not."""
        return self._seen.get(execution_id)

    def book(self, fill: BookedFill) -> FillBooking:
        """What `fill` would do now; changes nothing."""
        return fill_postings(self._lots.get(fill.symbol, ()), fill)

    def add(self, fill: BookedFill, booking: FillBooking) -> None:
        """Take over a booking that the ledger holds now."""
        self._seen[fill.execution_id] = fill
        self._fills[fill.symbol].append(fill)
        self._lots[fill.symbol] = booking.lots
        self._matches[fill.session].extend(booking.matches)

    def check_reversible(self, fill: BookedFill) -> None:
        """Only a symbol's latest fill can be reversed: later ones were matched against it. Raises LedgerRefused."""
        fills = self._fills[fill.symbol]
        if not fills or fills[-1].execution_id != fill.execution_id:
            raise LedgerRefused(
                f"execution {fill.execution_id} cannot be reversed: reverse the later fills of {fill.symbol} first, "
                "newest first"
            )

    def remove(self, fill: BookedFill) -> None:
        """Take back a symbol's latest fill."""
        self.check_reversible(fill)
        fills = self._fills[fill.symbol]
        fills.pop()
        kept = [m for m in self._matches[fill.session] if m.closed.execution_id != fill.execution_id]
        self._matches[fill.session] = kept
        lots: tuple[Lot, ...] = ()
        for earlier in fills:
            lots = fill_postings(lots, earlier).lots
        self._lots[fill.symbol] = lots

    def fills(self, session: date) -> tuple[BookedFill, ...]:
        """The session's fills that stand, by time."""
        rows = [fill for fills in self._fills.values() for fill in fills if fill.session == session]
        return tuple(sorted(rows, key=lambda fill: (fill.at, fill.execution_id)))

    def positions(self) -> tuple[Position, ...]:
        """Shares held (negative = short) at their average cost, by symbol; flat symbols are absent."""
        rows = []
        for symbol, lots in sorted(self._lots.items()):
            if lots:
                rows.append(Position(symbol, from_nanos(held(lots)), average_price(cost(lots), held(lots))))
        return tuple(rows)

    def trips(self, session: date) -> tuple[RoundTrip, ...]:
        """Round trips closed in `session`, by the time of their entry."""
        groups: dict[tuple[str, Symbol], list[Match]] = defaultdict(list)
        for match in self._matches.get(session, ()):
            opened = match.opened
            groups[opened.trade_id or opened.execution_id, opened.symbol].append(match)
        trips = [_round_trip(trade_id, matches) for (trade_id, _), matches in groups.items()]
        return tuple(sorted(trips, key=lambda trip: (trip.entry_at, trip.trade_id)))


def average_price(micros: int, nanos: int) -> Decimal:
    """USD per share to 1e-6, from a value and a number of shares of one sign."""
    return (from_micros(micros) / from_nanos(nanos)).quantize(Decimal("0.000001"))


def _round_trip(trade_id: str, matches: Sequence[Match]) -> RoundTrip:
    first, last = matches[0].opened, matches[-1].closed
    quantity = sum(match.quantity for match in matches)
    fees = sum(match.fees for match in matches)
    entry_price = average_price(sum(m.opened_value for m in matches), quantity)
    exit_price = average_price(sum(m.closed_value for m in matches), quantity)
    return RoundTrip(
        trade_id=trade_id,
        session=last.session,
        strategy=first.strategy,
        symbol=first.symbol,
        signal_symbol=first.signal_symbol,
        direction=first.direction,
        opened_by=first.side,
        quantity=from_nanos(quantity),
        entry_at=min(match.opened.at for match in matches),
        entry_price=entry_price,
        exit_at=max(match.closed.at for match in matches),
        exit_price=exit_price,
        fees=from_micros(fees),
        pnl=from_micros(sum(match.realised for match in matches) - fees),
        entry_slippage_bps=_average_slippage((m.opened, m.quantity) for m in matches),
        exit_slippage_bps=_average_slippage((m.closed, m.quantity) for m in matches),
        why=last.reason,
    )


def _average_slippage(parts: Iterable[tuple[BookedFill, int]]) -> Decimal | None:
    """Against the share-weighted reference of the fills that have one."""
    known = [(fill, shares) for fill, shares in parts if fill.reference_price is not None]
    if not known:
        return None
    total = Decimal(sum(shares for _, shares in known))
    price = sum((fill.price * shares for fill, shares in known), Decimal(0)) / total
    reference = sum(((fill.reference_price or Decimal(0)) * shares for fill, shares in known), Decimal(0)) / total
    return slippage_bps(known[0][0].side, price, reference)
