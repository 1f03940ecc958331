"""What is known of a company beyond its price."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tbot_bot.domain.market import Fundamentals, Symbol, VixReading


class ReferenceData(Protocol):
    """A provider of fundamentals. Questions raise BrokerUnavailable or BrokerDenied when the provider cannot answer."""

    @property
    def source(self) -> str:
        """Its name, for the universe file and the dashboard."""
        ...

    def fundamentals(self, symbols: Sequence[Symbol]) -> Mapping[Symbol, Fundamentals]:
        """Symbols that the provider does not know are absent; fields that it does not know are None."""
        ...

    def vix(self) -> VixReading | None:
        """The VIX's last completed close; None = unknown, which denies what depends on it."""
        ...
