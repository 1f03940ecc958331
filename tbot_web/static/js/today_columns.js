// What each table of the Today page shows, column by column.
import { el } from "./dom.js";
import * as f from "./format.js";

const ORDER = ["open", "mid", "close"];
const coloured = (value, words) => el("span", { class: f.side(value) }, words);
const time = (key, label, extra = {}) => ({ key, label, show: (r) => el("time", { datetime: r[key], title: f.bothTimes(r[key]) }, f.exchangeTime(r[key])), sort: (r) => f.instant(r[key]), csv: (r) => r[key], ...extra });
const price = (key, label, extra = {}) => ({ key, label, num: true, show: (r) => f.number(r[key]), ...extra });
const strategy = { key: "strategy", label: "Strategy", minor: true, show: (r) => String(r.strategy ?? "").toUpperCase() };

/** What is held, and the symbol whose signal led to it when that is another one. */
function holding(row) {
  return [el("b", {}, row.symbol), row.signal_symbol && row.signal_symbol !== row.symbol ? el("small", {}, ` for ${row.signal_symbol}`) : null];
}

export const positions = (marketNow) => [
  { key: "symbol", label: "Symbol", show: holding },
  strategy,
  { key: "direction", label: "Signal", minor: true, show: (r) => r.direction },
  { key: "quantity", label: "Shares", num: true, minor: true, show: (r) => f.quantity(r.quantity) },
  price("entry_price", "Entry", { minor: true }),
  price("mark", "Mark", { show: (r) => el("span", { title: `At ${f.bothTimes(r.mark_at)}` }, f.number(r.mark)) }),
  price("stop", "Stop", { minor: true, show: (r) => el("span", { title: r.stop_rests ? "Rests at the broker" : "Held by the strategy runtime" }, f.number(r.stop)) }),
  price("target", "Target", { minor: true, show: (r) => (f.known(r.target) ? f.number(r.target) : "none") }),
  time("deadline", "Time left", { num: true, minor: true, show: (r) => (marketNow() === null ? f.UNKNOWN : f.duration((f.instant(r.deadline) - marketNow()) / 1000)) }),
  { key: "pnl", label: "P&L", num: true, show: (r) => coloured(r.pnl, f.signedMoney(r.pnl)) },
  { key: "pnl_pct", label: "P&L %", num: true, minor: true, show: (r) => coloured(r.pnl_pct, f.signedPercent(r.pnl_pct)) },
];

/** The refusal in the trader's words, with what was seen against what is needed, and the setting that decides it. */
function reason(row) {
  const parts = [el("span", {}, row.reason || f.UNKNOWN)];
  if (known(row.seen)) parts.push(el("small", {}, ` saw ${measure(row.seen)}${known(row.needed) ? `, needed ${measure(row.needed)}` : ""}`));
  if (row.setting) parts.push(" ", el("a", { href: `/configuration#${row.setting}`, title: "The setting that decides this" }, el("code", {}, row.setting)));
  return el("span", {}, parts);
}

const known = (value) => value !== null && value !== undefined && value !== "";

/** Distances come as fractions; words come as they are. */
const measure = (value) => (typeof value === "number" ? f.signedPercent(value).replace("+", "") : value);

/** Strategies in the order of the day, others after them. */
export const byDay = ([a], [b]) => (ORDER.indexOf(a) + 9) % 9 - (ORDER.indexOf(b) + 9) % 9;

export const candidates = [
  time("at", "Time", { minor: true }),
  strategy,
  { key: "rank", label: "Rank", num: true, minor: true, show: (r) => r.rank || f.UNKNOWN },
  { key: "symbol", label: "Symbol", show: (r) => [el("b", {}, r.symbol), r.traded && r.traded !== r.symbol ? el("small", {}, ` via ${r.traded}`) : null] },
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
