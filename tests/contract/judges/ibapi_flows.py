"""IB's own client against the gateway: every message must be decoded; prints what it was told as JSON.

Arguments: port, client id, symbol."""

import importlib
import json
import sys
import threading
import time
from collections import Counter
from decimal import Decimal
from typing import Any

LIBRARY = {
    name: importlib.import_module(f"ibapi.{name}")
    for name in ("client", "wrapper", "contract", "order", "execution", "order_cancel")
}
SECONDS = 8.0


class Judge(LIBRARY["wrapper"].EWrapper, LIBRARY["client"].EClient):  # type: ignore[misc,name-defined]
    """Counts what it is told, and keeps the words."""

    def __init__(self) -> None:
        LIBRARY["client"].EClient.__init__(self, self)
        self.told: Counter[str] = Counter()
        self.words: dict[str, Any] = {"errors": [], "executions": [], "bars": 0}
        self.first: int | None = None

    def nextValidId(self, orderId: int) -> None:  # noqa: N803
        self.first = orderId

    def error(self, *told: Any) -> None:
        self.words["errors"].append(next(code for code in told[1:] if isinstance(code, int) and code))

    def orderStatus(self, *told: Any) -> None:
        self.told[f"status {told[1]}"] += 1

    def openOrder(self, orderId: int, contract: Any, order: Any, state: Any) -> None:  # noqa: N803
        self.told["open"] += 1
        self.words["last open"] = [contract.symbol, order.orderType, order.lmtPrice, order.orderRef, state.status]

    def openOrderEnd(self) -> None:
        self.told["open end"] += 1

    def execDetails(self, reqId: int, contract: Any, execution: Any) -> None:  # noqa: N803
        self.words["executions"].append([execution.execId, str(execution.shares), execution.orderRef])

    def commissionAndFeesReport(self, report: Any) -> None:
        self.told["commission"] += 1

    def completedOrder(self, contract: Any, order: Any, state: Any) -> None:
        self.told[f"completed {state.status}"] += 1

    def completedOrdersEnd(self) -> None:
        self.told["completed end"] += 1

    def position(self, account: str, contract: Any, position: Decimal, cost: float) -> None:
        self.words["position"] = [contract.symbol, str(position)]

    def positionEnd(self) -> None:
        self.told["position end"] += 1

    def updateAccountValue(self, key: str, value: str, currency: str, account: str) -> None:
        self.words[key] = value

    def updatePortfolio(self, contract: Any, *told: Any) -> None:
        self.words["portfolio"] = contract.symbol

    def accountDownloadEnd(self, account: str) -> None:
        self.told["account end"] += 1

    def accountSummary(self, *told: Any) -> None:
        self.told["summary"] += 1

    def contractDetails(self, reqId: int, details: Any) -> None:  # noqa: N803
        self.words["details"] = [details.longName, details.contract.conId > 0]

    def contractDetailsEnd(self, reqId: int) -> None:  # noqa: N803
        self.told["details end"] += 1

    def tickPrice(self, reqId: int, kind: int, *rest: Any) -> None:  # noqa: N803
        self.told[f"tick {kind}"] += 1

    def tickGeneric(self, reqId: int, kind: int, value: float) -> None:  # noqa: N803
        self.told[f"generic {kind}"] += 1

    def historicalData(self, reqId: int, bar: Any) -> None:  # noqa: N803
        self.words["bars"] += 1

    def historicalDataEnd(self, reqId: int, start: str, end: str) -> None:  # noqa: N803
        self.told["bars end"] += 1

    def currentTime(self, stamp: int) -> None:
        self.words["time"] = stamp


def order(kind: str, action: str = "BUY", **terms: Any) -> Any:
    made = LIBRARY["order"].Order()
    made.action, made.totalQuantity, made.orderType, made.orderRef = action, Decimal(5), kind, f"ibapi-{kind}"
    for name, value in terms.items():
        setattr(made, name, value)
    return made


def main() -> None:
    port, client, symbol = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    judge, failed = Judge(), list[str]()
    threading.excepthook = lambda raised: failed.append(repr(raised.exc_value))
    judge.connect("127.0.0.1", port, client)
    reader = threading.Thread(target=judge.run, daemon=True)
    reader.start()
    wait(lambda: judge.first is not None)
    stock = LIBRARY["contract"].Contract()
    stock.symbol, stock.secType, stock.exchange, stock.currency = symbol, "STK", "SMART", "USD"
    number = judge.first or 0
    judge.placeOrder(number, stock, order("MKT"))
    judge.placeOrder(number + 1, stock, order("LMT", lmtPrice=5.0))
    wait(lambda: judge.told["status Filled"] > 0 and judge.told["commission"] > 0)
    judge.placeOrder(number + 1, stock, order("LMT", lmtPrice=6.0))
    judge.placeOrder(number + 2, stock, order("TRAIL", "SELL", trailingPercent=20.0))
    judge.reqOpenOrders()
    wait(lambda: judge.told["open end"] > 0)
    judge.cancelOrder(number + 1, LIBRARY["order_cancel"].OrderCancel())
    wait(lambda: judge.told["status Cancelled"] > 0)
    judge.placeOrder(number + 3, stock, order("MKT", totalQuantity=Decimal(50_000_000)))
    ask(judge, stock)
    judge.words |= {"told": dict(judge.told), "failed": failed, "alive": reader.is_alive()}
    judge.disconnect()
    print(json.dumps(judge.words))


def ask(judge: Judge, stock: Any) -> None:
    """Every kind of question, all at once."""
    judge.reqCompletedOrders(False)
    judge.reqPositions()
    judge.reqAccountUpdates(True, "")
    judge.reqAccountSummary(9001, "All", "NetLiquidation")
    judge.reqContractDetails(9002, stock)
    judge.reqMktData(9003, stock, "236", False, False, [])
    judge.reqHistoricalData(9004, stock, "", "600 S", "1 min", "TRADES", 1, 2, False, [])
    judge.reqExecutions(9005, LIBRARY["execution"].ExecutionFilter())
    judge.reqCurrentTime()
    ends = ("completed end", "position end", "account end", "details end", "bars end", "generic 49", "status Inactive")
    wait(lambda: all(judge.told[name] for name in ends) and "time" in judge.words)


def wait(ready: Any) -> None:
    end = time.monotonic() + SECONDS
    while not ready() and time.monotonic() < end:
        time.sleep(0.02)


if __name__ == "__main__":
    main()
