"""Every equity call of lumiwealth-tradier against the server of argv; prints what it was told as one line of JSON."""

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any


def tried(call: Callable[[], Any]) -> str:
    """The words of the library's own error, "" for none."""
    base = importlib.import_module("lumiwealth_tradier.base")
    try:
        call()
    except (base.TradierApiError, ValueError, LookupError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def rows(frame: Any) -> list[Any]:
    return list(json.loads(frame.reset_index().to_json(orient="records", date_format="iso")))


def accounts(client: Any, told: dict[str, Any]) -> None:
    told["profile"] = rows(client.account.get_user_profile())[0]
    told["balances"] = rows(client.account.get_account_balance())[0]
    told["no positions"] = len(client.account.get_positions())
    told["no orders"] = len(client.orders.get_orders())
    told["no gains"] = client.account.get_gainloss() is None


def trades(client: Any, symbol: str, told: dict[str, Any]) -> None:
    def settled(number: int) -> Any:
        for _ in range(200):
            row = rows(client.orders.get_order(number))[0]
            if row["status"] not in ("pending", "open", "partially_filled"):
                return row
            time.sleep(0.05)
        return row

    last = float(client.market.get_last_price(symbol))
    orders = client.orders
    told["placed"] = orders.order(symbol, "buy", 10, "market", tag="judge-1")
    told["filled"] = settled(told["placed"]["id"])
    told["one position"] = rows(client.account.get_positions(symbols=[symbol]))
    resting = orders.order(symbol, "buy", 3, "limit", limit_price=round(last * 0.7, 2), tag="judge-2")["id"]
    told["resting"] = rows(orders.get_order(resting))[0]
    told["modified"] = orders.modify(resting, limit_price=round(last * 0.6, 2), duration="gtc")
    told["after modifying"] = rows(orders.get_order(resting))[0]
    told["canceled"] = orders.cancel(resting)
    told["after canceling"] = settled(resting)
    told["canceled again"] = orders.cancel(resting)
    told["too dear"] = settled(orders.order(symbol, "buy", 1_000_000, "limit", limit_price=round(last * 0.7, 2))["id"])
    told["unknown symbol"] = tried(lambda: orders.order("NOSUCHSYM", "buy", 1, "market"))
    told["more than held"] = tried(lambda: orders.order(symbol, "sell", 11, "market"))
    told["unknown order"] = tried(lambda: orders.get_order(987654))
    bracket = importlib.import_module("lumiwealth_tradier.orders").OrderLeg
    sides = (("buy", "limit", 0.7, None), ("sell", "limit", 1.3, None), ("sell", "stop", None, 0.5))
    legs = [
        bracket(
            stock_symbol=symbol,
            side=side,
            quantity=2,
            type=kind,
            price=price and round(last * price, 2),
            stop=stop and round(last * stop, 2),
        )
        for side, kind, price, stop in sides
    ]
    told["bracket"] = orders.advanced_order("day", legs, "otoco", tag="judge-3")
    told["bracket resting"] = rows(orders.get_order(told["bracket"]["id"]))[0]
    told["bracket canceled"] = orders.cancel(told["bracket"]["id"])
    told["all orders"] = rows(orders.get_orders())
    told["sold"] = settled(orders.order(symbol, "sell", 4, "market")["id"])
    told["history"] = rows(client.account.get_history())
    told["history of a symbol"] = len(client.account.get_history(symbol=symbol, activity_type="trade", limit=1))
    told["gains"] = rows(client.account.get_gainloss())


def markets(client: Any, symbol: str, other: str, told: dict[str, Any]) -> None:
    market = client.market
    told["quotes"] = rows(market.get_quotes([symbol, other]))
    told["a quote"] = rows(market.get_quotes(symbol))
    told["no quote"] = tried(lambda: market.get_quotes("NOSUCHSYM"))
    told["clock"] = market.get_clock()
    told["calendar"] = rows(market.get_calendar(1, 2026))
    told["minutes"] = rows(market.get_timesales(symbol, 1))
    told["quarters"] = rows(market.get_timesales(symbol, 15))
    told["days"] = rows(market.get_historical_quotes(symbol, start_date="2025-11-03", end_date="2025-12-31"))
    told["weeks"] = rows(market.get_historical_quotes(symbol, "weekly", start_date="2025-11-03", end_date="2025-12-31"))
    told["months"] = rows(
        market.get_historical_quotes(symbol, "monthly", start_date="2025-11-03", end_date="2025-12-31")
    )
    told["lookup"] = rows(market.lookup_symbol(symbol[:1]))


def main() -> None:
    url, number, token, symbol, other = sys.argv[1:]
    importlib.import_module("lumiwealth_tradier.base").TRADIER_SANDBOX_URL = url
    client = importlib.import_module("lumiwealth_tradier").Tradier(number, token)
    stranger = importlib.import_module("lumiwealth_tradier").Tradier("VA00000000", token)
    told: dict[str, Any] = {}
    accounts(client, told)
    trades(client, symbol, told)
    markets(client, symbol, other, told)
    told["another's account"] = tried(lambda: stranger.orders.order(symbol, "buy", 1, "market"))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
