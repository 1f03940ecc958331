// What a value means in plain words, and the sentence that sums the settings up. The runner alone decides what is valid.
const PAPER_EQUITY = 100000;
const BIG = [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]];

export function meaning(input) {
  const text = input.value.trim();
  if (text === "") return { text: "required" in input && input.required ? "needed" : "", wrong: input.required };
  if (input.dataset.kind === "number") return ofNumber(text, input);
  if (input.dataset.pattern && !new RegExp(`^(?:${input.dataset.pattern})$`, "u").test(text)) return { text: "not in the expected form", wrong: true };
  return { text: "" };
}

function ofNumber(text, { dataset }) {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return { text: "not a number", wrong: true };
  const n = Number(text);
  const tooLow = dataset.low !== "" && (n < Number(dataset.low) || ("lowOpen" in dataset && n === Number(dataset.low)));
  if (tooLow) return { text: `too small: ${"lowOpen" in dataset ? "more than" : "from"} ${dataset.low}`, wrong: true };
  if (dataset.high !== "" && n > Number(dataset.high)) return { text: `too large: at most ${dataset.high}`, wrong: true };
  return { text: inWords(n, dataset.unit) };
}

function inWords(n, unit) {
  if (unit.startsWith("fraction")) return `= ${trim(n * 100)} %`;
  const big = BIG.find(([size]) => n >= size);
  if (big) return `= ${unit === "USD" ? "$" : ""}${trim(n / big[0])} ${big[1]}`;
  if (unit === "s" && n >= 120) return `= ${trim(n / 60)} min`;
  return "";
}

const trim = (n) => String(Number(n.toFixed(4)));
const dollars = (n) => "$" + n.toLocaleString("en-US", { maximumFractionDigits: n < 100 ? 2 : 0 });

/** "Will trade at most 4 positions a window …", from the text of the settings; says so when they make no sense yet. */
export function summary(read) {
  if (read("DISABLE_ALL_TRADES") === "true") return "Will watch and rank, but place no order: all trading is blocked.";
  const allocation = Number(read("TOTAL_ALLOCATION")), loss = Number(read("DAILY_LOSS_LIMIT"));
  const trades = Number(read("MAX_TRADES")), cap = Number(read("MAX_RISK_PER_TRADE"));
  const weights = read("WEIGHTS").split(",").map((w) => Number(w.trim() || "x"));
  const numbers = [allocation, loss, trades, cap, ...weights];
  if (numbers.some((n) => !Number.isFinite(n) || n <= 0)) return "The sum-up returns when capital, weights, trades and loss limit are numbers above 0.";
  const on = ["OPEN", "MID", "CLOSE"].filter((name) => read(`STRAT_${name}_ENABLED`) === "true");
  const only = read("STRATEGY_OVERRIDE").toUpperCase();
  const names = only ? on.filter((name) => name === only) : on;
  if (!names.length) return "Will not trade: no strategy is on.";
  const largest = Math.min(Math.max(...weights) * allocation, cap) * PAPER_EQUITY;
  const broker = read("BROKER_NAME");
  const url = read("BROKER_URL").trim();
  const real = broker !== "PAPER" && url !== "" && !/^https?:\/\/(paper-api\.|localhost|127\.0\.0\.1|\[::1\])/i.test(url);
  const place = real ? `WITH REAL MONEY, through ${broker}` : `Through ${broker}'s paper account`;
  const where = broker === "PAPER" ? "On the built-in paper exchange" : place;
  const positions = `${trades} position${trades === 1 ? "" : "s"} a window of up to ${dollars(largest)} each (${names.join(", ")})`;
  const known = broker === "PAPER" ? ", what the paper exchange starts with" : "; your account's own equity counts";
  const assumed = `Assumes ${dollars(PAPER_EQUITY)} of equity${known}.`;
  return `${where}, will trade at most ${positions}, and stops for the day at −${dollars(loss * PAPER_EQUITY)}. ${assumed}`;
}
