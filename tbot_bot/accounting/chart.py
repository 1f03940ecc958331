"""The chart of accounts. A change adds accounts under a new version; none is ever renamed or removed."""

from dataclasses import dataclass
from enum import StrEnum

CHART_VERSION = 1


class AccountKind(StrEnum):
    ASSET = "asset"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"


@dataclass(frozen=True, slots=True)
class LedgerAccount:
    """`code` is what postings hold; `since` the chart's version that brought the account."""

    code: str
    name: str
    kind: AccountKind
    since: int


CASH = LedgerAccount("1000", "Assets:Cash", AccountKind.ASSET, 1)
SECURITIES = LedgerAccount("1100", "Assets:Securities at cost", AccountKind.ASSET, 1)
OPENING = LedgerAccount("3000", "Equity:Opening balances", AccountKind.EQUITY, 1)
REALISED = LedgerAccount("4000", "Income:Realised P&L", AccountKind.INCOME, 1)
FEES = LedgerAccount("5000", "Expenses:Fees", AccountKind.EXPENSE, 1)

CHART = (CASH, SECURITIES, OPENING, REALISED, FEES)
