// Numbers and times as a trader reads them. Unknown is "—", never 0.
export const UNKNOWN = "—";
const MINUS = "−";

export const known = (value) => value !== null && value !== undefined && value !== "" && Number.isFinite(Number(value));

export function number(value, digits = 2) {
  if (!known(value)) return UNKNOWN;
  const text = Math.abs(Number(value)).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return (Number(value) < 0 && /[1-9]/.test(text) ? MINUS : "") + text;
}

export function money(value, digits = 2) {
  if (!known(value)) return UNKNOWN;
  const text = number(value, digits);
  return text.startsWith(MINUS) ? MINUS + "$" + text.slice(1) : "$" + text;
}

/** With an arrow and a sign, so that gain and loss differ without colour. */
export function signedMoney(value) {
  if (!known(value)) return UNKNOWN;
  const amount = Number(value);
  if (Math.abs(amount) < 0.005) return "$0.00";
  return (amount > 0 ? "▲ +" : "▼ ") + money(amount);
}

export function signedPercent(fraction) {
  if (!known(fraction)) return UNKNOWN;
  const percent = Number(fraction) * 100;
  return (percent > 0 ? "+" : "") + number(percent, 2) + " %";
}

export const side = (value) => (!known(value) || Number(value) === 0 ? "" : Number(value) > 0 ? "gain" : "loss");

/** Shares: as many decimals as there are, at most six. */
export function quantity(value) {
  if (!known(value)) return UNKNOWN;
  const text = Math.abs(Number(value)).toLocaleString("en-US", { maximumFractionDigits: 6 });
  return (Number(value) < 0 ? MINUS : "") + text;
}

export function compactMoney(value) {
  if (!known(value)) return UNKNOWN;
  return "$" + new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(Number(value));
}

export function compact(value) {
  if (!known(value)) return UNKNOWN;
  return new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(Number(value));
}

const zoned = (zone, options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options });
const FULL = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const SHORT = { hour: "2-digit", minute: "2-digit" };
const NEW_YORK = "America/New_York";
const nyFull = zoned(NEW_YORK, FULL), nyShort = zoned(NEW_YORK, SHORT), utcFull = zoned("UTC", FULL), utcShort = zoned("UTC", SHORT);
const nyDay = zoned(NEW_YORK, { weekday: "short", day: "numeric", month: "short" });

const at = (iso) => { const t = Date.parse(iso ?? ""); return Number.isNaN(t) ? null : t; };
export const instant = at;
export const newYork = (ms) => nyFull.format(ms);
export const newYorkShort = (ms) => nyShort.format(ms);
export const newYorkDay = (ms) => nyDay.format(ms);
export const utc = (ms) => utcFull.format(ms);
export const exchangeTime = (iso) => (at(iso) === null ? UNKNOWN : nyFull.format(at(iso)));
export const bothTimes = (iso) => (at(iso) === null ? UNKNOWN : `${nyFull.format(at(iso))} New York · ${utcFull.format(at(iso))} UTC`);
export const bothShort = (iso) => (at(iso) === null ? UNKNOWN : `${nyShort.format(at(iso))} New York, ${utcShort.format(at(iso))} UTC`);

export function duration(seconds) {
  if (!known(seconds)) return UNKNOWN;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  if (s < 86400 * 2) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(s / 86400)} days`;
}

export const spaced = (word) => String(word ?? "").replaceAll("_", " ");
