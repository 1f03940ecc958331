import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, ExitPlan, OrderIntent, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.support.codec import from_json, to_json

AT = datetime(2026, 1, 5, 15, 1, tzinfo=UTC)
INTENT = OrderIntent(
    client_id=ClientOrderId("tb-1"),
    session=date(2026, 1, 5),
    strategy=StrategyName.MID,
    symbol=Symbol("SH"),
    side=Side.BUY,
    purpose=Purpose.ENTRY,
    trade_id=ClientOrderId("tb-1"),
    created_at=AT,
    reason="d −2.1 %",
    notional=Decimal("799.99"),
    exit_plan=ExitPlan(Decimal("0.015"), None, Decimal("0.02"), AT, Symbol("XYZ")),
)


def test_an_intent_survives_the_journal_exactly() -> None:
    assert from_json(OrderIntent, json.loads(json.dumps(to_json(INTENT)))) == INTENT


def test_unknown_fields_are_ignored_and_missing_ones_take_their_default() -> None:
    row = to_json(INTENT)
    row["added_later"] = 1
    del row["limit_price"]
    assert from_json(OrderIntent, row) == INTENT


@pytest.mark.parametrize(
    ("name", "value"), [("side", "hold"), ("notional", "NaN"), ("created_at", 5), ("symbol", None)]
)
def test_a_damaged_field_is_an_error_not_a_guess(name: str, value: object) -> None:
    with pytest.raises(DataInvalid):
        from_json(OrderIntent, {**to_json(INTENT), name: value})
