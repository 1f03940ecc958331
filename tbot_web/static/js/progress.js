// Follows the published steps until they are done, then goes where the server says.
const box = document.getElementById("progress");
const list = box.querySelector(".steps");
const words = document.getElementById("progress-words");
let sinceCut = null;

function item(step) {
  const li = document.createElement("li");
  li.className = "step";
  li.dataset.status = step.status;
  const add = (tag, cls, text) => { const n = document.createElement(tag); n.className = cls; n.textContent = text; li.append(n); };
  add("span", "step-mark", "");
  add("span", "step-title", step.title);
  add("span", "step-status", step.status);
  if (step.why) add("p", "step-why", step.why);
  if (step.fix) add("p", "step-fix", step.fix);
  return li;
}

async function follow() {
  try {
    const answer = await fetch(box.dataset.facts, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (answer.status === 401 || answer.status === 403) return location.assign("/");
    const facts = await answer.json();
    sinceCut = null;
    if (facts.steps.length) list.replaceChildren(...facts.steps.map(item));
    if (facts.next) {
      try { sessionStorage.removeItem("tbot-typed"); } catch { /* private mode */ }
      return location.assign(facts.next);
    }
    if (facts.failed) {
      words.textContent = "What had been done was undone. Nothing half-finished is left; your settings are kept in the form.";
      if (!document.querySelector("main > p > .button")) {
        const p = document.createElement("p"), a = document.createElement("a");
        a.className = "button first";
        a.href = box.dataset.form;
        a.textContent = "Back to the settings";
        p.append(a);
        box.after(p);
      }
    } else {
      words.textContent = facts.stale ? "The provisioning runner is silent at the moment; it continues by itself when it is back." : "";
    }
  } catch {
    sinceCut ??= performance.now();
    words.textContent = `The web server has not answered for ${Math.round((performance.now() - sinceCut) / 1000)} s.`;
  }
  setTimeout(follow, 300);
  return undefined;
}

follow();
