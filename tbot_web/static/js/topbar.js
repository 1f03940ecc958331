// The bar on every page: state, mode, clocks on market time, data age, day P&L, Kill, and what is wrong with the line.
import { byId, el, say } from "./dom.js";
import * as f from "./format.js";
import { age, body, facts, onFacts, post } from "./live.js";

const SHAPES = {
  circle: "M6 1a5 5 0 1 0 .01 0z",
  triangle: "M2 1l9 5-9 5z",
  diamond: "M6 0l6 6-6 6-6-6z",
  square: "M1.5 1.5h9v9h-9z",
  octagon: "M3.8 .5h4.4l3.3 3.3v4.4l-3.3 3.3H3.8L.5 8.2V3.8z",
  cross: "M1 3l2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z",
};
const LOOK = {
  idle: ["calm", "circle"], analyzing: ["armed", "circle"], trading: ["armed", "triangle"], monitoring: ["armed", "diamond"],
  updating: ["armed", "square"], graceful_closing_positions: ["busy", "square"], emergency_closing_positions: ["bad", "octagon"],
  shutdown: ["calm", "square"], shutdown_triggered: ["bad", "octagon"], error: ["bad", "cross"],
};
const DASHBOARD = new Set(["idle", "analyzing", "trading", "monitoring", "updating"]);
const HOLD_MS = 1000;
const NEAR_S = 24 * 3600;
const STAY_MS = 10_000;
const bar = byId("topbar");
const notices = byId("notice");
let said = null;
let stayed = performance.now();

/** The market's instant in ms: the last published one, moved on at the market's speed; null when not known. */
export function marketNow() {
  const status = facts.parts.status;
  const base = f.instant(status?.body.market_now);
  if (base === null || !status) return null;
  const speed = f.known(status.body.speed) ? Number(status.body.speed) : 1;
  return base + (status.stale ? 0 : Math.max(0, age(status))) * 1000 * speed;
}

