"""The day's summary as a page of plain text, for the terminal and the mail."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tbot_bot.domain.money import parse_decimal

_MOST_CANDIDATES = 40


def render_report(summary: Mapping[str, Any]) -> str:
    """A readable page from `summaries.daily`; dollars to the cent, times in UTC."""
    parts: tuple[Callable[[Mapping[str, Any]], list[str]], ...] = (
        _head, _windows, _candidates, _misses, _orders, _fills, _trades, _strategies, _limits, _trial_balance, _files,
    )  # fmt: skip
    blocks = [part(summary) for part in parts]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(summary: Mapping[str, Any]) -> list[str]:
    hours, equity = summary["hours"], summary["equity"]
    flat = {True: "flat at the broker", False: "NOT FLAT at the broker", None: "NOT KNOWN to be flat"}[summary["flat"]]
    early = ", early close" if hours["early_close"] else ""
    lines = [
        f"Session {summary['session']}   {summary['mode']} · {summary['broker']}",
        f"Market   {_time(hours['open'])}–{_time(hours['close'])} UTC{early}, flat by {_time(summary['flat_by'])}",
        f"Equity   {_usd(equity['opening'])} → {_usd(equity['closing'])}   change {_usd(equity['change'], sign=True)}",
        f"Ended    {flat}; realised {_usd(summary['realised'], sign=True)} after fees",
    ]
    lines += [f"Left     {p['quantity']} {p['symbol']}" for p in summary["positions_left"]]
    return lines + ([f"Tripped  {summary['tripped']}"] if summary["tripped"] else [])


def _windows(summary: Mapping[str, Any]) -> list[str]:
    rows = [
        (w["strategy"], _time(w["start"]), _time(w["analysis_end"]), _time(w["breakout_end"]), w["monitoring_minutes"])
        for w in summary["windows"]
    ]
    lines = _table("Windows (UTC)", ("strategy", "analysis", "breakout", "ends", "monitoring min"), rows)
    return lines + [f"  {s['strategy']}: skipped, {s['reason']}" for s in summary["skipped"]]


def _candidates(summary: Mapping[str, Any]) -> list[str]:
    rows = [
        (_time(c["at"]), c["strategy"], c["rank"] or "", c["symbol"], c["direction"], c["traded"] or "", c["outcome"],
         c["reason"])
        for c in summary["candidates"]
    ]  # fmt: skip
    head = ("at", "strategy", "rank", "symbol", "direction", "traded", "outcome", "reason")
    lines = _table(f"Candidates ({len(rows)})", head, rows[:_MOST_CANDIDATES])
    if len(rows) > _MOST_CANDIDATES:
        lines.append(f"  … and {len(rows) - _MOST_CANDIDATES} more, all in the summary file")
    return lines


def _misses(summary: Mapping[str, Any]) -> list[str]:
    rows = [
        (m["strategy"], m["symbol"], m["direction"], _measure(m, "needed"), _measure(m, "seen"), m["reason"])
        for m in summary["nearest_misses"]
    ]
    return _table("Nearest misses", ("strategy", "symbol", "direction", "needed", "seen", "reason"), rows)


def _orders(summary: Mapping[str, Any]) -> list[str]:
    rows = [
        (_time(o["created_at"]), o["client_id"], o["symbol"], o["side"], o["purpose"], o["type"], _size(o),
         o["status"], o["filled"], _price(o["average_price"]))
        for o in summary["orders"]
    ]  # fmt: skip
    counts = ", ".join(f"{count} {status}" for status, count in summary["orders_by_status"].items()) or "none"
    head = ("at", "client id", "symbol", "side", "purpose", "type", "size", "status", "filled", "average")
    lines = _table(f"Orders ({counts})", head, rows)
    lines += [f"  NOT FINAL: {client_id}" for client_id in summary["orders_not_final"]]
    return lines + [f"  rejected {count}×: {reason}" for reason, count in summary["rejected"].items()]


def _fills(summary: Mapping[str, Any]) -> list[str]:
    rows = [
        (_time(f["at"]), f["symbol"], f["side"], f["quantity"], _price(f["price"]), _price(f["reference_price"]),
         f["slippage_bps"] or "", _usd(f["fee"]))
        for f in summary["fills"]
    ]  # fmt: skip
    head = ("at", "symbol", "side", "quantity", "price", "reference", "slippage bps", "fee")
    return _table(f"Fills ({len(rows)})", head, rows)


def _trades(summary: Mapping[str, Any]) -> list[str]:
    rows = [
        (t["strategy"] or "", t["symbol"], t["direction"] or "", t["quantity"], _time(t["entry_at"]),
         _price(t["entry_price"]), _time(t["exit_at"]), _price(t["exit_price"]), _usd(t["pnl"], sign=True), t["why"])
        for t in summary["trades"]
    ]  # fmt: skip
    head = ("strategy", "symbol", "direction", "quantity", "in", "price", "out", "price", "P&L", "why")
    return _table(f"Round trips ({len(rows)})", head, rows)


def _strategies(summary: Mapping[str, Any]) -> list[str]:
    results = {**summary["by_strategy"], "all": summary["totals"]}
    rows = [
        (name, r["trades"], r["wins"], _percent(r["hit_rate"]), _usd(r["fees"]), r["slippage_bps"] or "",
         _usd(r["pnl"], sign=True))
        for name, r in results.items()
    ]  # fmt: skip
    return _table("P&L by strategy", ("strategy", "trades", "wins", "hit rate", "fees", "slippage bps", "P&L"), rows)


def _limits(summary: Mapping[str, Any]) -> list[str]:
    touched = set(summary["limits_touched"])
    rows = [
        (
            limit["name"],
            limit["used"] or "unknown",
            limit["limit"],
            limit["unit"],
            "touched" if limit["name"] in touched else "",
        )
        for limit in summary["limits"]
    ]
    lines = _table("Limits", ("limit", "used", "of", "unit", ""), rows) if rows else []
    denials = [f"  denied {count}×: {reason}" for reason, count in summary["denials"].items()]
    return lines + (denials if lines or not denials else ["Denials", *denials])


def _trial_balance(summary: Mapping[str, Any]) -> list[str]:
    balance = summary["trial_balance"]
    rows = [(a["account"], _usd(a["debits"]), _usd(a["credits"])) for a in balance["accounts"]]
    rows.append(("total", _usd(balance["debits"]), _usd(balance["credits"])))
    verdict = "debits equal credits" if balance["balanced"] else "DEBITS AND CREDITS DIFFER"
    return _table(f"Trial balance ({verdict})", ("account", "debits", "credits"), rows)


def _files(summary: Mapping[str, Any]) -> list[str]:
    return _table("Files", ("what", "where"), list(summary["files"].items())) if summary["files"] else []


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """`title` over columns as wide as their longest cell; columns of numbers to the right."""
    if not rows:
        return [title, "  none"]
    cells = [[str(cell) if cell is not None else "" for cell in row] for row in rows]
    widths = [max(len(head[i]), *(len(row[i]) for row in cells)) for i in range(len(head))]
    right = [all(_numeric(row[i]) for row in cells) for i in range(len(head))]
    return [title, *(_line(row, widths, right) for row in ([*head], *cells))]


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True))
    return ("  " + "  ".join(padded)).rstrip()


def _numeric(cell: str) -> bool:
    return not cell or parse_decimal(cell.replace(",", "").replace("$", "").removesuffix("%").strip()) is not None


def _usd(text: str | None, *, sign: bool = False) -> str:
    value = parse_decimal(text)
    if value is None:
        return "unknown"
    mark = "-" if value < 0 else "+" if sign and value > 0 else ""
    return f"{mark}${abs(value):,.2f}"


def _price(text: str | None) -> str:
    value = parse_decimal(text)
    return "" if value is None else f"{value:.4f}"


def _percent(text: str | None) -> str:
    value = parse_decimal(text)
    return "" if value is None else f"{value * Decimal(100):.0f}%"


def _measure(miss: Mapping[str, Any], name: str) -> str:
    """CLOSE counts in standard deviations, the others in fractions of the price."""
    value: float | None = miss[name]
    if value is None:
        return ""
    return f"{value:.2f} σ" if miss["strategy"] == "close" else f"{value:.2%}"


def _size(order: Mapping[str, Any]) -> str:
    return _usd(order["notional"]) if order["quantity"] is None else str(order["quantity"])


def _time(text: str | None) -> str:
    """The clock part of an ISO time in UTC, to the second where it has any."""
    if not text or "T" not in text:
        return text or ""
    clock = text.split("T", 1)[1][:8]
    return clock.removesuffix(":00") if clock.count(":") == 2 else clock
