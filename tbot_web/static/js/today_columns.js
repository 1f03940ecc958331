// What each table of the Today page shows, column by column.
import { el } from "./dom.js";
import * as f from "./format.js";

const ORDER = ["open", "mid", "close"];
const coloured = (value, words) => el("span", { class: f.side(value) }, words);
const time = (key, label, extra = {}) => ({
  key, label,
  show: (r) => el("time", { datetime: r[key], title: f.bothTimes(r[key]) }, f.exchangeTime(r[key])),
  sort: (r) => f.instant(r[key]), csv: (r) => r[key], ...extra,
});
const price = (key, label, extra = {}) => ({ key, label, num: true, show: (r) => f.number(r[key]), ...extra });
const strategy = { key: "strategy", label: "Strategy", minor: true, show: (r) => String(r.strategy ?? "").toUpperCase() };

/** What is held, the symbol whose signal led to it when that is another one, and why it is being left. */
function holding(row) {
  const other = row.signal_symbol && row.signal_symbol !== row.symbol;
  return [el("b", {}, row.symbol), other && el("small", {}, ` for ${row.signal_symbol}`),
    row.leaving && el("div", { class: "leaving" }, `leaving: ${f.spaced(row.leaving)}`)].filter(Boolean);
}

/** A stop that does not rest at the broker works only while the strategy runtime lives: said on the row. */
function stop(row) {
  if (!f.known(row.stop)) return f.UNKNOWN;
  if (row.stop_rests) return el("span", { title: "Rests at the broker: it works whatever happens here" }, f.number(row.stop));
  const title = "Held by the strategy runtime: it works only while that runs";
  return el("span", { title }, f.number(row.stop), el("small", {}, " held here"));
}

function timeLeft(row, marketNow) {
  const now = marketNow(), until = f.instant(row.deadline);
  return now === null || until === null ? f.UNKNOWN : f.duration((until - now) / 1000);
}

export const positions = (marketNow) => [
  { key: "symbol", label: "Symbol", show: holding },
  strategy,
  { key: "direction", label: "Signal", minor: true, show: (r) => r.direction },
  { key: "quantity", label: "Shares", num: true, minor: true, show: (r) => f.quantity(r.quantity) },
  price("entry_price", "Entry", { minor: true }),
  price("mark", "Mark", { show: (r) => el("span", { title: `At ${f.bothTimes(r.mark_at)}` }, f.number(r.mark)) }),
  price("stop", "Stop", { minor: true, show: stop }),
  price("target", "Target", { minor: true, show: (r) => (f.known(r.target) ? f.number(r.target) : "none") }),
  time("deadline", "Time left", { num: true, minor: true, show: (r) => timeLeft(r, marketNow) }),
  { key: "pnl", label: "P&L", num: true, show: (r) => coloured(r.pnl, f.signedMoney(r.pnl)) },
  { key: "pnl_pct", label: "P&L %", num: true, minor: true, show: (r) => coloured(r.pnl_pct, f.signedPercent(r.pnl_pct)) },
];

/** The refusal in the trader's words, with what was seen against what is needed, and the setting that decides it. */
function reason(row) {
  const parts = [el("span", {}, row.reason || f.UNKNOWN)];
  if (known(row.seen)) {
    const needed = known(row.needed) ? `, needed ${measure(row, row.needed)}` : "";
    parts.push(el("small", {}, ` saw ${measure(row, row.seen)}${needed}`));
  }
  if (row.setting) {
    const link = { href: `/configuration#${row.setting}`, title: "The setting that decides this" };
    parts.push(" ", el("a", link, el("code", {}, row.setting)));
  }
  return el("span", {}, parts);
}

const known = (value) => value !== null && value !== undefined && value !== "";

/** Distances come as fractions; words come as they are. */
/** How far a candidate came: CLOSE counts in standard deviations, the others in fractions of the price. */
function measure(row, value) {
  if (typeof value !== "number") return value;
  return row.strategy === "close" ? `${value.toFixed(2)} σ` : f.signedPercent(value).replace("+", "");
}

/** Strategies in the order of the day, others after them. */
export const byDay = ([a], [b]) => (ORDER.indexOf(a) + 9) % 9 - (ORDER.indexOf(b) + 9) % 9;

/** The symbol of the signal, and what would be traded for it when that is another one. */
function candidate(row) {
  const other = row.traded && row.traded !== row.symbol;
  return [el("b", {}, row.symbol), other && el("small", {}, ` via ${row.traded}`)].filter(Boolean);
}

export const candidates = [
  time("at", "Time", { minor: true }),
  strategy,
  { key: "rank", label: "Rank", num: true, minor: true, show: (r) => r.rank || f.UNKNOWN },
  { key: "symbol", label: "Symbol", show: candidate },
  { key: "direction", label: "Signal", minor: true, show: (r) => r.direction ?? f.UNKNOWN },
  { key: "score", label: "Score", num: true, minor: true, show: (r) => (r.rank ? f.number(r.score) : f.UNKNOWN) },
  { key: "outcome", label: "Verdict", words: true, show: (r) => f.spaced(r.outcome) + (Number(r.fallback) > 0 ? ` (fallback ${r.fallback})` : "") },
  { key: "reason", label: "Reason", words: true, show: reason, csv: (r) => r.reason },
];

export const orders = [
  time("at", "Time"),
  strategy,
  { key: "symbol", label: "Symbol", show: (r) => el("b", {}, r.symbol) },
  { key: "side", label: "Side", show: (r) => r.side },
  { key: "purpose", label: "For", minor: true, show: (r) => r.purpose },
  { key: "type", label: "Type", minor: true, show: (r) => f.spaced(r.type) },
  { key: "quantity", label: "Asked", num: true, minor: true, show: (r) => (f.known(r.quantity) ? f.quantity(r.quantity) : f.money(r.notional)) },
  { key: "filled", label: "Filled", num: true, minor: true, show: (r) => f.quantity(r.filled) },
  price("average_price", "Average", { minor: true }),
  { key: "status", label: "Status", show: (r) => f.spaced(r.status) },
  { key: "reason", label: "Reason", minor: true, words: true, show: (r) => r.reason || "" },
  { key: "client_id", label: "Client id", minor: true, show: (r) => el("code", {}, r.client_id) },
];

export const trades = [
  { key: "symbol", label: "Symbol", show: (r) => el("b", {}, r.symbol) },
  strategy,
  { key: "direction", label: "Signal", minor: true, show: (r) => r.direction },
  { key: "quantity", label: "Shares", num: true, minor: true, show: (r) => f.quantity(r.quantity) },
  time("entry_at", "Entered", { minor: true }),
  price("entry_price", "Entry", { minor: true }),
  time("exit_at", "Left"),
  price("exit_price", "Exit", { minor: true }),
  { key: "pnl", label: "P&L", num: true, show: (r) => coloured(r.pnl, f.signedMoney(r.pnl)) },
  { key: "why", label: "Why it ended", minor: true, words: true, show: (r) => f.spaced(r.why) },
];