export function startTopbar() {
  onFacts(draw);
  setInterval(tick, 250);
  holdToKill();
  document.querySelector(".rail a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, stay, { passive: true });
  document.querySelectorAll("form[data-act]").forEach((form) => form.addEventListener("submit", act));
  document.addEventListener("click", (event) => {
    const menu = document.querySelector("details.user[open]");
    if (menu && !menu.contains(event.target)) menu.open = false;
  });
}

function draw() {
  const word = facts.head?.state ?? "unknown";
  if ("follow" in bar.dataset && facts.head && kindOfPage(word) !== kindOfPage(bar.dataset.state)) location.assign("/");
  const [kind, shape] = LOOK[word] ?? ["bad", "cross"];
  const state = byId("state");
  state.dataset.kind = kind;
  state.querySelector("path").setAttribute("d", SHAPES[shape]);
  say(state.querySelector(".state-word"), f.spaced(word));
  const status = body("status");
  const mode = byId("mode");
  mode.dataset.mode = status?.mode ?? "unknown";
  say(mode, status?.mode ?? "mode —");
  mode.title = status ? `Orders go to ${status.broker}` : "The strategy runtime has not said where orders go";
  dayPnl(status);
  tick();
}

/** Dashboard, halted (by its state) or setup: a change means another page. */
function kindOfPage(word) {
  return DASHBOARD.has(word) ? "dashboard" : word;
}

function dayPnl(status) {
  const node = byId("day-pnl");
  const value = facts.parts.status?.stale ? null : status?.day_pnl;
  say(node, f.signedMoney(value), true);
  node.className = f.side(value);
  if (f.known(value)) node.title = `Realised and unrealised, after fees, at ${f.bothTimes(status.market_now)}`;
  else if (facts.parts.status?.stale) node.title = "Not known now: the strategy runtime is silent";
  else node.title = status?.why || "The strategy runtime has not published it";
}

function tick() {
  const now = marketNow();
  const status = body("status");
  const speed = Number(status?.speed ?? 1);
  say(byId("clock-ny"), now === null ? f.UNKNOWN : f.newYork(now));
  say(byId("clock-utc"), now === null ? f.UNKNOWN : f.utc(now));
  const pace = speed === 1 ? "" : `, ${speed} times as fast as the wall clock`;
  byId("clock-ny").title = now === null ? "No market time published" : `${f.newYorkDay(now)}, market time${pace}`;
  document.querySelector(".facts").classList.toggle("stale", Boolean(facts.parts.status?.stale) || facts.cut !== null);
  session(status, now);
  dataAge(status);
  troubles();
}

function session(status, now) {
  const [label, value] = untilNext(status, now);
  say(byId("session-label"), label);
  say(byId("session-left"), value);
}

function untilNext(status, now) {
  if (now === null) return ["Session", f.UNKNOWN];
  const opens = f.instant(status.session?.open), closes = f.instant(status.session?.close);
  const fast = Number(status.speed ?? 1) === 1 ? "" : ` ×${Number(status.speed)}`;
  if (opens !== null && now < opens) return [`Opens in${fast}`, f.duration((opens - now) / 1000)];
  if (closes !== null && now < closes) return [`Closes in${fast}`, f.duration((closes - now) / 1000)];
  const next = f.instant(status.next_open);
  if (next === null || next < now) return ["Session", "closed"];
  return [`Opens in${fast}`, (next - now) / 1000 < NEAR_S ? f.duration((next - now) / 1000) : f.newYorkDay(next)];
}

function dataAge(status) {
  const part = facts.parts.status;
  const node = byId("data-age");
  const value = part && f.known(status?.data_age_s) ? Number(status.data_age_s) + (part.stale ? age(part) : 0) : null;
  say(node, value === null ? f.UNKNOWN : value < 10 ? `${value.toFixed(1)} s` : f.duration(value));
  node.title = value === null ? "No market data has arrived, or none is expected now" : "Since the newest quote or bar arrived";
}

const WRITERS = { bot: "strategy runtime", runner: "provisioning runner", universe: "universe worker", backtest: "backtest worker", backup: "backup process" };

/** What is wrong with the line, the bot or its books, and what was asked for and not yet done: [kind, words] each. */
function troublesNow() {
  const pending = facts.head?.pending ?? {};
  const status = facts.parts.status;
  const silent = status?.stale ? " It is silent: close positions at the broker's own site if this stays." : "";
  const rows = [...lineTroubles(), ...botTroubles(status)];
  if (pending.kill) rows.push(["bad", [`Kill was asked for; the bot has not taken it up yet.${silent}`]]);
  if (pending.start) rows.push(["", ["Start was accepted; the bot has not taken it up yet."]]);
  if (pending.stop && !pending.kill) rows.push(["", ["Stop was asked for; the bot has not taken it up yet."]]);
  if (said) rows.push([said.kind, [said.words]]);
  return rows;
}

function lineTroubles() {
  if (facts.ended) {
    const link = el("a", { href: `${bar.dataset.login}?next=${encodeURIComponent(location.pathname + location.search)}&ended=1` }, "Log in again");
    return [["bad", ["Your login has ended; what you see no longer changes. ", link]]];
  }
  if (facts.cut === null) return [];
  const since = f.duration((performance.now() - facts.cut) / 1000);
  return [["bad", [`The web server has not answered for ${since}. Trading goes on in other processes; what you see is old.`]]];
}

function botTroubles(status) {
  if (!status) return facts.head ? [["", ["The strategy runtime has published nothing yet. Positions, P&L and orders are not known here."]]] : [];
  if (status.stale) {
    const words = "What it knew last is shown in grey; stops that rest at the broker still work.";
    return [["bad", [`The strategy runtime has not written for ${f.duration(age(status))}. ${words}`]]];
  }
  const { reconciled, confirmations } = status.body;
  const rows = [];
  if (confirmations?.length && !byId("confirmations")) {
    rows.push(["", [`${confirmations.length === 1 ? "An entry waits" : `${confirmations.length} entries wait`} for a trader's word. `,
      el("a", { href: "/" }, "Look on Today")]]);
  }
  if (reconciled?.clean === false) {
    rows.push(["bad", [`Orders and positions differ from the broker's: ${reconciled.why}. New entries are blocked.`]]);
  }
  return rows;
}

function troubles() {
  const rows = troublesNow();
  const key = rows.map(([kind, words]) => kind + words.map((w) => w.textContent ?? w).join("")).join("|");
  if (notices.dataset.key === key) return;
  notices.dataset.key = key;
  notices.replaceChildren(...rows.map(([kind, words]) => el("p", { class: kind }, words)));
}

export const writerName = (writer) => WRITERS[writer] ?? writer;

/** A message that stays until the next one; an error never vanishes by itself. */
export function announce(words, kind = "") {
  const mine = { words, kind };
  said = mine;
  troubles();
  if (kind === "good") setTimeout(() => { if (said === mine) { said = null; troubles(); } }, 8000);
}

/** Someone is here: the login's idle clock starts anew, told every ten seconds at most. Polling alone does not keep it. */
function stay() {
  if (facts.ended || performance.now() - stayed < STAY_MS) return;
  stayed = performance.now();
  const form = new FormData();
  form.set("csrf_token", document.querySelector("input[name=csrf_token]").value);
  post(bar.dataset.touch, form).catch(() => {});
}

async function act(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await post(form.action, new FormData(form));
    announce(answer.message ?? "No answer; nothing is known to have changed.", answer.ok ? "good" : "bad");
  } catch {
    announce("The web server did not answer. Look at the state before trying again.", "bad");
  } finally {
    button.disabled = false;
  }
}

function holdToKill() {
  const link = byId("kill");
  let timer = null, fired = false;
  const begin = () => {
    if (timer) return;
    fired = false;
    link.classList.add("holding");
    timer = setTimeout(() => { fired = true; end(); kill(link); }, HOLD_MS);
  };
  const end = () => { clearTimeout(timer); timer = null; link.classList.remove("holding"); };
  link.addEventListener("pointerdown", (e) => { if (e.button === 0) begin(); });
  for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"]) link.addEventListener(name, end);
  link.addEventListener("click", (e) => { if (fired) e.preventDefault(); });
  link.addEventListener("dragstart", (e) => e.preventDefault());
  link.addEventListener("contextmenu", (e) => e.preventDefault());
  link.addEventListener("keydown", (e) => { if (e.key === " ") { e.preventDefault(); begin(); } });
  link.addEventListener("keyup", (e) => { if (e.key === " ") { e.preventDefault(); end(); } });
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey && e.altKey && e.code === "KeyK" && !e.repeat) { e.preventDefault(); kill(link); }
  });
}

async function kill(link) {
  const form = new FormData();
  form.set("csrf_token", document.querySelector("input[name=csrf_token]").value);
  form.set("why", "Kill on the web page");
  announce("Kill is being asked for…", "bad");
  try {
    const answer = await post(link.dataset.post, form);
    announce(answer.ok ? answer.message : `${answer.message ?? "Kill was not accepted."} From a shell: touch control/requests/control_kill.flag`, "bad");
  } catch {
    announce("The web server did not answer. From a shell: touch control/requests/control_kill.flag", "bad");
  }
}
