"""Alpaca's trading API: watchlists, by id and by name."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tbot_bot.paper.book import Account
from tbot_bot.paper.refusal import against_rule, invalid, not_found
from tbot_bot.paper.render import Json, asset_json
from tbot_bot.paper.sessions import rfc3339
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.web import VENUE, Refused, account_of, answer, body_of

MAX_NAME, MAX_LISTS, MAX_SYMBOLS = 64, 200, 1000
Lists = dict[str, Json]
"""Id → name, symbols, created and updated in ms."""


def add_routes(app: web.Application) -> None:
    app.add_routes([web.get("/v2/watchlists", get_all), web.post("/v2/watchlists", create)])
    for path in ("/v2/watchlists/{id}", "/v2/watchlists:by_name"):
        app.add_routes(
            [web.get(path, get_one), web.put(path, update), web.post(path, add_symbol), web.delete(path, delete)]
        )
    app.router.add_delete("/v2/watchlists/{id}/{symbol}", remove_symbol)


def _load(request: web.Request) -> Lists:
    lists: Lists = json.loads(request.app[VENUE].store.get(_key(account_of(request))) or "{}")
    return lists


def _save(request: web.Request, lists: Lists) -> None:
    request.app[VENUE].store.put(_key(account_of(request)), json.dumps(lists))


def _key(account: Account) -> str:
    return f"watchlists:{account.id}"


def _found(request: web.Request, lists: Lists) -> str:
    """The id of the list that is asked for."""
    if "id" in request.match_info:
        wanted = request.match_info["id"] if request.match_info["id"] in lists else None
    else:
        name = request.query.get("name")
        wanted = next((key for key, item in lists.items() if item["name"] == name), None)
    if wanted is None:
        raise Refused(not_found("watchlist not found"))
    return wanted


def _shown(request: web.Request, key: str, item: Mapping[str, Any], *, assets: bool = True) -> Json:
    market = request.app[VENUE].market
    shown: Json = {
        "id": key,
        "account_id": account_of(request).id,
        "created_at": rfc3339(item["created"]),
        "updated_at": rfc3339(item["updated"]),
        "name": item["name"],
    }
    if assets:
        shown["assets"] = [asset_json(market.instruments[market.index[name]]) for name in item["symbols"]]
    return shown


def _symbols(venue: Venue, asked: object) -> list[str]:
    if not isinstance(asked, list) or len(asked) > MAX_SYMBOLS:
        raise Refused(invalid(f"symbols must be a list of at most {MAX_SYMBOLS}"))
    unknown = next((name for name in asked if not isinstance(name, str) or name not in venue.market.index), None)
    if unknown is not None:
        raise Refused(against_rule(f"asset {str(unknown)[:20]!r} not found"))
    return list(dict.fromkeys(asked))


def _name(lists: Lists, asked: object, own: str = "") -> str:
    if not isinstance(asked, str) or not 1 <= len(asked) <= MAX_NAME:
        raise Refused(invalid(f"name must be text of 1 to {MAX_NAME} characters"))
    if any(item["name"] == asked for key, item in lists.items() if key != own):
        raise Refused(against_rule("watchlist name must be unique"))
    return asked


async def _body(request: web.Request) -> Mapping[str, Any]:
    body = await body_of(request)
    if not isinstance(body, Mapping):
        raise Refused(invalid("request body format is invalid"))
    return body


async def get_all(request: web.Request) -> web.Response:
    return answer([_shown(request, key, item, assets=False) for key, item in _load(request).items()])


async def create(request: web.Request) -> web.Response:
    body, lists, venue = await _body(request), _load(request), request.app[VENUE]
    if len(lists) >= MAX_LISTS:
        raise Refused(against_rule(f"at most {MAX_LISTS} watchlists"))
    key, now = str(uuid.uuid4()), venue.sync()
    symbols = _symbols(venue, body.get("symbols") or [])
    lists[key] = {"name": _name(lists, body.get("name")), "symbols": symbols, "created": now, "updated": now}
    _save(request, lists)
    return answer(_shown(request, key, lists[key]))


async def get_one(request: web.Request) -> web.Response:
    lists = _load(request)
    key = _found(request, lists)
    return answer(_shown(request, key, lists[key]))


async def update(request: web.Request) -> web.Response:
    """What is not given stays."""
    body, lists = await _body(request), _load(request)
    key = _found(request, lists)
    changes: Json = {}
    if body.get("name") is not None:
        changes["name"] = _name(lists, body["name"], key)
    if body.get("symbols") is not None:
        changes["symbols"] = _symbols(request.app[VENUE], body["symbols"])
    return _changed(request, lists, key, changes)


async def add_symbol(request: web.Request) -> web.Response:
    body, lists = await _body(request), _load(request)
    key = _found(request, lists)
    added = _symbols(request.app[VENUE], [body.get("symbol")])
    if set(added) & set(lists[key]["symbols"]):
        raise Refused(against_rule("duplicate symbol"))
    return _changed(request, lists, key, {"symbols": [*lists[key]["symbols"], *added]})


async def remove_symbol(request: web.Request) -> web.Response:
    lists = _load(request)
    key, symbol = _found(request, lists), request.match_info["symbol"]
    if symbol not in lists[key]["symbols"]:
        raise Refused(not_found(f"{symbol[:20]} is not on the watchlist"))
    return _changed(request, lists, key, {"symbols": [name for name in lists[key]["symbols"] if name != symbol]})


def _changed(request: web.Request, lists: Lists, key: str, changes: Json) -> web.Response:
    lists[key] = {**lists[key], **changes, "updated": request.app[VENUE].sync()}
    _save(request, lists)
    return answer(_shown(request, key, lists[key]))


async def delete(request: web.Request) -> web.Response:
    lists = _load(request)
    del lists[_found(request, lists)]
    _save(request, lists)
    return web.Response(status=204)
