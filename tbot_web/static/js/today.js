// Today: session, equity, risk, positions, candidates, orders, trades, what happened, health.
import { byId, el } from "./dom.js";
import { drawEquity } from "./equity.js";
import * as f from "./format.js";
import { age, body, facts, onFacts, startLive } from "./live.js";
import { startOffers } from "./offers.js";
import { Table } from "./table.js";
import * as columns from "./today_columns.js";
import { drawHealth, drawLog, drawRisk } from "./today_lists.js";
import { drawTimeline } from "./timeline.js";
import { marketNow, startTopbar, writerName } from "./topbar.js";
import { drawWarnings } from "./warnings.js";

const STARTABLE = new Set(["idle", "shutdown", "shutdown_triggered", "error"]);
const bodyOf = (id) => byId(id).querySelector("[data-body]");

const positions = new Table(bodyOf("positions"), "positions", columns.positions(marketNow), {
  empty: "No position is open.", caption: "Positions",
});
const candidates = new Table(bodyOf("candidates"), "candidates", columns.candidates, {
  empty: "No candidate yet. They appear when a window's analysis ends.", filter: true, caption: "Candidates",
});
const orders = new Table(bodyOf("orders"), "orders", columns.orders, { empty: "No order today.", filter: true, caption: "Orders" });
const tradesHost = bodyOf("trades");
const tradesTiles = el("dl", { class: "tiles" });
const tradesTable = el("div");
tradesHost.replaceChildren(tradesTiles, tradesTable);
const trades = new Table(tradesTable, "trades", columns.trades, { empty: "No finished trade today.", caption: "Trades" });

const tables = { positions, candidates, orders, trades };

const needs = {
  timeline: ["status", "trades", "positions"], equity: ["account", "status"], risk: ["status"], positions: ["positions"],
  candidates: ["candidates"], orders: ["orders"], trades: ["trades"], log: ["log", "alerts"], health: ["system", "status", "backups"],
};

const draws = {
  timeline: () => drawTimeline(bodyOf("timeline"), body("status"), marks(), marketNow()),
  equity: () => drawEquity(bodyOf("equity"), body("account"), body("status")),
  risk: () => drawRisk(bodyOf("risk"), body("status")),
  positions: () => positions.set(body("positions").rows, (row) => row.trade_id),
  candidates: () => candidates.set(body("candidates").rows, (row) => [row.at, row.strategy, row.symbol, row.fallback].join()),
  orders: () => orders.set(body("orders").rows, (row) => row.client_id),
  trades: drawTrades,
  log: () => drawLog(bodyOf("log"), body("log"), body("alerts")),
  health: () => drawHealth(bodyOf("health"), body("status"), facts.parts),
};

onFacts((_facts, changed) => {
  for (const [panel, names] of Object.entries(needs)) {
    const part = facts.parts[names[0]];
    note(panel, part);
    if (part && names.some((name) => changed.has(name))) draws[panel]();
  }
  controls();
  drawWarnings(facts.parts.system, facts.parts.backups);
});

/** Above each panel: whose word it is and how old. */
function note(panel, part) {
  const section = byId(panel);
  const line = section.querySelector("[data-note]");
  const alive = facts.parts.status && !facts.parts.status.stale;
  section.classList.toggle("stale", Boolean(part?.stale) || facts.cut !== null);
  if (part) {
    line.textContent = ageInWords(panel, part, alive);
    line.title = `Written by the ${writerName(part.writer)} at ${f.bothTimes(part.written_at)} by the wall clock`;
  } else if (facts.head) {
    line.textContent = "not known";
    const words = alive ? "— Known once a session runs." : "— The strategy runtime has not published this yet.";
    if (panel in tables) tables[panel].unknown(words);
    else section.querySelector("[data-body]").replaceChildren(el("p", { class: "empty" }, words));
  }
}

function ageInWords(panel, part, alive) {
  if (part.stale && alive) return "as the last session left it; none is running";
  if (part.stale) return `${writerName(part.writer)} silent for ${f.duration(age(part))}`;
  if (panel === "log") return "times of the wall clock in New York";
  return `as of ${f.exchangeTime(marketStamp(part))}`;
}

/** Market time where the part is as fresh as the status; else the wall clock's. */
const marketStamp = (part) => body("status")?.market_now ?? part.written_at;

function controls() {
  const word = facts.head?.state;
  const start = byId("start"), stop = byId("stop");
  if (start && word) start.hidden = !STARTABLE.has(word);
  if (stop && word) stop.hidden = STARTABLE.has(word);
  const status = body("status");
  const why = byId("halt-why") ?? byId("why");
  if (status) {
    why.hidden = !status.why;
    why.textContent = status.why ? prefix(why, status) + status.why : "";
    why.classList.toggle("blocked", Boolean(status.why) && inSession(status));
  }
}

/** While a session's windows are known, the runtime's reason is what blocks entries. */
const inSession = (status) => (status.windows ?? []).length > 0;
const prefix = (why, status) => why.dataset.prefix ?? (inSession(status) ? "New entries are blocked: " : "");

function marks() {
  const entry = (row) => ({
    kind: "entry", strategy: row.strategy, at: f.instant(row.entry_at),
    words: `${row.symbol} entered at ${f.money(row.entry_price)}, ${f.exchangeTime(row.entry_at)}`,
  });
  const exit = (row) => ({
    kind: "exit", strategy: row.strategy, at: f.instant(row.exit_at), pnl: Number(row.pnl),
    words: `${row.symbol} left at ${f.money(row.exit_price)}: ${f.signedMoney(row.pnl)}, ${row.why}`,
  });
  const done = (body("trades")?.rows ?? []).flatMap((row) => [entry(row), exit(row)]);
  return [...done, ...(body("positions")?.rows ?? []).map(entry)];
}

function drawTrades() {
  const { rows, by_strategy: groups } = body("trades");
  const names = Object.entries(groups ?? {}).sort(columns.byDay);
  const total = names.reduce((sum, [, g]) => sum + Number(g.pnl), 0);
  const tile = (name, words, value) => el("div", {}, el("dt", {}, name), el("dd", { class: f.side(value) }, words));
  const inWords = (g) => `${f.signedMoney(g.pnl)} in ${g.trades} trade${g.trades === 1 ? "" : "s"}`;
  const tiles = names.map(([name, g]) => tile(name.toUpperCase(), inWords(g), g.pnl));
  if (names.length > 1) tiles.push(tile("Together", f.signedMoney(total), total));
  tradesTiles.replaceChildren(...tiles);
  trades.set(rows, (row, i) => [row.entry_at, row.symbol, i].join());
}

startTopbar();
startOffers();
startLive(["status", "account", "positions", "orders", "candidates", "trades", "log", "alerts", "system", "backups"]);
setInterval(() => { if (body("status") && !facts.parts.status.stale) draws.timeline(); }, 2000);
addEventListener("resize", () => { if (body("status")) draws.timeline(); if (body("account")) draws.equity(); });
