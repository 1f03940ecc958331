"""Market data beside prices: movers, conditions, corporate actions, and tbot's own fundamentals and volatility."""

import asyncio
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import numpy as np
from aiohttp import web

from tbot_bot.paper.bars import today_if_closed
from tbot_bot.paper.refusal import not_found
from tbot_bot.paper.rest_data import rows_of
from tbot_bot.paper.sessions import rfc3339
from tbot_bot.paper.snapshots import last_time
from tbot_bot.paper.venue import ADV_SESSIONS, Venue
from tbot_bot.paper.web import VENUE, Refused, answer, choice_of, number_of

_EXCHANGES = {
    "A": "NYSE American (AMEX)",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "NASDAQ OMX",
    "V": "IEX",
}
_CONDITIONS = {
    "trade": {"@": "Regular Sale", "M": "Market Center Official Close", "Q": "Market Center Official Open"},
    "quote": {"R": "Regular Market Maker Open"},
}


def add_routes(app: web.Application) -> None:
    app.add_routes(
        [
            web.get("/v2/stocks/meta/exchanges", get_exchanges),
            web.get("/v2/stocks/meta/conditions/{ticktype}", get_conditions),
            web.get("/v1beta1/screener/stocks/most-actives", get_most_actives),
            web.get("/v1beta1/screener/{market_type}/movers", get_movers),
            web.get("/v1/corporate-actions", get_corporate_actions),
            web.get("/v1beta1/corporate-actions", get_corporate_actions),
            web.get("/v1beta1/news", refuse_news),
            web.get("/v1/reference/fundamentals", get_fundamentals),
            web.get("/v1/reference/vix", get_vix),
            *(
                web.get(path, refuse_other_class)
                for path in ("/v1beta3/crypto/{rest:.*}", "/v1beta1/options/{rest:.*}")
            ),
        ]
    )


async def get_exchanges(request: web.Request) -> web.Response:
    return answer(_EXCHANGES)


async def get_conditions(request: web.Request) -> web.Response:
    found = _CONDITIONS.get(request.match_info["ticktype"])
    if found is None:
        raise Refused(not_found("conditions are known for trade and quote"))
    choice_of(request, "tape", ("A", "B", "C"), "A")
    return answer(found)


async def get_corporate_actions(request: web.Request) -> web.Response:
    """The market has none: its prices need no adjustment."""
    number_of(request, "limit", 100, 1000)
    return answer({"corporate_actions": {}, "next_page_token": None})


async def refuse_news(request: web.Request) -> web.Response:
    raise Refused(not_found("the paper venue has no news"))


async def refuse_other_class(request: web.Request) -> web.Response:
    raise Refused(not_found("the paper venue trades US equities only: it has no crypto and no options"))


async def get_most_actives(request: web.Request) -> web.Response:
    """By the session's completed minutes."""
    by = choice_of(request, "by", ("volume", "trades"), "volume")
    top = number_of(request, "top", 10, 100)
    venue = request.app[VENUE]
    now = venue.clock.now_ms()
    done = venue.view.minute(now)
    volume = venue.view.totals(now).volume[:, done - 1] if done else np.zeros(len(venue.market.instruments), np.int64)
    order = np.argsort(-volume, kind="stable")[:top]
    shown = [
        {
            "symbol": venue.market.instruments[row].symbol,
            "volume": int(volume[row]),
            "trade_count": int(volume[row]) // 80,
        }
        for row in order.tolist()
        if volume[row]
    ]
    if by == "trades":
        shown.sort(key=lambda item: -int(str(item["trade_count"])))
    return answer({"most_actives": shown, "last_updated": rfc3339(last_time(venue.view, now))})


async def get_movers(request: web.Request) -> web.Response:
    """Gainers and losers against the previous close."""
    if request.match_info["market_type"] != "stocks":
        return await refuse_other_class(request)
    top = number_of(request, "top", 10, 50)
    venue = request.app[VENUE]
    now = venue.clock.now_ms()
    rows = np.arange(len(venue.market.instruments))
    price, previous = venue.view.prices(rows, now), venue.view.bars(now).previous_close
    known = rows[(price > 0) & (previous > 0)]
    change = price[known] / previous[known] - 1
    order = known[np.argsort(-change, kind="stable")]

    def shown(row: int) -> dict[str, object]:
        difference = int(price[row] - previous[row])
        return {
            "symbol": venue.market.instruments[row].symbol,
            "price": int(price[row]) / 1e4,
            "change": difference / 1e4,
            "percent_change": round(difference / int(previous[row]) * 100, 2),
        }

    return answer(
        {
            "gainers": [shown(row) for row in order[:top].tolist() if price[row] > previous[row]],
            "losers": [shown(row) for row in order[::-1][:top].tolist() if price[row] < previous[row]],
            "market_type": "stocks",
            "last_updated": rfc3339(last_time(venue.view, now)),
        }
    )


async def get_fundamentals(request: web.Request) -> web.Response:
    """tbot's own: what screeners ask about a company; null where unknown."""
    venue = request.app[VENUE]
    _, rows = rows_of(request)
    now = venue.clock.now_ms()
    volumes = await asyncio.to_thread(_average_volumes, venue, venue.past_days(now, ADV_SESSIONS))
    previous = venue.view.bars(now).previous_close[rows].tolist()
    items = [venue.market.instruments[row] for row in rows.tolist()]
    return answer(
        {
            item.symbol: {
                "market_cap": item.market_cap,
                "pe_ratio": _float(item.pe_ratio),
                "debt_equity": _float(item.debt_equity),
                "avg_volume_20d": volumes[row] if volumes else None,
                "sector": item.sector,
                "previous_close": close / 10_000 if close else None,
            }
            for item, row, close in zip(items, rows.tolist(), previous, strict=True)
        }
    )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _average_volumes(venue: Venue, days: Sequence[date]) -> list[int | None]:
    """Mean daily volume [row] over the sessions that have one; empty when no earlier session is known."""
    daily = [bars.volume for bars in map(venue.market.daily, days) if bars is not None]
    if not daily:
        return []
    volumes = np.stack(daily)
    traded = (volumes > 0).sum(axis=0)
    mean = volumes.sum(axis=0) // np.maximum(traded, 1)
    return [volume or None for volume in mean.tolist()]


async def get_vix(request: web.Request) -> web.Response:
    """tbot's own: the volatility index at the close of the last completed session."""
    venue = request.app[VENUE]
    now = venue.clock.now_ms()
    days = venue.past_days(now, 1) + today_if_closed(venue, now)
    value = venue.market.vix_close(days[-1]) if days else None
    return answer(
        {
            "value": None if value is None else float(value),
            "session": days[-1].isoformat() if value is not None else None,
        }
    )
