import json
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tbot_bot.domain.errors import BrokerDenied, BrokerUnavailable, ConfigInvalid
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.settings import BrokerCredentials, BrokerName
from tbot_bot.screeners.providers.paper_reference import PaperReference

FULL = {
    "market_cap": "5000000000",
    "pe_ratio": 12.5,
    "debt_equity": None,
    "avg_volume_20d": 1500000.0,
    "sector": "Health Care",
    "previous_close": "10.50",
}


class Venue:
    """Answers everything with `status` and `text`."""

    def __init__(self) -> None:
        self.status = 200
        self.text = "{}"
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""


@pytest.fixture
def venue() -> Iterator[Venue]:
    made = Venue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, self.headers.get("APCA-API-KEY-ID")))
            self.send_response(made.status)
            self.end_headers()
            self.wfile.write(made.text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def reference(venue: Venue) -> Iterator[PaperReference]:
    made = PaperReference(credentials(venue.url), 2.0)
    yield made
    made.close()


def credentials(url: str) -> BrokerCredentials:
    return BrokerCredentials(BrokerName.PAPER, broker_url=url, broker_api_key="KEY", broker_secret_key="SECRET")


def test_fundamentals_are_read_and_null_means_unknown(venue: Venue, reference: PaperReference) -> None:
    venue.text = json.dumps({"A": FULL, "B": dict.fromkeys(FULL), "ELSE": FULL, "C": None})
    found = reference.fundamentals([Symbol("A"), Symbol("B"), Symbol("C"), Symbol("D")])
    assert found.keys() == {"A", "B"}
    first, second = found[Symbol("A")], found[Symbol("B")]
    assert (first.market_cap, first.pe_ratio) == (Decimal(5_000_000_000), Decimal("12.5"))
    assert (first.average_volume, first.sector, first.previous_close) == (1_500_000, "Healthcare", Decimal("10.50"))
    assert (second.market_cap, second.average_volume, second.sector) == (None, None, None)
    assert venue.asked == [("/v1/reference/fundamentals?symbols=A%2CB%2CC%2CD", "KEY")]


def test_many_symbols_are_asked_in_batches(venue: Venue, reference: PaperReference) -> None:
    assert reference.fundamentals([Symbol(f"S{n}") for n in range(1000)]) == {}
    assert len(venue.asked) == 2


def test_the_vix_is_read(venue: Venue, reference: PaperReference) -> None:
    venue.text = '{"value": 18.25, "session": "2026-01-02"}'
    vix = reference.vix()
    assert vix is not None
    assert (vix.value, vix.session) == (Decimal("18.25"), date(2026, 1, 2))


@pytest.mark.parametrize(
    "text", ['{"value": null, "session": null}', '{"value": 18}', '{"value": 0, "session": "2026-01-02"}']
)
def test_an_incomplete_vix_is_unknown(venue: Venue, reference: PaperReference, text: str) -> None:
    venue.text = text
    assert reference.vix() is None


@pytest.mark.parametrize(("status", "text"), [(500, "{}"), (200, "<html>"), (200, "[]"), (302, "{}")])
def test_what_cannot_be_read_is_unavailable(venue: Venue, reference: PaperReference, status: int, text: str) -> None:
    venue.status, venue.text = status, text
    with pytest.raises(BrokerUnavailable):
        reference.vix()


def test_refused_credentials_are_denied(venue: Venue, reference: PaperReference) -> None:
    venue.status = 401
    with pytest.raises(BrokerDenied):
        reference.fundamentals([Symbol("A")])


def test_a_venue_elsewhere_is_refused() -> None:
    with pytest.raises(ConfigInvalid):
        PaperReference(credentials("http://paper.example"), 1.0)
