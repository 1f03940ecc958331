"""The data stream's channels, encodings, limits and errors, told by raw frames."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import msgpack
import pytest

from tbot_bot.paper import stream_hub
from tbot_bot.paper.settings import VenueSettings
from tests.unit.paper.conftest import KEY, SECRET, RunningVenue, start_venue, wait_for
from tests.unit.paper.test_streams import MSGPACK

AUTH = {"action": "auth", "key": KEY, "secret": SECRET}


class Wire:
    """One connection; frames are packed and unpacked."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def ask(self, message: object) -> Any:
        await self.socket.send_bytes(msgpack.packb(message))
        return await self.next()

    async def next(self) -> Any:
        frame = await self.socket.receive(5)
        if frame.type != aiohttp.WSMsgType.BINARY:
            return [{"T": "closed"}]
        return msgpack.unpackb(frame.data, timestamp=3)


@asynccontextmanager
async def wire(venue: RunningVenue, feed: str = "iex") -> AsyncIterator[Wire]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.stream_url}/v2/{feed}", headers=MSGPACK) as socket,
    ):
        found = Wire(socket)
        assert (await found.next())[0]["msg"] == "connected"
        yield found


def reach(venue: RunningVenue, moment: str) -> None:
    """Skips there and waits until the stream has told what lies before."""
    venue.skip(moment)
    server: Any = venue.server
    wait_for(lambda: server._face._data._bars_until >= server.venue.clock.now_ms())


@pytest.fixture
def limited(settings: VenueSettings) -> Iterator[RunningVenue]:
    running = start_venue(replace(settings, plan="basic"))
    yield running
    running.stop()


def test_a_plan_limits_the_trades_and_quotes_but_not_the_bars(limited: RunningVenue) -> None:
    names = [f"S{number}" for number in range(16)]

    async def go() -> None:
        async with wire(limited) as found:
            await found.ask(AUTH)
            fine = await found.ask({"action": "subscribe", "trades": names[:15], "quotes": names[:15], "bars": ["*"]})
            assert len(fine[0]["trades"]) == 15
            for more in ({"trades": names}, {"quotes": ["*"]}):
                assert (await found.ask({"action": "subscribe", **more}))[0]["code"] == 405
            same = await found.ask({"action": "unsubscribe", "trades": ["S0"]})
            assert (len(same[0]["trades"]), len(same[0]["quotes"]), same[0]["bars"]) == (14, 15, ["*"])
            swapped = await found.ask({"action": "subscribe", "trades": ["S15"]})
            assert len(swapped[0]["trades"]) == 15

    asyncio.run(go())


def test_a_second_connection_is_one_too_many_until_the_first_is_gone(limited: RunningVenue) -> None:
    async def go() -> None:
        async with wire(limited) as first:
            assert (await first.ask(AUTH))[0]["msg"] == "authenticated"
            async with wire(limited) as second:
                assert (await second.ask(AUTH))[0]["code"] == 406
                assert (await second.next())[0]["T"] == "closed"
        for _ in range(100):
            async with wire(limited) as third:
                if (await third.ask(AUTH))[0].get("msg") == "authenticated":
                    return
            await asyncio.sleep(0.02)
        raise AssertionError("the first connection still counts")

    asyncio.run(go())


def test_the_consolidated_feed_needs_a_subscription(limited: RunningVenue) -> None:
    async def go() -> None:
        async with wire(limited, "sip") as found:
            assert (await found.ask(AUTH))[0]["code"] == 409
            assert (await found.next())[0]["T"] == "closed"

    asyncio.run(go())


def test_another_feeds_channels_are_refused(venue: RunningVenue) -> None:
    async def go() -> None:
        async with wire(venue) as found:
            await found.ask(AUTH)
            assert (await found.ask({"action": "subscribe", "news": ["*"]}))[0]["code"] == 410
            assert (await found.ask({"action": "subscribe", "bars": ["SPY"]}))[0]["bars"] == ["SPY"]

    asyncio.run(go())


def test_who_does_not_log_in_is_sent_away(venue: RunningVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_hub, "LOGIN_S", 0.3)

    async def go() -> None:
        async with wire(venue) as found:
            assert (await found.next())[0] == {"T": "error", "code": 404, "msg": "auth timeout"}
            assert (await found.next())[0]["T"] == "closed"
        async with wire(venue) as found:
            await found.ask(AUTH)
            await asyncio.sleep(0.5)
            assert (await found.ask({"action": "subscribe", "bars": ["SPY"]}))[0]["bars"] == ["SPY"]

    asyncio.run(go())


