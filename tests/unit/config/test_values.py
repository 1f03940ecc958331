"""One key's text to its value and back."""

from datetime import time
from decimal import Decimal

import pytest

from tbot_bot.config.schema import BY_NAME
from tbot_bot.config.values import Refused, Value, to_text, to_value
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.settings import ShortType


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("TOTAL_ALLOCATION", "0.02", Decimal("0.02")),
        ("MAX_TRADES", "+4", 4),
        ("STRAT_OPEN_BUFFER", "-0", Decimal(0)),
        ("FRACTIONAL", "TRUE", True),
        ("SHORT_TYPE_OPEN", "inverseetf", ShortType.INVERSE_ETF),
        ("START_TIME_OPEN", "09:05", time(9, 5)),
        ("SLEEP_TIME", "1s", 1000),
        ("SLEEP_TIME", "1m", 60_000),
        ("SLEEP_TIME", "250ms", 250),
        ("WEIGHTS", "0.5, 0.25", (Decimal("0.5"), Decimal("0.25"))),
        ("STRATEGY_SEQUENCE", "close, open", (StrategyName.CLOSE, StrategyName.OPEN)),
        ("STRATEGY_OVERRIDE", "", None),
        ("ALPACA_ENABLED", "", None),
        ("BROKER_URL", "https://paper-api.alpaca.markets/", "https://paper-api.alpaca.markets"),
        ("BROKER_URL", "http://[::1]:8090", "http://[::1]:8090"),
        ("BROKER_PASSWORD", "pä#ss wörd", "pä#ss wörd"),
    ],
)
def test_good_text_becomes_a_value_that_reads_back_the_same(key: str, text: str, value: Value) -> None:
    spec = BY_NAME[key]

    assert to_value(spec, text) == value
    assert to_value(spec, to_text(spec, value)) == value


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("TOTAL_ALLOCATION", "NaN", "plain number"),
        ("TOTAL_ALLOCATION", "Infinity", "plain number"),
        ("TOTAL_ALLOCATION", "1e-2", "plain number"),
        ("TOTAL_ALLOCATION", "1e999", "plain number"),
        ("TOTAL_ALLOCATION", "٠.٠٢", "plain number"),
        ("TOTAL_ALLOCATION", "1,000", "plain number"),
        ("TOTAL_ALLOCATION", "0", "more than 0"),
        ("TOTAL_ALLOCATION", "1.000001", "to 1"),
        ("MAX_TRADES", "4.0", "whole number"),
        ("MAX_TRADES", "51", "to 50"),
        ("MAX_TRADES", "-1", "from 1"),
        ("MAX_TRADES", "9" * 400, "whole number"),
        ("MAX_TRADES", "", "a value is needed"),
        ("FRACTIONAL", "yes", "true or false"),
        ("BUILD_MODE", "fast", "one of debug, release"),
        ("BROKER_NAME", "etrade", "one of PAPER, ALPACA, IBKR, TRADIER"),
        ("ROUTINE_ALERT_CHANNEL", "pagerduty", "one of email, slack"),
        ("START_TIME_OPEN", "24:00", "time of day"),
        ("START_TIME_OPEN", "9:30", "time of day"),
        ("SLEEP_TIME", "1", "duration"),
        ("SLEEP_TIME", "0s", "100 ms to 60000 ms"),
        ("WEIGHTS", "0.5,,0.5", "entry 2"),
        ("WEIGHTS", "0.5,0", "entry 2"),
        ("STRATEGY_SEQUENCE", "open,open", "names open twice"),
        ("TRADING_DAYS", "mon,sun", "one of mon, tue"),
        ("BROKER_URL", "http://paper-api.alpaca.markets", "must start with https"),
        ("BROKER_URL", "https://key:secret@example.com", "user name"),
        ("BROKER_URL", "https://example.com/?token=1", "query"),
        ("BROKER_URL", "https://example.com:99999", "no web address"),
        ("BROKER_URL", "http://127.0.0.1:8090/x", "base address"),
        ("BROKER_URL", "https://[::1", "no web address"),
        ("BROKER_URL", "https://exa mple.com", "no web address"),
        ("BROKER_URL", "ftp://localhost", "must start with https"),
        ("FAILOVER_LOG_TAG", "a b", "characters"),
        ("CONTROL_DIR", "elsewhere", "layout is fixed"),
    ],
)
def test_bad_text_is_refused_with_the_reason(key: str, text: str, why: str) -> None:
    refused = to_value(BY_NAME[key], text)

    assert isinstance(refused, Refused)
    assert why in refused.message
