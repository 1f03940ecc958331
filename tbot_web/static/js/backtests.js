// Backtests: what was queued and what became of it.
import { byId, el } from "./dom.js";
import * as f from "./format.js";
import { age, body, facts, onFacts, startLive } from "./live.js";
import { Table } from "./table.js";
import { byDay } from "./today_columns.js";
import { startTopbar } from "./topbar.js";

const EMPTY = "No backtest has run yet. Put a Parquet file of minute bars below the root folder, name it and the days above, "
  + "and queue it: its result appears here.";
const STATES = { running: "… running", done: "✓ done", failed: "✕ failed" };
const panel = byId("jobs");

/** The metrics are published as text; a row without readable ones has none. */
function metrics(row) {
  try { return JSON.parse(row.metrics ?? "null") ?? {}; } catch { return {}; }
}

const unknown = (row, why) => el("span", { title: row.state === "done" ? why : `Known when it is done; it is ${row.state}` }, f.UNKNOWN);

/** A column of one metric; `why` says in which case a finished run has none. */
function metric(key, label, show, why, extra = {}) {
  const value = (row) => metrics(row)[key];
  return {
    key, label, num: true, sort: value, csv: (row) => value(row) ?? "",
    show: (row) => (f.known(value(row)) ? show(value(row)) : unknown(row, why)), ...extra,
  };
}

const coloured = (words) => (value) => el("span", { class: f.side(value) }, words(value));
const percent = (value) => f.signedPercent(value).replace("+", "");

function byStrategy(row) {
  const groups = Object.entries(metrics(row).by_strategy ?? {}).filter(([, g]) => g.trades).sort(byDay);
  if (!groups.length) return row.state === "done" ? "no trade" : f.UNKNOWN;
  return groups.map(([name, g]) => el("div", { class: "line" }, `${name.toUpperCase()} ${f.signedMoney(g.pnl)} in ${f.quantity(g.trades)}`));
}

function outcome(row) {
  if (row.state === "failed") return el("span", { class: "fault" }, row.why || "The worker gave no reason; its log has it.");
  if (row.folder) return el("code", {}, "backtest_results/", el("wbr"), el("span", { class: "folder" }, row.folder));
  return row.why || "";
}

function when(row) {
  const at = f.instant(row.at);
  if (at === null) return f.UNKNOWN;
  return el("time", { datetime: row.at, title: `${f.bothTimes(row.at)}, wall clock` }, `${f.newYorkDay(at)}, ${f.newYorkShort(at)}`);
}

const COLUMNS = [
  { key: "at", label: "Told at (NY)", minor: true, show: when, sort: (row) => f.instant(row.at), csv: (row) => row.at },
  { key: "state", label: "State", show: (row) => el("b", { class: `run-${row.state}`, title: `Job ${row.job}` }, STATES[row.state] ?? row.state) },
  metric("return", "Return", coloured(f.signedPercent), "Not told"),
  metric("max_drawdown", "Drawdown", percent, "Not told"),
  metric("sharpe", "Sharpe", f.number, "It needs two sessions and equity that moved", { minor: true }),
  metric("trades", "Trades", f.quantity, "Not told", { minor: true }),
  metric("hit_rate", "Won", percent, "No trade was made", { minor: true }),
  metric("profit_factor", "Profit factor", f.number, "No trade lost", { minor: true }),
  metric("sessions", "Sessions", f.quantity, "Not told", { minor: true }),
  { key: "by_strategy", label: "By strategy", minor: true, show: byStrategy, csv: (row) => JSON.stringify(metrics(row).by_strategy ?? {}) },
  { key: "folder", label: "Result", minor: true, words: true, show: outcome, csv: (row) => row.folder ?? row.why ?? "" },
];
const table = new Table(panel.querySelector("[data-body]"), "backtests", COLUMNS, { empty: EMPTY, tall: true, caption: "Backtest runs" });

onFacts((_facts, changed) => {
  const part = facts.parts.jobs;
  panel.classList.toggle("stale", facts.cut !== null);
  if (part) panel.querySelector("[data-note]").textContent = `last told ${f.duration(age(part))} ago`;
  if (!changed.has("jobs")) return;
  if (!part) return table.unknown(`— ${EMPTY}`);
  const rows = [...(body("jobs").rows ?? [])].sort((a, b) => (f.instant(b.at) ?? 0) - (f.instant(a.at) ?? 0));
  table.set(rows, (row) => row.job);
  const queued = byId("queued");
  if (queued && rows.some((row) => row.job === queued.dataset.job)) queued.hidden = true;
});

startTopbar();
startLive(["status", "jobs"]);
