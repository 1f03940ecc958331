// Entries that wait for a trader's word: what each is, how long the offer stands on the market's clock, and one button.
import { byId, el, say } from "./dom.js";
import * as f from "./format.js";
import { body, facts, onFacts, post } from "./live.js";
import { announce, marketNow } from "./topbar.js";

const host = byId("confirmations");
const MAY = host?.dataset.may === "yes";
const shown = new Map();

export function startOffers() {
  if (!host) return;
  onFacts((_facts, changed) => { if (changed.has("status")) draw(); });
  setInterval(tick, 250);
}

/** One node an offer for as long as it stands: a button must not be swapped under a finger. */
function draw() {
  const offers = body("status")?.confirmations ?? [];
  const standing = new Set(offers.map((offer) => offer.client_id));
  for (const [id, view] of shown) {
    if (standing.has(id)) continue;
    view.node.remove();
    shown.delete(id);
  }
  for (const offer of offers) if (!shown.has(offer.client_id)) add(offer);
  host.hidden = shown.size === 0;
  const whose = MAY ? "your word" : "a trader's word";
  say(byId("confirmations-title"), shown.size === 1 ? `One entry waits for ${whose}` : `${shown.size} entries wait for ${whose}`);
  tick();
}

function add(offer) {
  const words = `${String(offer.strategy).toUpperCase()} would ${offer.side} ${offer.symbol} for ${f.money(offer.value)}`;
  const left = el("span", { class: "left" });
  const answer = el("p", { class: "answer", role: "status" });
  const button = el("button", { type: "button", class: "first", "aria-label": `Confirm: ${words}` }, "Confirm");
  const view = { offer, left, answer, button, sent: false };
  button.addEventListener("click", () => confirm(view));
  const act = MAY ? button : el("span", { class: "dim" }, "A trader or an admin can confirm it.");
  view.node = el("li", { "data-id": offer.client_id },
    el("div", {}, el("b", {}, words), offer.reason && el("p", {}, offer.reason), el("p", { class: "dim" }, left), answer), act);
  shown.set(offer.client_id, view);
  host.querySelector("[data-body]").append(view.node);
}

function tick() {
  const now = marketNow(), silent = facts.parts.status?.stale || facts.cut !== null;
  for (const { offer, left, button, sent } of shown.values()) {
    const until = f.instant(offer.until);
    const seconds = until === null || now === null ? null : (until - now) / 1000;
    const over = seconds !== null && seconds <= 0;
    say(left, standing(offer, seconds, silent));
    button.disabled = sent || over || Boolean(silent);
  }
}

function standing({ until }, seconds, silent) {
  if (silent) return "— The strategy runtime cannot be heard; whether the offer still stands is not known.";
  if (seconds === null) return "— How long it stands is not known.";
  if (seconds <= 0) return "The offer has run out; nothing is sent.";
  return `Stands for ${f.duration(seconds)} of market time, until ${f.exchangeTime(until)} New York.`;
}

async function confirm(view) {
  const form = new FormData();
  form.set("csrf_token", document.querySelector("input[name=csrf_token]").value);
  form.set("client_id", view.offer.client_id);
  view.sent = true;
  tick();
  let answer = { ok: false, message: "The web server did not answer; look at the orders before trying again." };
  try {
    answer = await post(host.dataset.post, form);
  } catch { /* said below */ }
  const words = answer.message ?? "No answer; nothing is known to have been sent.";
  view.sent = answer.ok;
  view.answer.textContent = words;
  view.answer.classList.toggle("fault", !answer.ok);
  announce(`${view.offer.symbol}: ${words}`, answer.ok ? "good" : "bad");
  tick();
}
