// The Today page's lists: risk against limits, what happened, health of each part.
import { el } from "./dom.js";
import * as f from "./format.js";
import { age } from "./live.js";

const NEAR = 0.8;
const SHOWN_LINES = 120;
const LOUD = new Set(["warning", "error", "critical"]);
const LIMIT_NAMES = {
  DAILY_LOSS_LIMIT: "Loss today", MAX_OPEN_POSITIONS: "Open positions", MAX_TRADES: "Trades today",
  MAX_EXPOSURE: "Exposure", MAX_DAILY_NOTIONAL: "Volume today",
};

export function drawRisk(host, status) {
  const rows = status.limits ?? [];
  const bars = rows.map((row) => bar(row));
  if (status.tripped) bars.unshift(el("p", { class: "fault" }, `The kill switch has tripped for this session: ${status.tripped}`));
  host.replaceChildren(bars.length ? el("div", { class: "bars" }, bars) : el("p", { class: "empty" }, "No limit is published."));
}

function bar({ name, used, limit, unit, setting }) {
  const share = f.known(used) && Number(limit) > 0 ? Number(used) / Number(limit) : null;
  const words = `${share === null ? "— (not known)" : amount(used, unit)} of ${amount(limit, unit)}`;
  const level = share === null || share < NEAR ? "" : share < 1 ? " near" : " over";
  const fill = el("div", { class: `fill${level}` });
  fill.style.width = `${Math.min(100, Math.max(0, (share ?? 0) * 100))}%`;
  const meter = {
    class: "track", role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": f.known(limit) ? limit : 0,
    "aria-valuenow": share === null ? undefined : used, "aria-valuetext": words,
  };
  const label = el("span", {}, LIMIT_NAMES[name] ?? f.spaced(name), setting && el("small", {}, " ", el("code", {}, setting)));
  return el("div", {}, el("div", { class: "bar-head" }, label, el("span", {}, words)), el("div", meter, fill));
}

function amount(value, unit) {
  if (!f.known(value)) return f.UNKNOWN;
  if (unit === "USD") return f.money(value, 0);
  if (unit === "fraction") return f.number(Number(value) * 100, 1) + " %";
  return f.quantity(value); // counts: the name says of what
}

/** Alerts in their words; log lines as what happened and its details, cut. An alert's own log line is left out. */
export function drawLog(host, log, alerts) {
  const rows = [
    ...(log?.lines ?? []).filter((l) => !(l.event === "alert" && alerts))
      .map((l) => ({ at: l.at, level: l.level, head: l.event, words: l.text ?? "" })),
    ...(alerts?.rows ?? []).map((a) => ({ at: a.at, level: a.level, head: a.subject, words: a.text })),
  ];
  rows.sort((a, b) => (f.instant(b.at) ?? 0) - (f.instant(a.at) ?? 0));
  const list = { class: "lines", tabindex: "0", "aria-label": "Events, newest first" };
  host.replaceChildren(rows.length ? el("ol", list, rows.slice(0, SHOWN_LINES).map(line)) : el("p", { class: "empty" }, "Nothing has happened yet."));
}

function line({ at, level, head, words }) {
  const name = String(level ?? "info").toLowerCase();
  return el("li", {}, el("time", { datetime: at, title: f.bothTimes(at) }, f.exchangeTime(at)),
    el("span", { class: "cut", title: words }, LOUD.has(name) && el("span", { class: `level ${name}` }, `${name}: `), el("b", {}, f.spaced(head)), " ", words));
}

const row = (kind, sign) => (name, words) => el("div", { class: kind },
  el("span", { class: "sign", "aria-hidden": "true" }, sign), el("b", {}, name), el("span", {}, words));
const ok = row("ok", "✓"), not = row("not", "✕"), old = row("old", "?");

export function drawHealth(host, status, parts) {
  const bot = status ? [runtime(parts.status), books(status), data(status), streams(status), vix(status), universe(status)]
    : not("Strategy runtime", "has published nothing yet");
  host.replaceChildren(el("div", { class: "health" }, bot, runner(parts.system), backups(parts.backups), (status?.units ?? []).map(unit)));
}

const streams = (status) => (status.streams ?? []).map((s) =>
  (s.connected ? ok : not)(`Stream ${s.name}`, s.words || (s.connected ? "connected" : "not connected")));
const runtime = (part) => (part.stale ? not("Strategy runtime", `silent for ${f.duration(age(part))}`) : ok("Strategy runtime", "writing"));

function books({ reconciled }) {
  if (reconciled?.clean) return ok("Reconciliation", "equal to the broker's books");
  return (reconciled?.clean === false ? not : old)("Reconciliation", reconciled?.why || "not done yet");
}

function data({ data_age_s: seconds }) {
  return f.known(seconds) ? ok("Market data", `${f.number(seconds, 1)} s old`) : old("Market data", "none received, or none expected now");
}

function vix({ vix: index }) {
  return f.known(index?.value) ? ok("VIX", `${f.number(index.value)} of ${index.session}`) : old("VIX", "not known: CLOSE may not enter");
}

function universe({ universe: known }) {
  if (!known) return old("Universe", "none loaded; it is read when a session begins");
  const built = known.built_at ? `, built ${f.bothShort(known.built_at)}` : "";
  return ok("Universe", `${f.quantity(known.count)} symbols${built}`);
}

function runner(part) {
  if (!part) return not("Provisioning runner", "has published nothing");
  const { audit, problem } = part.body;
  const silent = `silent for ${f.duration(age(part))}; Start and login wait for it, Stop and Kill do not`;
  return [
    part.stale ? not("Provisioning runner", silent) : problem ? not("Provisioning runner", problem) : ok("Provisioning runner", "writing"),
    audit?.problem ? not("Audit log", audit.problem) : audit ? ok("Audit log", `record ${f.quantity(audit.seq)}, ${String(audit.hash).slice(0, 12)}`) : old("Audit log", "its end is not published"),
  ];
}

function backups(part) {
  if (!part) return old("Backups", "the backup process has told nothing");
  const { last_ok_at: last, drill, error } = part.body;
  const told = (iso) => `${f.duration((Date.now() - f.instant(iso)) / 1000)} ago`;
  const words = [f.instant(last) === null ? "none made yet" : `last good one ${told(last)}`,
    f.instant(drill?.at) === null ? "never drilled" : `${drill.ok ? "drill held" : "drill failed"} ${told(drill.at)}`].join(", ");
  return (error || drill?.ok === false ? not : f.instant(last) === null ? old : ok)("Backups", words);
}

function unit(u) {
  const good = u.ok ?? u.alive ?? (u.state === "running" || u.state === "active");
  const since = f.known(u.age) ? `${f.duration(u.age)} ago` : "";
  return (good ? ok : not)(u.name, [u.words ?? u.state, since, u.error ?? ""].filter(Boolean).join(", "));
}
