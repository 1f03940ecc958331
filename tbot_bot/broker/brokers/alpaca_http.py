"""Requests to Alpaca through alpaca-py's clients, plus what they lack: deadlines, one retry policy, a budget.

Foreign exceptions become HttpFault here and the domain's errors in the callers; none passes further. Errors carry the
broker's words, never headers: those hold the keys.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from random import SystemRandom
from typing import Any

import requests
from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.trading.client import TradingClient
from requests.structures import CaseInsensitiveDict

from tbot_bot.broker.brokers.alpaca_urls import Endpoints
from tbot_bot.broker.rate_limit import Budget, RateLimiter, Urgency
from tbot_bot.domain.errors import BrokerDenied, BrokerUnavailable, OrderFateUnknown, OrderRefused
from tbot_bot.ports.clock import MarketClock

_CONNECT_TIMEOUT_S = 5.0
_FIRST_WAIT_S = 0.25
_ORDER_PATIENCE_S = 2.0
"""How long an order waits for our own budget: an entry's price is old by then."""
_MAX_WORDS = 300
_MAX_SPEEDUP = 10.0
_TOO_MANY = 429
_AMBIGUOUS = frozenset({408, 425, 499})
_random = SystemRandom()


class HttpFault(Exception):
    """An answer that is not a success. `status` None: no answer at all. `wait`: seconds the broker asks us to wait."""

    def __init__(self, status: int | None, code: str, words: str, wait: float | None = None) -> None:
        super().__init__(f"{status or 'no answer'}: {words}")
        self.status = status
        self.code = code
        self.words = words
        self.wait = wait

    @property
    def clear_no(self) -> bool:
        """The request was read and refused: nothing happened and repeating it changes nothing."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in _AMBIGUOUS | {_TOO_MANY}

    def as_question(self) -> BrokerUnavailable | BrokerDenied:
        """The domain's word for a question that failed."""
        if self.status in (401, 403):
            return BrokerDenied(f"the broker refuses the credentials ({self})")
        return BrokerUnavailable(f"the broker gave no usable answer ({self})")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`timeout_s` bounds each wait for bytes (API_TIMEOUT); `retries` come after the first try (API_RETRY_LIMIT)."""

    timeout_s: float
    retries: int

    def pause(self, attempt: int, asked: float | None, speed: float) -> float:
        """Seconds to wait: what the broker asks, else doubling from 0.25 s, jittered, shorter on fast markets."""
        if asked is not None:
            return min(asked, self.timeout_s) * _random.uniform(1.0, 1.1)
        pause: float = _FIRST_WAIT_S * 2.0**attempt * _random.uniform(0.5, 1.0) / min(max(speed, 1.0), _MAX_SPEEDUP)
        return min(pause, self.timeout_s)


class AlpacaHttp:
    """GET, DELETE, and orders by POST and PATCH. Thread-safe."""

    def __init__(
        self,
        where: Endpoints,
        key: str,
        secret: str,
        policy: RetryPolicy,
        limiter: RateLimiter,
        clock: MarketClock,
    ) -> None:
        self._policy = policy
        self._limiter = limiter
        self._clock = clock
        self._trading = TradingClient(key, secret, raw_data=True, url_override=where.trading)
        self._data = StockHistoricalDataClient(key, secret, raw_data=True, url_override=where.data)
        for client, budget in ((self._trading, limiter.trading), (self._data, limiter.data)):
            _prepare(client, budget, policy.timeout_s)

    def get(self, path: str, params: Mapping[str, Any] | None = None, urgency: Urgency = Urgency.ROUTINE) -> Any:
        """A question to the trading API. Raises BrokerUnavailable, BrokerDenied."""
        try:
            return self._repeated(self._trading, "GET", path, params, urgency)
        except HttpFault as fault:
            raise fault.as_question() from fault

    def find(self, path: str, params: Mapping[str, Any] | None = None, urgency: Urgency = Urgency.ROUTINE) -> Any:
        """Like `get`, but None when the broker says 404."""
        try:
            return self._repeated(self._trading, "GET", path, params, urgency)
        except HttpFault as fault:
            if fault.status == 404:
                return None
            raise fault.as_question() from fault

    def get_data(self, path: str, params: Mapping[str, Any]) -> Any:
        """A question to the market data API. Raises BrokerUnavailable, BrokerDenied."""
        try:
            return self._repeated(self._data, "GET", path, params, Urgency.ROUTINE)
        except HttpFault as fault:
            raise fault.as_question() from fault

    def cancel(self, path: str) -> None:
        """DELETE, which may be repeated safely. 404 and 422 mean that there is nothing left to cancel: no error."""
        try:
            self._repeated(self._trading, "DELETE", path, None, Urgency.URGENT)
        except HttpFault as fault:
            if fault.status not in (404, 422):
                raise fault.as_question() from fault

    def send_order(self, body: Mapping[str, Any], urgency: Urgency, replaces: str | None = None) -> Any:
        """Send an order, or the change of the one that the broker calls `replaces`. Raises HttpFault for a clear
        no, OrderRefused, OrderFateUnknown.

        429 is the broker's gate saying that the order was not taken in: the same id is sent again after a pause; should
        that be wrong, the duplicate is refused and the first found by its id. When the retries end it is refused."""
        client_id = str(body["client_order_id"])
        method, path = ("POST", "/orders") if replaces is None else ("PATCH", f"/orders/{replaces}")
        asked: HttpFault | None = None
        for attempt in range(self._policy.retries + 1):
            if not self._limiter.trading.take(urgency, min(_ORDER_PATIENCE_S, self._policy.timeout_s)):
                break
            try:
                return _once(self._trading, method, path, body)
            except HttpFault as fault:
                if fault.clear_no:
                    raise
                if fault.status != _TOO_MANY:
                    raise OrderFateUnknown(client_id) from fault
                asked = fault
                self._sleep(attempt, fault)
        words = str(asked) if asked else "our own budget of requests is spent; the order was not sent"
        raise OrderRefused(client_id, words, str(_TOO_MANY)) from asked

    def close(self) -> None:
        for client in (self._trading, self._data):
            client._session.close()

    def _repeated(
        self, client: RESTClient, method: str, path: str, params: Mapping[str, Any] | None, urgency: Urgency
    ) -> Any:
        budget = self._limiter.data if client is self._data else self._limiter.trading
        last = HttpFault(None, "", "our own budget of requests is spent; nothing was asked")
        for attempt in range(self._policy.retries + 1):
            if not budget.take(urgency, self._policy.timeout_s):
                break
            try:
                return _once(client, method, path, params)
            except HttpFault as fault:
                if fault.clear_no:
                    raise
                last = fault
                if attempt < self._policy.retries:
                    self._sleep(attempt, fault)
        raise last

    def _sleep(self, attempt: int, fault: HttpFault) -> None:
        time.sleep(self._policy.pause(attempt, fault.wait, self._clock.speed))


class _BoundedSession(requests.Session):
    """A session that always has a deadline, refuses redirects, ignores proxies and netrc of the environment (they could
    replace the credentials) and teaches the budget what the rate headers say."""

    def __init__(self, budget: Budget, timeout_s: float) -> None:
        super().__init__()
        self.trust_env = False
        self._budget = budget
        self._timeout = (min(_CONNECT_TIMEOUT_S, timeout_s), timeout_s)

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = self._timeout
        kwargs["allow_redirects"] = False
        response = super().request(*args, **kwargs)
        headers = response.headers
        self._budget.learn(_whole(headers.get("X-RateLimit-Limit")), _whole(headers.get("X-RateLimit-Remaining")))
        if 300 <= response.status_code < 400:
            raise requests.TooManyRedirects("the broker's address redirects elsewhere, which is refused")
        return response


def _prepare(client: RESTClient, budget: Budget, timeout_s: float) -> None:
    """Our session, and the library's own retries off: it repeats a POST after 504, and waits 3 s whatever is asked."""
    client._session.close()
    client._session = _BoundedSession(budget, timeout_s)
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
        raise HttpFault(None, type(error).__name__, _words(str(error))) from error


def _fault(response: requests.Response) -> HttpFault:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        body = None
    if isinstance(body, dict):
        code, words = str(body.get("code", "")), str(body.get("message") or response.reason)
    else:
        code, words = "", response.text or response.reason
    return HttpFault(response.status_code, code, _words(words), _asked_wait(response.headers))


def _asked_wait(headers: CaseInsensitiveDict[str]) -> float | None:
    """Seconds until the broker wants to hear from us: Retry-After, else X-RateLimit-Reset against its own Date."""
    after = _whole(headers.get("Retry-After"))
    if after is not None:
        return float(max(after, 0))
    reset = _whole(headers.get("X-RateLimit-Reset"))
    if reset is None or _whole(headers.get("X-RateLimit-Remaining")) not in (None, 0):
        return None
    try:
        return max(reset - parsedate_to_datetime(headers.get("Date", "")).timestamp(), 0.0)
    except ValueError:
        return None


def _whole(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _words(text: str) -> str:
    return " ".join(text.split())[:_MAX_WORDS]