def test_corrections_come_with_trades(venue: RunningVenue) -> None:
    async def go() -> None:
        async with wire(venue) as found:
            await found.ask(AUTH)
            told = (await found.ask({"action": "subscribe", "trades": ["SPY"]}))[0]
            assert told["corrections"] == told["cancelErrors"] == ["SPY"]
            told = (await found.ask({"action": "unsubscribe", "trades": ["SPY"]}))[0]
            assert told["trades"] == told["corrections"] == []

    asyncio.run(go())


async def minute_of(venue: RunningVenue, found: Wire, moment: str) -> list[Any]:
    await asyncio.to_thread(venue.skip, moment)
    messages: list[Any] = []
    while not {"b", "d", "l"} <= {message["T"] for message in messages}:
        got = await found.next()
        assert got[0]["T"] != "closed"
        messages += got
    return messages


def test_each_minute_has_a_bar_the_sessions_bar_and_its_bands(venue: RunningVenue) -> None:
    async def go() -> list[Any]:
        await asyncio.to_thread(reach, venue, "2026-01-05T15:00:30Z")
        async with wire(venue) as found:
            await found.ask(AUTH)
            await found.ask({"action": "subscribe", "bars": ["SPY"], "dailyBars": ["*"], "lulds": ["SPY"]})
            return await minute_of(venue, found, "2026-01-05T15:01:30Z")

    messages = asyncio.run(go())
    bar, daily, luld = (next(m for m in messages if m["T"] == kind and m["S"] == "SPY") for kind in "bdl")
    minutes = venue.get("/v2/stocks/bars", symbols="SPY", timeframe="1Min").json()["bars"]["SPY"]
    assert len(minutes) == 31
    assert (bar["o"], bar["c"], bar["v"]) == (minutes[-1]["o"], minutes[-1]["c"], minutes[-1]["v"])
    assert daily["v"] == sum(minute["v"] for minute in minutes)
    assert (daily["o"], daily["c"]) == (minutes[0]["o"], minutes[-1]["c"])
    assert (daily["h"], daily["l"]) == (max(m["h"] for m in minutes), min(m["l"] for m in minutes))
    assert luld["d"] < bar["c"] < luld["u"]
    assert luld["u"] == pytest.approx(bar["c"] * 1.05, abs=0.01)


def test_halts_are_told_without_any_bars(venue: RunningVenue) -> None:
    async def go() -> list[Any]:
        await asyncio.to_thread(reach, venue, "2026-01-05T15:00:30Z")
        async with wire(venue) as found:
            await found.ask(AUTH)
            await found.ask({"action": "subscribe", "statuses": ["SPY"]})
            assert (await asyncio.to_thread(venue.admin, "POST", "/faults", {"halt": "SPY"})).status_code == 200
            await asyncio.to_thread(venue.skip, "2026-01-05T15:01:30Z")
            told: list[Any] = await found.next()
            await asyncio.to_thread(venue.admin, "POST", "/faults", {"resume": "SPY"})
            await asyncio.to_thread(venue.skip, "2026-01-05T15:02:30Z")
            return told + await found.next()

    assert [(message["S"], message["sc"]) for message in asyncio.run(go())] == [("SPY", "H"), ("SPY", "T")]


def test_a_client_that_does_not_ask_for_msgpack_reads_and_writes_json(venue: RunningVenue) -> None:
    async def go() -> None:
        await asyncio.to_thread(reach, venue, "2026-01-05T15:00:30Z")
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{venue.stream_url}/v2/iex") as socket:
            assert json.loads(await socket.receive_str())[0]["msg"] == "connected"
            await socket.send_str("no json")
            assert json.loads(await socket.receive_str())[0]["code"] == 400
            await socket.send_json(AUTH)
            assert json.loads(await socket.receive_str())[0]["msg"] == "authenticated"
            await socket.send_json({"action": "subscribe", "bars": ["SPY"]})
            await socket.receive_str()
            await asyncio.to_thread(venue.skip, "2026-01-05T15:01:30Z")
            bar = json.loads(await socket.receive_str(timeout=5))[0]
            assert (bar["T"], bar["S"], bar["t"]) == ("b", "SPY", "2026-01-05T15:00:00Z")

    asyncio.run(go())


def test_a_client_that_falls_behind_is_told_so_and_cut_off(
    venue: RunningVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_hub, "QUEUED_FRAMES", 20)

    async def go() -> list[Any]:
        async with wire(venue) as found:
            await found.ask(AUTH)
            await found.ask({"action": "subscribe", "bars": ["*"]})
            await asyncio.to_thread(venue.skip, "2026-01-05T15:30:30Z")
            seen = [await found.next()]
            while seen[-1][0]["T"] != "closed":
                seen.append(await found.next())
            return [frame[0] for frame in seen]

    seen = asyncio.run(go())
    assert (seen[-2]["T"], seen[-2]["code"], seen[-1]["T"]) == ("error", 407, "closed")
