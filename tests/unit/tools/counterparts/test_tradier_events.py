"""The counterpart's streams."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.unit.tools.counterparts.conftest import Client
from tools.counterparts.tradier.shape import account_number


def session(client: Client, kind: str) -> str:
    return str(client.ask("POST", f"/{kind}/events/session").json()["stream"]["sessionid"])


def over_socket(client: Client, kind: str, act: Callable[[ClientConnection], Awaitable[Any]], **asked: Any) -> Any:
    async def talk() -> Any:
        url = f"{client.venue.url.replace('http', 'ws', 1)}/v1/{kind}/events"
        async with connect(url) as socket:
            await socket.send(json.dumps(asked))
            return await asyncio.wait_for(act(socket), 15)

    return asyncio.run(talk())


async def _next(socket: ClientConnection) -> Any:
    return json.loads(await socket.recv())


def test_an_accounts_stream_tells_its_orders_and_nobody_elses(client: Client) -> None:
    stranger = Client(client.venue, "STRANGER")

    async def trade(socket: ClientConnection) -> list[Any]:
        while not (await asyncio.to_thread(client.venue.admin, "GET", "/health")).json()["listeners"]:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(stranger.placed, quantity=3)
        number = await asyncio.to_thread(client.placed, tag="told")
        await asyncio.to_thread(client.venue.skip, "2026-01-05T15:00:05+00:00")
        told = [await _next(socket)]
        while told[-1]["status"] != "filled":
            told.append(await _next(socket))
        assert {each["id"] for each in told} == {number}
        return told

    told = over_socket(client, "accounts", trade, sessionid=session(client, "accounts"), events=["order"])
    assert told[-1]["executed_quantity"] == told[-1]["last_fill_quantity"] == 10
    assert {each["tag"] for each in told} == {"told"}
    assert {each["account"] for each in told} == {account_number(client.token)}


def test_a_session_serves_once(client: Client) -> None:
    name = session(client, "markets")

    async def first(socket: ClientConnection) -> Any:
        return await _next(socket)

    told = over_socket(client, "markets", first, sessionid=name, symbols=["SPY"], filter=["trade"])
    assert (told["type"], told["symbol"]) == ("trade", "SPY")
    for used in (name, "never-opened"):
        assert "error" in over_socket(client, "markets", first, sessionid=used, symbols=["SPY"])


def test_market_events_come_as_lines_over_http_too(client: Client) -> None:
    form = {"sessionid": session(client, "markets"), "symbols": "SPY,SH,NOSUCH", "filter": "quote,summary"}
    url = f"{client.venue.url}/v1/markets/events"
    with client.venue.session.post(url, data=form, stream=True, timeout=15) as answer:
        lines = answer.iter_lines()
        told = [json.loads(next(lines)) for _ in range(4)]
    assert [(each["type"], each["symbol"]) for each in told] == [
        ("quote", "SPY"),
        ("summary", "SPY"),
        ("quote", "SH"),
        ("summary", "SH"),
    ]
    again = client.venue.session.post(url, data=form, timeout=15)
    assert again.status_code == 400


def test_a_mute_stream_says_nothing_and_a_dropped_one_ends(client: Client) -> None:
    client.fault(mute_streams=True)

    async def wait(socket: ClientConnection) -> int:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.7)
        answer = await asyncio.to_thread(client.venue.admin, "POST", "/faults", {"drop_streams": True})
        await socket.wait_closed()
        return int(answer.json()["dropped"])

    assert over_socket(client, "markets", wait, sessionid=session(client, "markets"), symbols=["SPY"]) == 1
