"""The provider of a broker that has none: it knows nothing, so whatever needs fundamentals is denied."""

from collections.abc import Mapping, Sequence

from tbot_bot.domain.market import Fundamentals, Symbol, VixReading


class NoReference:
    """Implements ports.ReferenceData with no answer to any question."""

    source = "no fundamentals provider"

    def fundamentals(self, symbols: Sequence[Symbol]) -> Mapping[Symbol, Fundamentals]:
        return {}

    def vix(self) -> VixReading | None:
        return None
