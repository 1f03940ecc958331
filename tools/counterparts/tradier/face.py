"""The server: who asks, how often, faults, and the routes."""

import sqlite3
import time
from collections import Counter

from aiohttp import web

from tbot_bot.paper.face import Fail, HttpSite
from tbot_bot.paper.http_faults import under_faults
from tbot_bot.paper.sessions import MINUTE_MS
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.web import ACCOUNT, MAX_BODY, VENUE, Handler
from tools.counterparts.tradier import markets, trading
from tools.counterparts.tradier.shape import Problem, account_number, problem

PER_MINUTE = {"trading": 120, "markets": 120}
_QUOTA = "Quota Violation"


class TradierFace:
    """Answers under /v1. A token opens the account of its own, whose number the path must name."""

    def __init__(self, venue: Venue, fail: Fail) -> None:
        self._venue = venue
        self._fail = fail
        self._used: Counter[tuple[str, str, int]] = Counter()
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY)
        app[VENUE] = venue
        trading.add_routes(app)
        markets.add_routes(app)
        self._site = HttpSite(app)

    async def start(self, host: str, port: int) -> int:
        return await self._site.start(host, port)

    def move(self, now_ms: int, real_s: float, step: int) -> None:
        """Nothing is pushed."""

    def drop(self) -> int:
        return 0

    def listeners(self) -> int:
        return 0

    async def stop(self) -> None:
        await self._site.stop()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await under_faults(self._venue.faults, request, lambda: self._known(request, handler), _error)

    async def _known(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").partition(" ")[2]
        account = self._venue.authenticate(token, token)
        if account is None:
            return _fault("Invalid Access Token", "keymanagement.service.invalid_access_token")
        named = request.match_info.get("account")
        if named is not None and named != account_number(token):
            return _fault("Unauthorized Account", "security.account.unauthorized")
        request[ACCOUNT] = account
        return await self._answer(request, handler, token)

    async def _answer(self, request: web.Request, handler: Handler, token: str) -> web.StreamResponse:
        kind = "markets" if request.path.startswith("/v1/markets") else "trading"
        limit, now = PER_MINUTE[kind], self._venue.clock.now_ms()
        minute = now // MINUTE_MS
        self._used[(token, kind, minute)] += 1
        used = self._used[(token, kind, minute)]
        if used > limit:
            response: web.StreamResponse = web.Response(text=_QUOTA, status=429)
        else:
            try:
                response = await handler(request)
            except Problem as found:
                response = problem(request, found)
            except web.HTTPException as error:
                response = web.Response(text=error.reason, status=error.status)
            except sqlite3.Error as error:
                self._fail(error)
                return web.Response(text="Internal Server Error", status=500)
        left_s = ((minute + 1) * MINUTE_MS - now) / 1000 / max(float(self._venue.clock.speed), 1.0)
        response.headers["X-Ratelimit-Allowed"] = str(limit)
        response.headers["X-Ratelimit-Used"] = str(min(used, limit))
        response.headers["X-Ratelimit-Available"] = str(max(limit - used, 0))
        response.headers["X-Ratelimit-Expiry"] = str(int((time.time() + left_s) * 1000))  # noqa: TID251 - a header
        return response


def _error(status: int) -> web.Response:
    return web.Response(text=_QUOTA if status == 429 else "Internal Server Error", status=status)


def _fault(words: str, code: str) -> web.Response:
    return web.json_response({"fault": {"faultstring": words, "detail": {"errorcode": code}}}, status=401)
