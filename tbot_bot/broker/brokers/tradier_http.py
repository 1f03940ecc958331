"""Requests to Tradier: a bearer token, forms in, JSON out, and errors in three ways."""

from collections.abc import Callable, Mapping
from typing import Any

import requests

from tbot_bot.broker.addresses import base_address
from tbot_bot.broker.brokers.tradier_wire import errors_of
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
from tbot_bot.broker.rate_limit import Budget, Urgency
from tbot_bot.domain.orders import ClientOrderId
from tbot_bot.domain.settings import BrokerCredentials
from tbot_bot.ports.clock import MarketClock

_HEADERS = RateHeaders("X-Ratelimit-Allowed", "X-Ratelimit-Available", "X-Ratelimit-Expiry")
PER_MINUTE, _PER_MINUTE_SANDBOX = 120, 60


class TradierHttp:
    """Tradier's REST: a bearer token, forms in, JSON out, errors in three ways."""

    def __init__(
        self, credentials: BrokerCredentials, policy: RetryPolicy, clock: MarketClock, links: BrokerLinks
    ) -> None:
        self._base = _base(credentials.broker_url)
        self._caller = Caller(policy, clock)
        self._log = links.api_log
        limit = self.per_minute = _PER_MINUTE_SANDBOX if "sandbox" in self._base else PER_MINUTE
        limits, token = links.limits(lambda: clock.speed), credentials.broker_api_key
        self._trading, self._data = (limits.budget(token, name, limit) for name in ("trading", "data"))
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._sessions = {}
        for budget in (self._trading, self._data):
            session = BoundedSession(budget, policy.timeout_s, _HEADERS, links.api_log)
            session.headers.update(headers)
            self._sessions[budget] = session

    def get(self, path: str, params: Mapping[str, Any] | None = None, urgency: Urgency = Urgency.ROUTINE) -> Any:
        """Raises BrokerUnavailable, BrokerDenied."""
        budget = self._data if path.startswith("/markets") else self._trading
        return self._question(lambda: self._once(budget, "GET", path, params=params), budget, urgency)

    def ask_by_form(self, path: str, form: Mapping[str, str]) -> Any:
        """A question whose parameters are too long for an address."""
        return self._question(lambda: self._once(self._data, "POST", path, form=form), self._data, Urgency.ROUTINE)

    def cancel(self, path: str) -> None:
        """DELETE, which may be repeated safely; a clear no means that there is nothing left to cancel."""
        try:
            self._caller.repeat(lambda: self._once(self._trading, "DELETE", path), self._trading, Urgency.URGENT)
        except HttpFault as fault:
            if fault.status in (401, 403) or not fault.clear_no:
                raise fault.as_question() from fault

    def send_order(
        self, method: str, path: str, form: Mapping[str, str], urgency: Urgency, client_id: ClientOrderId
    ) -> Any:
        """Once. Raises HttpFault for a clear no, OrderRefused, OrderFateUnknown."""
        return self._caller.send_order(
            lambda: self._once(self._trading, method, path, form=form), self._trading, urgency, client_id
        )

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()
        self._log.close()

    def _question(self, once: Callable[[], Any], budget: Budget, urgency: Urgency) -> Any:
        try:
            return self._caller.repeat(once, budget, urgency)
        except HttpFault as fault:
            raise fault.as_question() from fault

    def _once(
        self,
        budget: Budget,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Any:
        try:
            answer = self._sessions[budget].request(method, f"{self._base}{path}", params=params, data=form)
        except requests.RequestException as error:
            raise no_answer(error) from error
        wait = asked_wait(answer.headers, _HEADERS)
        if answer.status_code != 200:
            raise HttpFault(answer.status_code, "", words_of(answer.text or str(answer.reason)), wait)
        try:
            body = answer.json()
        except requests.JSONDecodeError as error:
            raise HttpFault(None, "not_json", "the answer is no JSON", wait) from error
        words = errors_of(body)
        if words:
            raise HttpFault(200, "errors", words_of(words), wait)
        return body


def _base(url: str) -> str:
    """The address with its version. Raises ConfigInvalid."""
    parts = base_address("BROKER_URL", url, "https://sandbox.tradier.com", ("/v1",))
    return f"{parts.scheme}://{parts.netloc}/v1"
