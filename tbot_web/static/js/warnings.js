// What an owner must know before trusting the bot, whatever it does at the moment: recovery key, backups, drill, audit, second factor.
import { byId, el } from "./dom.js";
import * as f from "./format.js";
import { age } from "./live.js";

const HOUR = 3600_000;
const BACKUP_OLD = 36 * HOUR;
const DRILL_OLD = 8 * 24 * HOUR;

const since = (iso) => (f.instant(iso) === null ? null : Date.now() - f.instant(iso));
const ago = (ms) => `${f.duration(ms / 1000)} ago`;

/** [kind, words, page] each; kind "bad" is worse than "". What is not known warns of nothing; a silent runner does. */
function warningsNow(part, backups, own) {
  const system = part?.body;
  return [...runner(part), ...audit(system), ...recovery(system), ...stored(system, backups), ...drill(backups), ...secondFactor(system, own)];
}

function runner(part) {
  if (part?.stale) {
    const words = "Logins, settings, keys and the audit log wait for it; Stop and Kill do not. A damaged audit log or a wrong key stops it: its own log says which.";
    return [["bad", `The provisioning runner has been silent for ${f.duration(age(part))}. ${words}`]];
  }
  return part?.body.problem ? [["bad", `The stored settings cannot be used: ${part.body.problem}`]] : [];
}

function audit(system) {
  if (!system?.audit?.problem) return [];
  return [["bad", `The audit log is damaged: ${system.audit.problem}. Copy storage/audit aside, then look at it.`, "audit"]];
}

function recovery(system) {
  if (system?.recovery !== "") return [];
  return [[system.paper ? "" : "bad", "There is no recovery key, so no backup is made: what is lost cannot be brought back.", "recovery"]];
}

function stored(system, backups) {
  if (!system?.recovery || !backups) return [];
  const rows = [];
  const age = since(backups.last_ok_at);
  if (age === null) rows.push(["", "No backup has been made yet.", "backups"]);
  else if (age > BACKUP_OLD) rows.push(["bad", `The last good backup was made ${ago(age)}.`, "backups"]);
  if (backups.error) rows.push(["bad", `The last backup failed: ${backups.error}`, "backups"]);
  if (backups.offsite?.target && backups.offsite.error) rows.push(["", `The off-site copy failed: ${backups.offsite.error}`, "backups"]);
  return rows;
}

function drill(backups) {
  const last = backups?.drill;
  const age = since(last?.at);
  if (age === null) return [];
  if (!last.ok) return [["bad", `The restore drill failed ${ago(age)}: the newest backup cannot be trusted.`, "backups"]];
  return age > DRILL_OLD ? [["", `The last restore drill was ${ago(age)}; it is due every week.`, "backups"]] : [];
}

function secondFactor(system, own) {
  if (system?.paper !== false || own !== "no") return [];
  return [["", "Real money is at stake and your login has no authenticator app.", "account"]];
}

export function drawWarnings(system, backups) {
  const strip = byId("warnings");
  const rows = warningsNow(system, backups?.body, strip.dataset.totp);
  strip.hidden = rows.length === 0;
  const key = JSON.stringify(rows.map(([kind, words, page]) => [kind, words.replace(/\d+ (s|min)\b/g, ""), page]));
  if (strip.dataset.key === key) return;
  strip.dataset.key = key;
  strip.replaceChildren(el("ul", {}, rows.map(([kind, words, page]) => {
    const link = page && strip.dataset[page] && el("a", { href: strip.dataset[page] }, "Look");
    return el("li", { class: kind }, el("span", {}, words, " "), link);
  })));
}
