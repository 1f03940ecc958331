// The settings form: what the values mean while one types, search, and sending without losing anything typed.
import { meaning, summary } from "./meaning.js";

const form = document.getElementById("configuration");
const verdict = document.getElementById("verdict");
const KEEP = "tbot-typed";
const inputs = [...form.querySelectorAll(".field input:not([type=hidden]), .field select")];
const value = (input) => (input.type === "checkbox" ? String(input.checked) : input.value);
const read = (name) => { const input = document.getElementById(name); return input ? value(input) : ""; };

// What one types
function changed(input) {
  return input.type !== "password" ? value(input).trim() !== input.dataset.default : input.value !== "";
}

function show(input) {
  const row = input.closest(".field");
  row.classList.toggle("changed", changed(input));
  const words = input.dataset.kind ? meaning(input) : { text: "" };
  const output = row.querySelector(".means");
  output.textContent = words.text;
  output.classList.toggle("fault", Boolean(words.wrong));
}

function counts() {
  for (const group of form.querySelectorAll("details.group")) {
    const n = group.querySelectorAll(".field.changed").length;
    group.querySelector("[data-changed]").textContent = n ? `${n} changed` : "";
    const wrong = group.querySelectorAll(".field.wrong").length;
    group.querySelector("[data-faults]").textContent = wrong ? `${wrong} to correct` : "";
  }
  document.getElementById("summary").textContent = summary(read);
}

form.addEventListener("input", (event) => {
  if (!inputs.includes(event.target)) return;
  show(event.target);
  counts();
});

// Search
const find = document.getElementById("find");
const before = new Map();
find.addEventListener("input", () => {
  const query = find.value.trim().toLowerCase();
  const rows = [...form.querySelectorAll(".field")];
  for (const row of rows) row.hidden = Boolean(query) && !row.dataset.find.includes(query);
  for (const box of form.querySelectorAll("fieldset, details")) {
    if (!before.has(box) && box.tagName === "DETAILS") before.set(box, box.open);
    const hit = Boolean(box.querySelector(".field:not([hidden])"));
    box.hidden = Boolean(query) && !hit;
    if (box.tagName === "DETAILS") box.open = query ? hit : before.get(box);
  }
  if (!query) before.clear();
  const n = rows.filter((row) => !row.hidden).length;
  document.getElementById("found").textContent = query ? `${n} found` : "";
});
find.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });

// Going to a field unfolds what hides it
function reveal(name) {
  const input = document.getElementById(name);
  if (!input || !form.contains(input)) return;
  for (let box = input.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  input.scrollIntoView({ block: "center" });
  input.focus({ preventScroll: true });
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("#verdict a[href^='#']");
  if (link) { event.preventDefault(); reveal(link.hash.slice(1)); }
});
if (location.hash) reveal(location.hash.slice(1));

// Sending: the answer's faults are taken over into this page, so that everything typed stays, secrets too
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const target = event.submitter?.formAction || form.action;
  const buttons = form.querySelectorAll("button");
  buttons.forEach((b) => { b.disabled = true; });
  keep();
  try {
    const answer = await fetch(target, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/html" } });
    if (answer.redirected) { location.assign(answer.url); return; }
    takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"), answer.status);
  } catch {
    tell("The web server did not answer. Nothing typed is lost; try again in a moment.");
  } finally {
    buttons.forEach((b) => { b.disabled = false; });
  }
});

function takeOver(page, status) {
  const token = page.querySelector("input[name=csrf_token]");
  if (token) form.querySelector("input[name=csrf_token]").value = token.value;
  const news = page.getElementById("verdict");
  if (!news) { tell(page.querySelector("main .lead")?.textContent ?? `The web server answered with status ${status}.`); return; }
  news.querySelector("[data-retype]")?.remove();
  verdict.replaceChildren(...news.childNodes);
  for (const row of form.querySelectorAll(".field")) {
    const fresh = page.getElementById(row.id);
    const wrong = Boolean(fresh?.classList.contains("wrong"));
    row.classList.toggle("wrong", wrong);
    row.querySelector(".faults").replaceChildren(...(fresh?.querySelector(".faults").childNodes ?? []));
    const input = row.querySelector("input:not([type=hidden]), select");
    if (wrong) {
      input.setAttribute("aria-invalid", "true");
      for (let box = row.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    } else input.removeAttribute("aria-invalid");
  }
  counts();
  scrollTo({ top: 0 });
  verdict.querySelector("[data-focus]")?.focus();
}

function tell(words) {
  const box = document.createElement("div");
  box.className = "banner bad";
  box.setAttribute("role", "alert");
  box.tabIndex = -1;
  box.textContent = words;
  verdict.replaceChildren(box);
  scrollTo({ top: 0 });
  box.focus();
}

// A saving that failed leads back here: what was typed comes back, secrets excepted. Settings in use are otherwise shown as stored
function keep() {
  const typed = inputs.filter((i) => i.type !== "password").map((i) => [i.id, value(i)]);
  try { sessionStorage.setItem(KEEP, JSON.stringify(typed)); } catch { /* private mode */ }
}

function restore() {
  const back = "firstRun" in form.dataset || new URLSearchParams(location.search).has("again");
  if (!back || verdict.querySelector("[data-focus]")) return;
  let typed = [];
  try { typed = JSON.parse(sessionStorage.getItem(KEEP) ?? "[]"); } catch { /* private mode */ }
  for (const [id, text] of typed) {
    const input = document.getElementById(id);
    if (!inputs.includes(input)) continue;
    if (input.type === "checkbox") input.checked = text === "true";
    else input.value = text;
  }
}

restore();
inputs.forEach(show);
counts();
