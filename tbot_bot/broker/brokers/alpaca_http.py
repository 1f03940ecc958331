"""Requests to Alpaca through alpaca-py's clients, plus what they lack: deadlines, one retry policy, a budget, a log."""

from collections.abc import Mapping
from typing import Any

import requests
from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.trading.client import TradingClient

from tbot_bot.broker.brokers.alpaca_urls import Endpoints
from tbot_bot.broker.http import (
    BoundedSession,
    Caller,
    HttpFault,
    RateHeaders,
    RetryPolicy,
    asked_wait,
    no_answer,
    words_of,
)
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.broker.rate_limit import Urgency
from tbot_bot.domain.orders import ClientOrderId
from tbot_bot.ports.clock import MarketClock

PER_MINUTE = 200
"""Until the headers say otherwise; trading and data apart."""
_HEADERS = RateHeaders("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


class AlpacaHttp:
    """GET, DELETE, and orders by POST and PATCH. Thread-safe."""

    def __init__(
        self, where: Endpoints, key: str, secret: str, policy: RetryPolicy, links: BrokerLinks, clock: MarketClock
    ) -> None:
        self._caller = Caller(policy, clock)
        self._log = links.api_log
        limits = links.limits(lambda: clock.speed)
        self._budgets = {name: limits.budget(key, name, PER_MINUTE) for name in ("trading", "data")}
        self._trading = TradingClient(key, secret, raw_data=True, url_override=where.trading)
        self._data = StockHistoricalDataClient(key, secret, raw_data=True, url_override=where.data)
        for client, name in ((self._trading, "trading"), (self._data, "data")):
            _prepare(client, BoundedSession(self._budgets[name], policy.timeout_s, _HEADERS, links.api_log))

    def get(self, path: str, params: Mapping[str, Any] | None = None, urgency: Urgency = Urgency.ROUTINE) -> Any:
        """A question to the trading API. Raises BrokerUnavailable, BrokerDenied."""
        try:
            return self._repeated("GET", path, params, urgency)
        except HttpFault as fault:
            raise fault.as_question() from fault

    def find(self, path: str, params: Mapping[str, Any] | None = None, urgency: Urgency = Urgency.ROUTINE) -> Any:
        """Like `get`, but None when the broker says 404."""
        try:
            return self._repeated("GET", path, params, urgency)
        except HttpFault as fault:
            if fault.status == 404:
                return None
            raise fault.as_question() from fault

    def get_data(self, path: str, params: Mapping[str, Any]) -> Any:
        """A question to the market data API. Raises BrokerUnavailable, BrokerDenied."""
        budget = self._budgets["data"]
        try:
            return self._caller.repeat(lambda: _once(self._data, "GET", path, params), budget, Urgency.ROUTINE)
        except HttpFault as fault:
            raise fault.as_question() from fault

    def cancel(self, path: str) -> None:
        """DELETE, which may be repeated safely. 404 and 422 mean that there is nothing left to cancel: no error."""
        try:
            self._repeated("DELETE", path, None, Urgency.URGENT)
        except HttpFault as fault:
            if fault.status not in (404, 422):
                raise fault.as_question() from fault

    def send_order(self, body: Mapping[str, Any], urgency: Urgency, replaces: str | None = None) -> Any:
        """Send an order, or the change of the one that the broker calls `replaces`. Raises HttpFault for a clear
        no, OrderRefused, OrderFateUnknown. Should a 429 have been taken in after all, the id's duplicate is refused."""
        method, path = ("POST", "/orders") if replaces is None else ("PATCH", f"/orders/{replaces}")
        client_id = ClientOrderId(str(body["client_order_id"]))
        return self._caller.send_order(
            lambda: _once(self._trading, method, path, body), self._budgets["trading"], urgency, client_id
        )

    def close(self) -> None:
        for client in (self._trading, self._data):
            client._session.close()
        self._log.close()

    def _repeated(self, method: str, path: str, params: Mapping[str, Any] | None, urgency: Urgency) -> Any:
        budget = self._budgets["trading"]
        return self._caller.repeat(lambda: _once(self._trading, method, path, params), budget, urgency)


def _prepare(client: RESTClient, session: BoundedSession) -> None:
    """Our session, and the library's own retries off: it repeats a POST after 504, and waits 3 s whatever is asked."""
    client._session.close()
    client._session = session
    client._retry = 0
    client._retry_codes = []


def _once(client: RESTClient, method: str, path: str, payload: Mapping[str, Any] | None) -> Any:
    data = dict(payload) if payload is not None else None
    try:
        match method:
            case "POST":
                return client.post(path, data)
            case "PATCH":
                return client.patch(path, data)
            case "DELETE":
                return client.delete(path, data)
            case _:
                return client.get(path, data)
    except APIError as error:
        raise _fault(error.response) from error
    except requests.RequestException as error:
        raise no_answer(error) from error


def _fault(response: requests.Response) -> HttpFault:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        body = None
    if isinstance(body, dict):
        code, words = str(body.get("code", "")), str(body.get("message") or response.reason)
    else:
        code, words = "", response.text or response.reason
    return HttpFault(response.status_code, code, words_of(words), asked_wait(response.headers, _HEADERS))
