// The universe: what the last build kept, and why the rest was left out.
import { byId, el } from "./dom.js";
import * as f from "./format.js";
import { age, body, facts, onFacts, startLive } from "./live.js";
import { Table } from "./table.js";
import { startTopbar } from "./topbar.js";

const bodyOf = (id) => byId(id).querySelector("[data-body]");
const COLUMNS = [
  { key: "symbol", label: "Symbol", show: (r) => el("b", {}, r.symbol) },
  { key: "name", label: "Name", words: true, minor: true, show: (r) => r.name ?? "" },
  { key: "exchange", label: "Exchange", minor: true, show: (r) => r.exchange ?? "" },
  { key: "sector", label: "Sector", minor: true, show: (r) => r.sector ?? f.UNKNOWN },
  { key: "market_cap", label: "Market cap", num: true, show: (r) => f.compactMoney(r.market_cap) },
  { key: "previous_close", label: "Previous close", num: true, show: (r) => f.number(r.previous_close) },
  { key: "average_volume", label: "Average volume", num: true, minor: true, show: (r) => f.compact(r.average_volume) },
];
const table = new Table(bodyOf("rows"), "universe", COLUMNS, {
  empty: "No symbol is kept. Build the universe; nothing trades without one.", filter: true, tall: true, caption: "Universe",
});

onFacts((_facts, changed) => {
  const part = facts.parts.universe;
  if (!changed.has("universe")) return;
  const empty = el("p", { class: "empty" }, "— Nothing is published: the universe has not been built yet.");
  if (!part) {
    bodyOf("summary-panel").replaceChildren(empty);
    bodyOf("reasons").replaceChildren(empty.cloneNode(true));
    table.unknown();
    return;
  }
  summary(part);
  reasons(body("universe"));
  table.set(body("universe").rows ?? [], (row) => row.symbol);
});

function summary(part) {
  const { state, built_at: built, counts, error } = part.body;
  const tile = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  bodyOf("summary-panel").replaceChildren(
    el("dl", { class: "tiles" }, tile("State", f.spaced(state)), tile("Built", built ? f.bothShort(built) : f.UNKNOWN),
      tile("Listed", f.quantity(counts?.listed)), tile("Kept", f.quantity(counts?.kept))),
    error ? el("p", { class: "fault empty" }, error) : "");
  byId("summary-panel").querySelector("[data-note]").textContent = state === "building" ? "building now" : `told ${f.duration(age(part))} ago`;
}

function reasons({ reasons: counts, counts: totals }) {
  const rows = Object.entries(counts ?? {}).sort((a, b) => b[1] - a[1]);
  const most = Math.max(1, Number(totals?.listed) || Math.max(...rows.map(([, n]) => n), 1));
  bodyOf("reasons").replaceChildren(rows.length ? el("div", { class: "bars" }, rows.map(([name, count]) => {
    const fill = el("div", { class: "fill" });
    fill.style.width = `${(count / most) * 100}%`;
    const head = el("div", { class: "bar-head" }, el("span", {}, f.spaced(name)), el("span", {}, f.quantity(count)));
    return el("div", {}, head, el("div", { class: "track" }, fill));
  })) : el("p", { class: "empty" }, "Nothing was left out."));
}

startTopbar();
startLive(["status", "universe"]);
