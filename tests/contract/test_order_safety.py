"""The order campaign's own judge: it finds what a careless adapter does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.broker.brokers.broker_tradier import TradierBroker
from tbot_bot.domain.errors import OrderFateUnknown, OrderRefused
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderReport
from tools.counterparts.rigs import FIRST, TradierRig
from tools.order_safety.cases import Case, cases, try_case


class Careless(TradierBroker):
    """Takes silence for a no, as many bots do."""

    def submit_order(self, intent: OrderIntent) -> OrderReport:
        try:
            return super().submit_order(intent)
        except OrderFateUnknown as error:
            raise OrderRefused(intent.client_id, "no answer, so it was not taken in", "") from error


class Forgetful(TradierBroker):
    """Finds none of its orders again, and so sends them once more."""

    def get_order(self, client_id: ClientOrderId) -> OrderReport | None:
        report = super().get_order(client_id)
        return None if report is not None and report.filled_quantity else report


class CarelessRig(TradierRig):
    adapter: type[TradierBroker] = Careless

    def broker(self, account: str, secret: str = "") -> Any:
        made: Any = super().broker(account, secret)
        made.__class__ = self.adapter
        return made


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarelessRig]:
    made = CarelessRig(tmp_path_factory.mktemp("careless"), 20)
    made.start()
    made.run_from(FIRST)
    yield made
    made.close()


ANSWERED = 3
"""The moment after the first order's answer and before it is written down: the next life has to ask."""


@pytest.mark.parametrize(
    ("adapter", "case"),
    [(Careless, Case(0, "lost answers", None, 0.0)), (Forgetful, Case(0, "none", ANSWERED, 0.0))],
)
def test_a_careless_adapter_is_found_out(
    rig: CarelessRig, tmp_path: Path, adapter: type[TradierBroker], case: Case
) -> None:
    rig.adapter = adapter
    outcome = try_case(rig, case, rig.names(), tmp_path)
    assert any("duplicate" in words for words in outcome.wrong)


def test_the_careful_one_passes_the_same_case(rig: CarelessRig, tmp_path: Path) -> None:
    rig.adapter = TradierBroker
    for case in (Case(0, "lost answers", None, 0.0), Case(0, "none", ANSWERED, 0.0)):
        assert try_case(rig, case, rig.names(), tmp_path).wrong == ()


def test_cases_are_every_fault_with_every_moment_and_the_same_for_a_seed() -> None:
    faults = {"none": {}, "busy": {}}
    every = cases(faults, 5, 12, 1)
    assert {(case.fault, case.death) for case in every} == {(f, d) for f in faults for d in (None, *range(5))}
    assert cases(faults, 5, 12, 1) == every != cases(faults, 5, 12, 2)
