"""Every equity call of uvatradier against the server of argv; prints what it was told as one last line of JSON."""

import asyncio
import importlib
import json
import sys
import time
import types
from typing import Any

_PLOTS_AND_TIMERS = ("matplotlib", "matplotlib.pyplot", "schedule")
"""What the library imports for plots and timers, which no flow here asks for."""


def rows(frame: Any) -> list[Any]:
    return list(json.loads(frame.to_json(orient="records", date_format="iso")))


def trades(account: Any, equity: Any, symbol: str, told: dict[str, Any]) -> None:
    told["profile"] = rows(account.get_user_profile())[0]
    told["balances"] = rows(account.get_account_balance())[0]
    told["no orders"] = len(account.get_orders())
    told["no positions"] = len(account.get_positions())
    told["placed"] = equity.order(symbol=symbol, side="buy", quantity=7, order_type="market")
    told["refused"] = equity.order(symbol="NOSUCHSYM", side="buy", quantity=2, order_type="market")
    for _ in range(200):
        told["orders"] = rows(account.get_orders())
        if any(row["status"] == "filled" for row in told["orders"]):
            break
        time.sleep(0.05)
    told["positions"] = rows(account.get_positions(symbols=[symbol]))
    equity.order(symbol=symbol, side="sell", quantity=3, order_type="market")
    for _ in range(200):
        told["gains"] = rows(account.get_gainloss())
        if told["gains"]:
            break
        time.sleep(0.05)
    told["resting"] = equity.order(
        symbol=symbol, side="buy", quantity=2, order_type="limit", limit_price=1.5, duration="gtc"
    )
    told["all orders"] = rows(account.get_orders())


def markets(quotes: Any, symbol: str, other: str, told: dict[str, Any]) -> None:
    told["quote"] = rows(quotes.get_quote_day(symbol))[0]
    told["last"] = quotes.get_quote_day(symbol, last_price=True)
    told["quotes"] = rows(quotes.get_quote_data([symbol, other]))
    told["days"] = rows(quotes.get_historical_quotes(symbol, "daily", "2025-12-01", "2025-12-31"))
    told["weeks"] = rows(quotes.get_historical_quotes(symbol, "weekly", "2025-12-01", "2025-12-31"))
    told["minutes"] = rows(quotes.get_timesales(symbol, "5min"))
    told["ticks"] = rows(quotes.get_timesales(symbol, "tick"))
    told["found"] = rows(quotes.search_companies("Pro"))


async def streamed(stream: Any, url: str, symbol: str) -> list[Any]:
    """The library connects by TLS alone; its call is led to the loopback's plain socket."""
    websockets = importlib.import_module("websockets")
    module = sys.modules[type(stream).__module__]
    heard: list[Any] = []
    over = asyncio.Event()

    def keep(line: object) -> None:
        if str(line).startswith("{"):
            heard.append(json.loads(str(line)))
        if {each["type"] for each in heard} >= {"quote", "trade"}:
            over.set()

    def connect(uri: str, **options: Any) -> Any:
        return websockets.connect(uri)

    module.websockets = types.SimpleNamespace(  # type: ignore[attr-defined]
        connect=connect,
        ConnectionClosedError=websockets.ConnectionClosedError,
        WebSocketException=websockets.WebSocketException,
    )
    module.print = keep  # type: ignore[attr-defined]
    stream.WEBSOCKET_URL = url.replace("http", "ws", 1)
    task = asyncio.create_task(stream.ws_market_connect([symbol], ["quote", "trade"], True, True, True))
    await asyncio.wait_for(over.wait(), 15)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return heard


def main() -> None:
    url, number, token, symbol, other = sys.argv[1:]
    for name in _PLOTS_AND_TIMERS:
        sys.modules[name] = types.ModuleType(name)
    library = importlib.import_module("uvatradier")
    made = {name: getattr(library, name)(number, token) for name in ("Account", "EquityOrder", "Quotes", "Stream")}
    for part in made.values():
        part.BASE_URL = url
    told: dict[str, Any] = {}
    trades(made["Account"], made["EquityOrder"], symbol, told)
    markets(made["Quotes"], symbol, other, told)
    told["streamed"] = asyncio.run(streamed(made["Stream"], url, symbol))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
