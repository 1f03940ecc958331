"""What a process does with an id that the one before it sent."""

from collections.abc import Callable
from typing import Any

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import OrderIntent
from tools.counterparts.rigs import Rig


def test_an_id_of_an_earlier_process_is_not_sent_again_though_orders_were_listed_meanwhile(
    venue: Rig, account: str, names: tuple[Symbol, ...], intent: Callable[..., OrderIntent], wait: Callable[..., Any]
) -> None:
    wanted = intent(names[0])
    before = venue.broker(account)
    try:
        first = before.submit_order(wanted)
        wait(lambda: before.get_positions(), what="the fill")
    finally:
        before.close()
    after = venue.broker(account)
    try:
        after.open_orders()
        assert after.submit_order(wanted).broker_id == first.broker_id
        (held,) = after.get_positions()
        assert held.quantity == wanted.quantity
    finally:
        after.close()
