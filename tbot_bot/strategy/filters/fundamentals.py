"""Fundamentals guard: P/E in (0, MAX_PE_RATIO], debt/equity ≤ MAX_DEBT_EQUITY; a missing value denies unless
allowed."""

from tbot_bot.domain.market import Fundamentals
from tbot_bot.domain.settings import FilterSettings
from tbot_bot.domain.verdict import ALLOWED, Denied, Verdict

MISSING = "FUNDAMENTALS_MISSING_ALLOWED"


def judge(facts: Fundamentals, settings: FilterSettings) -> Verdict:
    """Everything is allowed while the guard is off (ENABLE_FUNNHUB_FUNDAMENTALS_FILTER)."""
    if not settings.enable_funnhub_fundamentals_filter:
        return ALLOWED
    missing_allowed = settings.fundamentals_missing_allowed
    if facts.pe_ratio is None:
        if not missing_allowed:
            return Denied("fundamentals", "P/E is unknown", MISSING)
    elif not 0 < facts.pe_ratio <= settings.max_pe_ratio:
        return Denied("fundamentals", f"P/E {facts.pe_ratio} is outside 0 to {settings.max_pe_ratio}", "MAX_PE_RATIO")
    if facts.debt_equity is None:
        if not missing_allowed:
            return Denied("fundamentals", "debt/equity is unknown", MISSING)
    elif facts.debt_equity > settings.max_debt_equity:
        reason = f"debt/equity {facts.debt_equity} is above {settings.max_debt_equity}"
        return Denied("fundamentals", reason, "MAX_DEBT_EQUITY")
    return ALLOWED
