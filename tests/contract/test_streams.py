"""Pushed data: what arrives, what a reconnect brings back, and what a silent connection looks like."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tbot_bot.domain.orders import ClientOrderId, OrderStatus

MINUTE = timedelta(minutes=1)


def only_pushed(broker: Any) -> None:
    if not broker.capabilities.pushes:
        pytest.skip("this broker pushes nothing: there is no connection that could drop or fall silent")


@pytest.fixture
def streaming(broker: Any, heard: Any, names: Any, wait: Any) -> Any:
    """Bars of four symbols, quotes of two, order updates."""
    broker.watch_bars(names[:4])
    broker.watch_quotes(names[:2])
    broker.start(heard.handlers())
    wait(lambda: heard.up("data") and heard.up("trading"), what="both streams")
    return broker


def test_bars_quotes_and_order_updates_arrive(streaming: Any, heard: Any, names: Any, intent: Any, wait: Any) -> None:
    wait(lambda: {bar.symbol for bar in heard.bars} == set(names[:4]), what="a bar of each symbol")
    wait(lambda: {quote.symbol for quote in heard.quotes} == set(names[:2]), what="a quote of each symbol")
    order = intent(names[0])
    streaming.submit_order(order)
    wait(lambda: [r for r in heard.orders if r.status is OrderStatus.FILLED], what="the fill's message")
    assert {report.client_id for report in heard.orders} == {order.client_id}


def test_a_pushed_bar_is_complete_and_equals_the_asked_one(streaming: Any, heard: Any, wait: Any) -> None:
    bar = wait(lambda: heard.bars[:1])[0]
    assert bar.start + MINUTE <= streaming.get_clock().now
    assert streaming.bars([bar.symbol], bar.start, bar.start + MINUTE) == (bar,)


def test_a_changed_watch_takes_effect_while_connected(streaming: Any, heard: Any, names: Any, wait: Any) -> None:
    wait(lambda: heard.bars)
    streaming.watch_bars(names[3:5])
    streaming.watch_quotes(())
    wait(lambda: names[4] in {bar.symbol for bar in heard.bars}, what="the new symbol's bar")
    time.sleep(0.3)
    heard.bars.clear()
    heard.quotes.clear()
    wait(lambda: len({bar.start for bar in heard.bars}) >= 2, what="two more minutes")
    assert {bar.symbol for bar in heard.bars} == set(names[3:5])
    assert heard.quotes == []
    assert heard.up("data") == 1


def test_dropped_streams_come_back_with_their_subscriptions(
    streaming: Any, venue: Any, heard: Any, names: Any, intent: Any, wait: Any
) -> None:
    only_pushed(streaming)
    wait(lambda: heard.bars)
    venue.fault(drop_streams=True)
    wait(lambda: heard.down("data") and heard.down("trading"), what="both streams down")
    streaming.submit_order(intent(names[1], client_id=ClientOrderId("tb-stream-gap")))
    wait(lambda: heard.up("data") == 2 and heard.up("trading") == 2, what="both streams again")
    heard.bars.clear()
    wait(lambda: {bar.symbol for bar in heard.bars} == set(names[:4]), what="bars after the drop")

    def gap_fills() -> list[Any]:
        fills = streaming.executions_since(datetime(2026, 1, 5, tzinfo=UTC))
        return [fill for fill in fills if fill.client_id == "tb-stream-gap"]

    assert sum(fill.quantity for fill in wait(gap_fills, what="the fill of the gap")) == 5


def test_a_mute_stream_stays_connected_and_only_the_age_of_its_data_tells(
    streaming: Any, venue: Any, heard: Any, names: Any, wait: Any
) -> None:
    only_pushed(streaming)
    wait(lambda: heard.bars)
    venue.fault(mute_streams=True)
    time.sleep(0.3)
    newest = max(bar.start for bar in heard.bars)
    if venue.heartbeats:
        wait(lambda: heard.down("data"), 30, what="the silence told as a loss")
        venue.clear()
        wait(lambda: heard.up("data") >= 2, 30, what="the connection again")
        return
    time.sleep(3.0)
    assert max(bar.start for bar in heard.bars) == newest
    assert heard.down("data") == 0
    asked = streaming.quotes(names[:1])[0]
    assert asked.at - newest > 3 * MINUTE


def test_stop_ends_both_threads_in_time_and_start_works_again(streaming: Any, heard: Any, wait: Any) -> None:
    began = time.monotonic()
    streaming.stop()
    assert time.monotonic() - began < 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("alpaca-", "poll-"))]
    heard.bars.clear()
    streaming.start(heard.handlers())
    wait(lambda: heard.bars, what="bars after the second start")
    streaming.stop()


def test_a_wrong_secret_never_connects_and_does_not_hammer(venue: Any, heard: Any, names: Any, wait: Any) -> None:
    first = venue.broker("STREAMKEY")
    first.connect()
    first.close()
    broker = venue.broker("STREAMKEY", "another-secret")
    broker.watch_bars(names[:1])
    broker.start(heard.handlers())
    wait(lambda: heard.down("trading"))
    wait(lambda: heard.down("data") or not broker.capabilities.pushes)
    time.sleep(1.5)
    broker.close()
    assert heard.up("trading") == 0
    assert not broker.capabilities.pushes or heard.up("data") == 0
    assert max(heard.down("data"), heard.down("trading")) <= 4
    assert all("another-secret" not in words for _, _, words in heard.states)


def test_a_poll_that_fails_says_so_and_comes_back(streaming: Any, venue: Any, heard: Any, wait: Any) -> None:
    if streaming.capabilities.pushes:
        pytest.skip("this broker pushes; its streams have tests of their own")
    wait(lambda: heard.bars)
    venue.fault(http_status=503, http_count=1000)
    wait(lambda: heard.down("data") and heard.down("trading"), 20, what="both told as down")
    venue.clear()
    wait(lambda: heard.up("data") == 2 and heard.up("trading") == 2, 20, what="both again")
