"""The paper venue's own reference data: GET /v1/reference/fundamentals and /v1/reference/vix."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import requests

from tbot_bot.domain.errors import BrokerDenied, BrokerUnavailable, ConfigInvalid
from tbot_bot.domain.market import Fundamentals, Symbol, VixReading
from tbot_bot.domain.money import parse_decimal
from tbot_bot.domain.settings import BrokerCredentials
from tbot_bot.screeners.inverse import canonical_sector
from tbot_bot.support.loopback import is_loopback

_SYMBOLS_A_CALL = 500
_CONNECT_TIMEOUT_S = 5.0


class PaperReference:
    """Implements ports.ReferenceData. Raises ConfigInvalid for a venue that is not on this machine."""

    source = "paper venue"

    def __init__(self, credentials: BrokerCredentials, timeout_s: float) -> None:
        url = credentials.broker_url
        if not is_loopback(urlsplit(url).hostname or ""):
            raise ConfigInvalid("BROKER_URL: the paper venue is on this machine; use http://127.0.0.1:8090")
        self._base = url.rstrip("/").removesuffix("/v2") + "/v1/reference"
        self._timeout = (min(_CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["APCA-API-KEY-ID"] = credentials.broker_api_key
        self._session.headers["APCA-API-SECRET-KEY"] = credentials.broker_secret_key

    def fundamentals(self, symbols: Sequence[Symbol]) -> Mapping[Symbol, Fundamentals]:
        found: dict[Symbol, Fundamentals] = {}
        for start in range(0, len(symbols), _SYMBOLS_A_CALL):
            chunk = symbols[start : start + _SYMBOLS_A_CALL]
            answer = self._get("/fundamentals", {"symbols": ",".join(chunk)})
            found.update(_read_fundamentals(answer, frozenset(chunk)))
        return found

    def vix(self) -> VixReading | None:
        answer = self._get("/vix", {})
        value = parse_decimal(answer.get("value"))
        try:
            session = date.fromisoformat(str(answer.get("session")))
        except ValueError:
            return None
        return VixReading(value, session) if value is not None and value > 0 else None

    def close(self) -> None:
        self._session.close()

    def _get(self, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            response = self._session.get(self._base + path, params=params, timeout=self._timeout, allow_redirects=False)
            body = response.json() if response.status_code == 200 else None
        except requests.RequestException as error:
            raise BrokerUnavailable(f"the paper venue's reference data cannot be read: {error}") from error
        if response.status_code in (401, 403):
            raise BrokerDenied("the paper venue refuses the credentials")
        if not isinstance(body, dict):
            raise BrokerUnavailable(f"the paper venue's reference data cannot be read: {response.status_code}")
        return body


def _read_fundamentals(answer: Mapping[str, Any], asked: frozenset[Symbol]) -> Iterator[tuple[Symbol, Fundamentals]]:
    for name, row in answer.items():
        symbol = Symbol(name)
        if symbol in asked and isinstance(row, dict):
            yield symbol, _read_row(symbol, row)


def _read_row(symbol: Symbol, row: Mapping[str, Any]) -> Fundamentals:
    volume = parse_decimal(row.get("avg_volume_20d"))
    sector = row.get("sector")
    return Fundamentals(
        symbol=symbol,
        market_cap=parse_decimal(row.get("market_cap")),
        pe_ratio=parse_decimal(row.get("pe_ratio")),
        debt_equity=parse_decimal(row.get("debt_equity")),
        average_volume=int(volume) if volume is not None else None,
        sector=canonical_sector(sector) if isinstance(sector, str) and sector else None,
        previous_close=parse_decimal(row.get("previous_close")),
    )
