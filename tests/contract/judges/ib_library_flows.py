"""ib_insync, or ib_async where that is what can be imported, against the gateway; prints what it was told as JSON.

Arguments: port, client id, symbol. Any message that the library cannot decode is an error that it logs."""

import importlib
import json
import logging
import sys
from collections.abc import Callable
from typing import Any


class Complaints(logging.Handler):
    """What the library itself calls an error while it decodes."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "decoder" in record.name.lower():
            self.heard.append(record.getMessage())


def library() -> Any:
    try:
        return importlib.import_module("ib_insync")
    except ModuleNotFoundError:
        return importlib.import_module("ib_async")


def until(ib: Any, ready: Callable[[], bool]) -> None:
    for _ in range(100):
        if ready():
            return
        ib.sleep(0.05)


def main() -> None:
    lib = library()
    complaints = Complaints()
    logging.getLogger(lib.__name__).addHandler(complaints)
    logging.getLogger(lib.__name__).propagate = False
    port, client, symbol = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    told: dict[str, Any] = {"library": lib.__name__}
    errors: list[int] = []
    ib = lib.IB()
    ib.errorEvent += lambda number, code, *rest: errors.append(code)
    ib.connect("127.0.0.1", port, clientId=client, timeout=10)
    stock = lib.Stock(symbol, "SMART", "USD")
    told["accounts"] = ib.managedAccounts()
    told["values"] = {v.tag: v.value for v in ib.accountValues()}
    told["details"] = [d.longName for d in ib.reqContractDetails(stock)]
    ib.qualifyContracts(stock)
    told["unknown"] = len(ib.reqContractDetails(lib.Stock("NOSUCHSYM", "SMART", "USD")))
    orders(lib, ib, stock, told)
    market(ib, stock, told)
    told["completed"] = sorted(t.orderStatus.status for t in ib.reqCompletedOrders(False))
    told["fills"] = [f.execution.execId for f in ib.reqExecutions()]
    told["positions"] = [(p.contract.symbol, p.position) for p in ib.positions()]
    ib.disconnect()
    ib.connect("127.0.0.1", port, clientId=client, timeout=10)
    told["after reconnect"] = {"open": len(ib.openTrades()), "fills": len(ib.fills()), "held": len(ib.positions())}
    ib.disconnect()
    told["errors"] = sorted(set(errors))
    told["undecoded"] = complaints.heard
    print(json.dumps(told, default=str))


def orders(lib: Any, ib: Any, stock: Any, told: dict[str, Any]) -> None:
    bought = ib.placeOrder(stock, lib.MarketOrder("BUY", 5, orderRef="judge-1"))
    until(ib, lambda: bool(bought.isDone() and bought.fills and bought.fills[0].commissionReport.execId))
    told["bought"] = [bought.orderStatus.status, bought.orderStatus.filled, len(bought.fills)]
    rests = ib.placeOrder(stock, lib.LimitOrder("BUY", 5, 5.0, orderRef="judge-2"))
    until(ib, lambda: rests.orderStatus.status == "Submitted")
    rests.order.lmtPrice = 6.0
    ib.placeOrder(stock, rests.order)
    until(ib, lambda: rests.log[-1].message == "Modified")
    told["modified"] = [t.order.lmtPrice for t in ib.reqAllOpenOrders()]
    ib.cancelOrder(rests.order)
    until(ib, rests.isDone)
    told["cancelled"] = rests.orderStatus.status
    trail = ib.placeOrder(stock, lib.Order(action="SELL", totalQuantity=5, orderType="TRAIL", trailingPercent=20.0))
    until(ib, lambda: trail.orderStatus.status == "PreSubmitted")
    told["trail"] = trail.orderStatus.status
    ib.cancelOrder(trail.order)
    until(ib, trail.isDone)
    for order in ib.bracketOrder("BUY", 5, 6.0, 3000.0, 3.0):
        ib.placeOrder(stock, order)
    until(ib, lambda: [t.orderStatus.status for t in ib.openTrades()].count("PendingSubmit") == 0)
    told["bracket"] = sorted((t.order.orderType, t.orderStatus.status, t.order.parentId > 0) for t in ib.openTrades())
    oca = [lib.LimitOrder("SELL", 5, 3000.0), lib.StopOrder("SELL", 5, 3.0)]
    for order in lib.IB.oneCancelsAll(oca, "judge-oca", 1):
        ib.placeOrder(stock, order)
    until(ib, lambda: len(ib.openTrades()) == 5)
    ib.cancelOrder(oca[0])
    until(ib, lambda: len(ib.openTrades()) == 3)
    told["oca"] = len(ib.openTrades())
    rejected = ib.placeOrder(stock, lib.MarketOrder("BUY", 50_000_000))
    until(ib, lambda: rejected.orderStatus.status in ("Inactive", "Cancelled"))
    told["rejected"] = rejected.orderStatus.status


def market(ib: Any, stock: Any, told: dict[str, Any]) -> None:
    (ticker,) = ib.reqTickers(stock)
    told["quote"] = [ticker.bid, ticker.ask, ticker.last]
    line = ib.reqMktData(stock, "236")
    until(ib, lambda: line.bid > 0 and line.shortableShares == line.shortableShares)
    told["line"] = [line.bid, line.halted, line.shortableShares]
    ib.cancelMktData(stock)
    ib.reqMarketDataType(3)
    delayed = ib.reqMktData(stock, "")
    until(ib, lambda: delayed.marketDataType == 3 and delayed.bid > 0)
    told["delayed"] = [delayed.marketDataType, delayed.bid]
    ib.cancelMktData(stock)
    ib.reqMarketDataType(1)
    bars = ib.reqHistoricalData(stock, "", "1800 S", "1 min", "TRADES", True, 2)
    told["bars"] = len(bars)
    told["days"] = len(ib.reqHistoricalData(stock, "", "10 D", "1 day", "TRADES", True))
    told["time"] = ib.reqCurrentTime()


if __name__ == "__main__":
    main()
