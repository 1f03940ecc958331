// One poll a second for what changed. Keeps the last facts, knows their age, and says when the line is cut.
import { byId } from "./dom.js";

const bar = byId("topbar");
const EVERY = 1000;
const SLOWEST = 5000;

export const facts = { head: null, parts: {}, cut: null, ended: false };
const listeners = [];
let etag = "";
let wait = EVERY;

/** `act(facts, changed)`: called after each answer with the set of part names that are new. */
export const onFacts = (act) => listeners.push(act);

/** Seconds since the part was written, by the server's clock, moving on between polls. */
export function age(part) {
  return part ? part.age + (performance.now() - part.received) / 1000 : null;
}

export function body(name) {
  return facts.parts[name]?.body ?? null;
}

export function startLive(names) {
  const url = `${bar.dataset.live}?names=${names.join(",")}`;
  const poll = async () => {
    try {
      const headers = { Accept: "application/json" };
      if (etag) headers["If-None-Match"] = etag;
      const answer = await fetch(url, { headers, cache: "no-store", signal: AbortSignal.timeout(4000) });
      take(answer, answer.status === 200 ? await answer.json() : null);
    } catch {
      facts.cut ??= performance.now();
      wait = Math.min(wait * 1.5, SLOWEST);
      tell(new Set());
    }
    if (!facts.ended) setTimeout(poll, document.hidden ? SLOWEST : wait);
  };
  poll();
}

function take(answer, data) {
  if (answer.status === 401) {
    facts.ended = true;
    return tell(new Set());
  }
  if (answer.status !== 200 && answer.status !== 304) throw new Error(`status ${answer.status}`);
  facts.cut = null;
  wait = EVERY;
  etag = answer.headers.get("ETag") ?? "";
  if (!data) return tell(new Set());
  const { parts, ...head } = data;
  facts.head = head;
  for (const [name, part] of Object.entries(parts)) {
    facts.parts[name] = part ? { ...part, received: performance.now() } : null;
  }
  tell(new Set(Object.keys(parts)));
}

const tell = (changed) => listeners.forEach((act) => act(facts, changed));

/** POST a form as JSON conversation. A stale token (the web was restarted) is renewed once by itself. */
export async function post(url, form) {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await fetch(url, { method: "POST", body: new URLSearchParams(form), headers: { Accept: "application/json" } });
    const words = await answer.json().catch(() => ({}));
    if (answer.status !== 400 || words.code !== "old_form" || attempt) return { ok: answer.ok, status: answer.status, ...words };
    const fresh = await (await fetch(bar.dataset.csrf, { headers: { Accept: "application/json" } })).json();
    form.set("csrf_token", fresh.csrf);
    document.querySelectorAll("input[name=csrf_token]").forEach((input) => { input.value = fresh.csrf; });
  }
}
