// Equity over the day as a line against where it opened; the same time axis as the session above it.
import { el, svg } from "./dom.js";
import * as f from "./format.js";

const HEIGHT = 180, LEFT = 16, RIGHT = 76, TOP = 12, BOTTOM = 24;

export function drawEquity(host, account, status) {
  const points = (account?.series ?? []).map(([iso, value]) => [f.instant(iso), Number(value)])
    .filter(([t, v]) => t !== null && Number.isFinite(v));
  const tiles = el("dl", { class: "tiles" },
    tile("Equity", f.money(account?.equity), "large"), tile("Day", change(account), f.side(account?.day_pnl)),
    tile("Cash", f.money(account?.cash)), tile("Buying power", f.money(account?.buying_power)));
  const none = () => el("p", { class: "empty" }, "The line begins with the second value of the session.");
  host.replaceChildren(tiles, points.length > 1 ? picture(host, points, account, status) : none());
}

const tile = (name, value, kind) => el("div", {}, el("dt", {}, name), el("dd", { class: kind }, value));

const change = (account) => (f.known(account?.day_pnl) ? `${f.signedMoney(account.day_pnl)} (${f.signedPercent(account.day_pnl_pct)})` : f.UNKNOWN);

function picture(host, points, account, status) {
  const width = Math.max(300, host.clientWidth || 600);
  const opens = f.instant(status?.session?.open) ?? points[0][0];
  const from = Math.min(opens, points[0][0]), to = Math.max(f.instant(status?.session?.close) ?? 0, points.at(-1)[0]);
  const base = Number(status?.opening_equity ?? account.last_equity);
  const values = points.map(([, v]) => v).concat(Number.isFinite(base) ? [base] : []);
  const low = Math.min(...values), high = Math.max(...values), pad = Math.max((high - low) * 0.1, high * 0.00005, 0.01);
  const x = (t) => LEFT + ((t - from) / Math.max(1, to - from)) * (width - LEFT - RIGHT);
  const y = (v) => TOP + ((high + pad - v) / (high - low + 2 * pad)) * (HEIGHT - TOP - BOTTOM);
  const [lastAt, last] = points.at(-1);
  const words = `Equity from ${f.money(points[0][1])} to ${f.money(last)}; lowest ${f.money(low)}, highest ${f.money(high)}`;
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": words },
    [low, high].map((v) => [svg("line", { class: "grid-line", x1: LEFT, x2: width - RIGHT, y1: y(v), y2: y(v) }), label(width, y(v), v, y(last))]),
    Number.isFinite(base) && [
      svg("line", { class: "base-line", x1: LEFT, x2: width - RIGHT, y1: y(base), y2: y(base) },
        svg("title", {}, `Opening equity ${f.money(base)}`)),
      svg("text", { x: width - RIGHT - 4, y: y(base) - 5, "text-anchor": "end" }, "at the open")],
    svg("path", { class: "equity-line", d: points.map(([t, v], i) => `${i ? "L" : "M"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join("") }),
    svg("circle", { cx: x(lastAt), cy: y(last), r: 3.5, class: "mark-entry" }),
    svg("text", { class: "strong", x: width - RIGHT + 6, y: y(last) + 4 }, f.money(last, 0)),
    [from, to].map((t, i) => svg("text", { x: x(t), y: HEIGHT - 6, "text-anchor": i ? "end" : "start" }, f.newYorkShort(t))));
}

/** Bounds are labelled unless the last value's label would cover them. */
const label = (width, at, value, taken) => (Math.abs(at - taken) < 14 ? null : svg("text", { x: width - RIGHT + 6, y: at + 4 }, f.money(value, 0)));
