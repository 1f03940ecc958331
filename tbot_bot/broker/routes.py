"""Which broker each order went to: on the disk before the order leaves, so that no order is ever sent to two."""

import threading
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent
from tbot_bot.support.atomic_file import LineLog, read_lines

PRIMARY, SECONDARY = "primary", "secondary"
_KEPT = 20_000


class RouteLog:
    """Orders of the secondary broker alone are written: what is not named went to the first one. Thread-safe."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        rows = read_lines(file)[-_KEPT:]
        self._routes: dict[str, str] = {str(row["id"]): str(row["route"]) for row in rows if "id" in row}
        self._homes = {str(row["home"]): str(row["route"]) for row in reversed(rows) if "home" in row}
        self._log = LineLog(file)

    def of(self, client_id: ClientOrderId) -> str | None:
        """None: nothing was sent under this id while there was a secondary broker."""
        with self._lock:
            return self._routes.get(client_id)

    def home(self, session: date, symbol: Symbol) -> str | None:
        """Where the first order in `symbol` of this session went."""
        with self._lock:
            return self._homes.get(_home(session, symbol))

    def choose(self, client_id: ClientOrderId, route: str, of: OrderIntent | None = None) -> str:
        """The route of an id, for ever: the first one that was chosen. Durable when it returns. Raises OSError."""
        with self._lock:
            known = self._routes.get(client_id)
            if known is not None:
                return known
            row = {"id": client_id, "route": route}
            if of is not None:
                row["home"] = _home(of.session, of.symbol)
                self._homes.setdefault(row["home"], route)
            self._log.append(row)
            self._routes[client_id] = route
            return route

    def known(self) -> Mapping[str, str]:
        with self._lock:
            return dict(self._routes)

    def close(self) -> None:
        self._log.close()


def _home(session: date, symbol: Symbol) -> str:
    return f"{session.isoformat()} {symbol}"
