"""The forms of Tradier's answers: JSON whose lists collapse, XML by default, errors as text or with status 200."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from aiohttp import web

Json = dict[str, Any]


class Problem(Exception):
    """An answer that is not a success: plain text with a status of 400 and above; with 200, a list of errors."""

    def __init__(self, status: int, *words: str) -> None:
        super().__init__("; ".join(words))
        self.status = status
        self.words = words


def account_number(token: str) -> str:
    """Of the account that a token opens."""
    return number_of_digest(hashlib.sha256(token.encode()).hexdigest())


def number_of_digest(digest: str) -> str:
    """As `account_number`, of a token's SHA-256, which is all that the exchange keeps of it."""
    return f"VA{int(digest[:12], 16) % 10**8:08}"


def collapsed(name: str, items: Sequence[Json]) -> Any:
    """None → "null" (a text), one → the object itself, several → a list."""
    if not items:
        return "null"
    return {name: items[0] if len(items) == 1 else list(items)}


def answer(request: web.Request, body: Mapping[str, Any]) -> web.Response:
    """JSON when the client accepts it, else XML, which is what Tradier sends by default."""
    if "json" in request.headers.get("Accept", ""):
        return web.Response(text=json.dumps(body), content_type="application/json")
    (name, value), *_ = body.items()
    return web.Response(text=ElementTree.tostring(_element(name, value), "unicode"), content_type="application/xml")


def problem(request: web.Request, found: Problem) -> web.Response:
    if found.status != 200:
        return web.Response(text=" ".join(found.words), status=found.status, content_type="text/plain")
    words = list(found.words)
    return answer(request, {"errors": {"error": words[0] if len(words) == 1 else words}})


def _element(name: str, value: Any) -> ElementTree.Element:
    made = ElementTree.Element(name)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            made.extend(_elements(str(key), inner))
    elif value is not None and value != "null":
        made.text = _text(value)
    return made


def _elements(name: str, value: Any) -> list[ElementTree.Element]:
    return [_element(name, each) for each in value] if isinstance(value, list) else [_element(name, value)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
