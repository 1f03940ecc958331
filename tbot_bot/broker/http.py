"""What every broker's REST API needs: deadlines, one retry policy, orders that are sent once, a budget, a log.

Foreign exceptions become HttpFault here and the domain's errors in the callers; none passes further. Errors carry the
broker's words, never headers: those hold the keys.
"""

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from random import SystemRandom
from typing import Any, TypeVar

import requests

from tbot_bot.broker.api_log import ApiLog
from tbot_bot.broker.rate_limit import Budget, Urgency
from tbot_bot.domain.errors import BrokerDenied, BrokerUnavailable, OrderFateUnknown, OrderRefused
from tbot_bot.domain.orders import ClientOrderId
from tbot_bot.ports.clock import MarketClock

T = TypeVar("T")
_CONNECT_TIMEOUT_S = 5.0
_FIRST_WAIT_S = 0.25
_ORDER_PATIENCE_S = 2.0
"""How long an order waits for our own budget: an entry's price is old by then."""
_MAX_WORDS = 300
_MAX_SPEEDUP = 10.0
TOO_MANY = 429
_AMBIGUOUS = frozenset({408, 425, 499})
_random = SystemRandom()
_attempt: ContextVar[int] = ContextVar("attempt", default=1)
"""Which try of a request this is, for the log of the session that sends it."""


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
        return self.status is not None and 200 <= self.status < 500 and self.status not in _AMBIGUOUS | {TOO_MANY}

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

    def rest(self, attempt: int, asked: float | None, speed: float) -> None:
        """Sleeps for such a pause."""
        time.sleep(self.pause(attempt, asked, speed))

    def pause(self, attempt: int, asked: float | None, speed: float) -> float:
        """Seconds to wait: what the broker asks, else doubling from 0.25 s, jittered, shorter on fast markets."""
        if asked is not None:
            return min(asked, self.timeout_s) * _random.uniform(1.0, 1.1)
        pause: float = _FIRST_WAIT_S * 2.0**attempt * _random.uniform(0.5, 1.0) / min(max(speed, 1.0), _MAX_SPEEDUP)
        return min(pause, self.timeout_s)


class Caller:
    """Repeats questions and sends orders; what is called once is the adapter's. Thread-safe."""

    def __init__(self, policy: RetryPolicy, clock: MarketClock) -> None:
        self._policy = policy
        self._clock = clock

    def repeat(self, once: Callable[[], T], budget: Budget, urgency: Urgency, weight: int = 1) -> T:
        """A question, or an act that may be repeated safely. Raises HttpFault."""
        last = HttpFault(None, "", "our own budget of requests is spent; nothing was asked")
        for attempt in range(self._policy.retries + 1):
            if not budget.take(urgency, self._policy.timeout_s, weight):
                break
            _attempt.set(attempt + 1)
            try:
                return once()
            except HttpFault as fault:
                if fault.clear_no:
                    raise
                last = fault
                if attempt < self._policy.retries:
                    self._policy.rest(attempt, fault.wait, self._clock.speed)
        raise last

    def send_order(self, once: Callable[[], T], budget: Budget, urgency: Urgency, client_id: ClientOrderId) -> T:
        """Send an order, or a change of one. Raises HttpFault for a clear no, OrderRefused, OrderFateUnknown.

        429 is the broker's gate saying that it was not taken in: it is sent again after a pause. When the retries end
        it is refused."""
        asked: HttpFault | None = None
        for attempt in range(self._policy.retries + 1):
            if not budget.take(urgency, min(_ORDER_PATIENCE_S, self._policy.timeout_s)):
                break
            _attempt.set(attempt + 1)
            try:
                return once()
            except HttpFault as fault:
                if fault.clear_no:
                    raise
                if fault.status != TOO_MANY:
                    raise OrderFateUnknown(client_id) from fault
                asked = fault
                if attempt < self._policy.retries:
                    self._policy.rest(attempt, fault.wait, self._clock.speed)
        words = str(asked) if asked else "our own budget of requests is spent; the order was not sent"
        raise OrderRefused(client_id, words, str(TOO_MANY)) from asked


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """Names of the headers that say how many requests a minute are allowed, how many are left, and until when."""

    limit: str
    remaining: str
    reset: str


class BoundedSession(requests.Session):
    """A session that always has a deadline, refuses redirects, ignores proxies and netrc of the environment (they could
    replace the credentials), teaches the budget what the rate headers say, and logs every exchange."""

    def __init__(self, budget: Budget, timeout_s: float, names: RateHeaders, log: ApiLog) -> None:
        super().__init__()
        self.trust_env = False
        self._budget = budget
        self._names = names
        self._log = log
        self._timeout = (min(_CONNECT_TIMEOUT_S, timeout_s), timeout_s)

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        kwargs["timeout"] = self._timeout
        kwargs["allow_redirects"] = False
        body = kwargs.get("json") or kwargs.get("data")
        with self._log.exchange(method, url, kwargs.get("params"), body, _attempt.get()) as told:
            response = super().request(method, url, *args, **kwargs)
            told.answered(response.status_code, response.headers, response.content)
        headers = response.headers
        limit, remaining = whole(headers.get(self._names.limit)), whole(headers.get(self._names.remaining))
        self._budget.learn(limit, remaining, resets_in(headers, self._names))
        if 300 <= response.status_code < 400:
            raise requests.TooManyRedirects("the broker's address redirects elsewhere, which is refused")
        return response


def no_answer(error: requests.RequestException) -> HttpFault:
    """What a request without an answer is."""
    return HttpFault(None, type(error).__name__, words_of(str(error)))


def asked_wait(headers: Mapping[str, str], names: RateHeaders) -> float | None:
    """Seconds until the broker wants to hear from us: Retry-After (seconds or a date), else when its count begins anew,
    should nothing be left of it."""
    after = headers.get("Retry-After")
    if whole(after) is not None:
        return float(max(whole(after) or 0, 0))
    if after is not None:
        return _between(headers.get("Date"), _moment(after))
    if whole(headers.get(names.remaining)) not in (None, 0):
        return None
    return resets_in(headers, names)


def resets_in(headers: Mapping[str, str], names: RateHeaders) -> float | None:
    """Seconds until the broker counts anew, by its own Date; None where it does not tell."""
    reset = whole(headers.get(names.reset))
    if reset is None:
        return None
    # Some tell milliseconds.
    return _between(headers.get("Date"), reset / 1000 if reset > 10**11 else float(reset))


def _between(date: str | None, until: float | None) -> float | None:
    now = _moment(date)
    return None if now is None or until is None else max(until - now, 0.0)


def _moment(text: str | None) -> float | None:
    """Seconds since 1970 of a header's date."""
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError):
        return None


def whole(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def words_of(text: str) -> str:
    return " ".join(text.split())[:_MAX_WORDS]
