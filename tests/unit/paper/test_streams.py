import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import msgpack
import pytest
from alpaca.data.live import StockDataStream
from alpaca.trading.stream import TradingStream

from tests.unit.paper.conftest import KEY, SECRET, RunningVenue, wait_for
from tests.unit.paper.test_rest_trading import OPEN, market, price_of


@contextmanager
def running(stream: Any) -> Iterator[None]:
    """Runs an alpaca-py stream in a thread until the block ends."""
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    wait_for(lambda: stream._running)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(stream.close(), stream._loop).result(5)
        stream._should_run = False
        thread.join(10)


@contextmanager
def trade_updates(venue: RunningVenue) -> Iterator[list[Any]]:
    seen: list[Any] = []

    async def note(update: Any) -> None:
        seen.append(update)

    stream = TradingStream(KEY, SECRET, url_override=venue.stream_url + "/stream")
    stream.subscribe_trade_updates(note)
    with running(stream):
        wait_for(lambda: venue.server.venue is not None and listening(venue))
        yield seen


def listening(venue: RunningVenue) -> bool:
    health = venue.admin("GET", "/health").json()
    return bool(health["listeners"])


def test_trade_updates_tell_new_fill_and_cancel_with_the_activitys_execution_id(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    with trade_updates(venue) as seen:
        client.submit_order(market("SPY", "buy", 2))
        venue.skip("2026-01-05T14:31:30Z")
        wait_for(lambda: len(seen) == 2)
        assert [update.event for update in seen] == ["new", "fill"]
        fill = client.get("/account/activities")[0]
        assert fill["id"].endswith(str(seen[1].execution_id))
        assert float(seen[1].qty) == 2
        assert seen[1].position_qty == 2
        assert seen[1].order.status == "filled"


def test_duplicated_and_missing_fill_messages_leave_the_books_right(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    with trade_updates(venue) as seen:
        venue.admin("POST", "/faults", {"duplicate_fills": 1})
        client.submit_order(market("SPY", "buy", 1))
        venue.skip("2026-01-05T14:31:30Z")
        wait_for(lambda: [update.event for update in seen] == ["new", "fill", "fill"])
        venue.admin("POST", "/faults", {"missing_fills": 1})
        client.submit_order(market("SPY", "buy", 1))
        venue.skip("2026-01-05T14:32:30Z")
        wait_for(lambda: client.get_open_position("SPY").qty == "2")
        client.submit_order(market("SPY", "sell", 2))
        venue.skip("2026-01-05T14:33:30Z")
        wait_for(lambda: len(seen) == 6)
        assert [update.event for update in seen[3:]] == ["new", "new", "fill"]


def test_another_accounts_updates_stay_private(venue: RunningVenue) -> None:
    venue.skip(OPEN)
    with trade_updates(venue) as seen:
        venue.trading("PKOTHER", "other").submit_order(market("SPY", "buy", 1))
        venue.trading().submit_order(market("SH", "buy", 1))
        venue.skip("2026-01-05T14:31:30Z")
        wait_for(lambda: len(seen) == 2)
        assert {update.order.symbol for update in seen} == {"SH"}


def test_minute_bars_and_quotes_arrive_and_agree_with_rest(moving_venue: RunningVenue) -> None:
    bars: list[Any] = []
    quotes: list[Any] = []

    async def note_bar(bar: Any) -> None:
        bars.append(bar)

    async def note_quote(quote: Any) -> None:
        quotes.append(quote)

    stream = StockDataStream(KEY, SECRET, url_override=moving_venue.stream_url + "/v2/iex")
    names = [item.symbol for item in moving_venue.server.venue.market.instruments]  # type: ignore[union-attr]
    stream.subscribe_bars(note_bar, *names)
    stream.subscribe_quotes(note_quote, "SPY")
    with running(stream):
        moving_venue.skip(OPEN)
        wait_for(lambda: len({bar.timestamp for bar in bars}) >= 2 and len(quotes) > 3)
    listed = moving_venue.get("/v2/stocks/bars", symbols="SPY", timeframe="1Min").json()["bars"]["SPY"]
    spy = {bar.timestamp.strftime("%Y-%m-%dT%H:%M:%SZ"): bar.close for bar in bars if bar.symbol == "SPY"}
    assert spy
    assert spy.items() <= {bar["t"]: bar["c"] for bar in listed}.items()
    assert len(spy) == len([bar for bar in bars if bar.symbol == "SPY"])
    assert all(quote.ask_price > quote.bid_price for quote in quotes)
    assert abs(quotes[-1].bid_price - price_of(moving_venue, "SPY")) < 5


MSGPACK = {"Content-Type": "application/msgpack"}


async def raw(url: str, *messages: Any) -> list[Any]:
    """Sends raw frames to the data stream and returns one answer for each, after the greeting."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=MSGPACK) as socket:
        await socket.receive_bytes()
        answers = []
        for message in messages:
            await socket.send_bytes(message if isinstance(message, bytes) else msgpack.packb(message))
            answers.append(msgpack.unpackb(await socket.receive_bytes())[0])
        return answers


@pytest.mark.parametrize("message", [b"\xc1", b"junk", {"action": "fly"}, [1, 2]])
def test_malformed_frames_get_an_error_and_keep_the_connection(venue: RunningVenue, message: Any) -> None:
    answers = asyncio.run(raw(venue.stream_url + "/v2/iex", message, {"action": "auth", "key": KEY, "secret": SECRET}))
    assert answers[0]["code"] == 400
    assert answers[1]["msg"] == "authenticated"


def test_the_data_stream_wants_the_right_secret_first(venue: RunningVenue) -> None:
    venue.trading().get_account()
    answers = asyncio.run(
        raw(
            venue.stream_url + "/v2/iex",
            {"action": "subscribe", "bars": ["SPY"]},
            {"action": "auth", "key": KEY, "secret": "wrong"},
            {"action": "auth", "key": KEY, "secret": SECRET},
            {"action": "auth", "key": KEY, "secret": SECRET},
            {"action": "subscribe", "bars": ["SPY"], "quotes": "SPY"},
        )
    )
    assert [answer.get("code") for answer in answers] == [401, 402, None, 403, None]
    assert answers[-1]["T"] == "subscription"
    assert answers[-1]["bars"] == ["SPY"]


def test_dropped_streams_are_cut_and_muted_ones_stay_silent(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    with trade_updates(venue) as seen:
        venue.admin("POST", "/faults", {"mute_streams": True})
        client.submit_order(market("SPY", "buy", 1))
        venue.skip("2026-01-05T14:31:30Z")
        assert client.get_open_position("SPY").qty == "1"
        assert venue.admin("POST", "/faults", {"mute_streams": False, "drop_streams": True}).json()["dropped"] == 1
        wait_for(lambda: not listening(venue))
        wait_for(lambda: listening(venue), 15)
        client.submit_order(market("SH", "buy", 1))
        venue.skip("2026-01-05T14:32:30Z")
        wait_for(lambda: [update.order.symbol for update in seen] == ["SH", "SH"])


def test_a_client_that_does_not_read_holds_up_nobody(moving_venue: RunningVenue) -> None:
    names = [item.symbol for item in moving_venue.server.venue.market.instruments]  # type: ignore[union-attr]

    async def sleepy() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(moving_venue.stream_url + "/v2/iex", headers=MSGPACK) as socket,
        ):
            await socket.send_bytes(msgpack.packb({"action": "auth", "key": KEY, "secret": SECRET}))
            await socket.send_bytes(msgpack.packb({"action": "subscribe", "bars": names}))
            for minute in range(31, 60):
                await asyncio.to_thread(moving_venue.skip, f"2026-01-05T14:{minute}:00Z")
            assert (await asyncio.to_thread(moving_venue.get, "/v2/account")).elapsed.total_seconds() < 1

    asyncio.run(sleepy())
