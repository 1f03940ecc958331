// The session as one line from before the open to the close: windows shaded, now, entries and exits as marks.
import { el, svg } from "./dom.js";
import * as f from "./format.js";

const LANE = 28, TOP = 22, LEFT = 64, RIGHT = 12;
const BEFORE_MS = 30 * 60e3, AFTER_MS = 10 * 60e3;

export function drawTimeline(host, status, marks, now) {
  const opens = f.instant(status?.session?.open), closes = f.instant(status?.session?.close);
  if (opens === null || closes === null || (now !== null && now < opens - BEFORE_MS)) {
    const next = opens === null ? f.bothShort(status?.next_open) : `${f.newYorkDay(opens)}, ${f.bothShort(status.session.open)}`;
    host.replaceChildren(el("p", { class: "empty" }, next === f.UNKNOWN ? "No session is published." : `No session now. The next one opens at ${next}.`));
    return;
  }
  const lanes = laneNames(status);
  const width = Math.max(320, host.clientWidth || 960), height = TOP + lanes.length * LANE + 22;
  const from = opens - BEFORE_MS, to = closes + AFTER_MS;
  const x = (ms) => LEFT + ((Math.min(Math.max(ms, from), to) - from) / (to - from)) * (width - LEFT - RIGHT);
  const box = { x, lanes, y: (name) => TOP + lanes.indexOf(name) * LANE, bottom: TOP + lanes.length * LANE, width };
  const picture = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words(status) },
    svg("rect", { class: "w-session", x: x(opens), y: TOP, width: x(closes) - x(opens), height: box.bottom - TOP }),
    hours(box, opens, closes), status.windows.map((w) => windowBars(box, w, status)), status.skipped.map((s) => skipped(box, s, x(opens))),
    limits(box, status, now), marks.map((m) => mark(box, m)));
  const blocked = status.windows.filter((w) => w.blocked)
    .map((w) => el("p", { class: "empty" }, `${w.strategy.toUpperCase()} enters nothing: ${w.blocked}`));
  host.replaceChildren(picture, key(), ...blocked);
}

function laneNames(status) {
  const named = [...status.windows.map((w) => w.strategy), ...status.skipped.map((s) => s.strategy)];
  return named.length ? [...new Set(named)] : ["session"];
}

function hours(box, opens, closes) {
  const step = (box.width < 560 ? 2 : 1) * 3600e3;
  const ticks = [opens];
  for (let t = Math.ceil((opens + 1) / step) * step; t < closes - step / 3; t += step) if (t - opens > step / 3) ticks.push(t);
  ticks.push(closes);
  return ticks.map((t) => [
    svg("line", { class: "grid-line", x1: box.x(t), x2: box.x(t), y1: TOP, y2: box.bottom }),
    svg("text", { x: box.x(t), y: box.bottom + 15, "text-anchor": "middle" }, f.newYorkShort(t)),
  ]).concat(box.lanes.map((name) => svg("text", { class: "strong", x: 16, y: box.y(name) + LANE / 2 + 4 }, name.toUpperCase())));
}

function windowBars(box, w, status) {
  const at = [w.start, w.analysis_end, w.breakout_end].map(f.instant);
  if (at.includes(null)) return [];
  const end = f.instant(w.monitoring_end) ?? f.instant(status.flat_by) ?? f.instant(status.session.close);
  const place = (a, b) => ({ x: box.x(a), y: box.y(w.strategy) + 5, width: Math.max(1, box.x(b) - box.x(a)), height: LANE - 10 });
  const bar = (kind, a, b) => svg("rect", { class: `w-${kind}`, ...place(a, b) },
    svg("title", {}, `${w.strategy.toUpperCase()} ${kind} ${f.newYorkShort(a)} to ${f.newYorkShort(b)}`));
  return [bar("monitoring", at[2], Math.max(end, at[2])), bar("analysis", at[0], at[1]), bar("breakout", at[1], at[2])];
}

const skipped = (box, s, from) => svg("text", { x: from + 8, y: box.y(s.strategy) + LANE / 2 + 4 }, `not today: ${s.reason}`);

function limits(box, status, now) {
  const flat = f.instant(status.flat_by);
  const across = (ms, above) => ({ x1: box.x(ms), x2: box.x(ms), y1: TOP - above, y2: box.bottom });
  const lines = [
    flat !== null && svg("line", { class: "flat-line", ...across(flat, 4) }, svg("title", {}, `All flat by ${f.newYorkShort(flat)}`)),
  ];
  if (now !== null) {
    const at = { x: Math.min(Math.max(box.x(now), LEFT), box.width - 40), y: 12, "text-anchor": "middle" };
    lines.push(svg("line", { class: "now-line", ...across(now, 6) }), svg("text", { class: "strong", ...at }, `now ${f.newYorkShort(now)}`));
  }
  return lines;
}

function mark(box, m) {
  if (!box.lanes.includes(m.strategy) || m.at === null) return null;
  const x = box.x(m.at), y = box.y(m.strategy) + LANE / 2;
  const loss = m.pnl < 0;
  const entry = { class: "mark-entry", d: `M${x - 4} ${y - 5}l8 5-8 5z` };
  const exit = { class: loss ? "mark-loss" : "mark-gain", d: loss ? `M${x - 5} ${y - 4}h10l-5 9z` : `M${x - 5} ${y + 4}h10l-5-9z` };
  return svg("path", m.kind === "entry" ? entry : exit, svg("title", {}, m.words));
}

const KEY = [["k-analysis", "analysis"], ["k-breakout", "breakout: entries"], ["k-monitoring", "monitoring: exits"],
  ["", "▷ entry"], ["", "▲ exit with gain"], ["", "▼ exit with loss"], ["", "times of New York"]];
const key = () => el("p", { class: "key" }, KEY.map(([kind, name]) => el("span", {}, kind && el("i", { class: kind }), name)));

function words(status) {
  const times = (w) => `${w.strategy}: analysis from ${f.exchangeTime(w.start)}, `
    + `breakout from ${f.exchangeTime(w.analysis_end)} to ${f.exchangeTime(w.breakout_end)}, now ${w.phase}`;
  return status.windows.map(times).join("; ") || "No window today";
}
