// Tables: sticky head, sort by any column, filter, CSV; on a phone the main columns and a detail row on tap.
import { el } from "./dom.js";

/** columns: [{key, label, show(row) -> text|node, sort(row), num, minor, words, csv(row)}] */
export class Table {
  constructor(host, name, columns, { empty, filter = false, tall = false, caption = name, sortBy = null, down = false } = {}) {
    Object.assign(this, { host, name, columns, emptyWords: empty, rows: [], query: "", open: new Set(), sortBy, down });
    this.heads = columns.map((c) => el("th", { scope: "col", class: [c.num && "num", c.minor && "minor"].filter(Boolean).join(" ") },
      el("button", { type: "button", on: { click: () => this.order(c) } }, c.label)));
    this.tbody = el("tbody");
    this.none = el("p", { class: "empty" }, empty);
    this.tools = el("div", { class: "table-tools" },
      filter && el("input", { type: "search", placeholder: "Filter", "aria-label": `Filter ${caption}`,
        on: { input: (e) => { this.query = e.target.value.toLowerCase(); this.draw(); } } }),
      el("button", { type: "button", class: "quiet", on: { click: () => this.save() } }, "CSV"),
      (this.count = el("span", { class: "dim" })));
    this.scroll = el("div", { class: tall ? "table-scroll tall" : "table-scroll", tabindex: "0", role: "region", "aria-label": caption },
      el("table", {}, el("caption", { class: "hidden-words" }, caption), el("thead", {}, el("tr", {}, this.heads)), this.tbody));
    const note = host.closest(".panel")?.querySelector(".panel-note");
    if (note) note.before(this.tools);
    else host.before(this.tools);
    host.replaceChildren(this.scroll, this.none);
    this.unknown();
  }

  /** Nothing is published: not the same as nothing being there. */
  unknown(words = "— Not known: nobody has published this yet.") {
    this.set([]);
    this.none.textContent = words;
  }

  set(rows, id = (row, i) => i) {
    this.rows = rows;
    this.id = id;
    this.none.textContent = this.emptyWords;
    this.draw();
  }

  order(column) {
    this.down = this.sortBy === column.key ? !this.down : Boolean(column.num);
    this.sortBy = column.key;
    this.draw();
  }

  visible() {
    let rows = this.rows;
    if (this.query) {
      rows = rows.filter((row) => this.columns.some((c) => String(text(c, row)).toLowerCase().includes(this.query)));
    }
    const column = this.columns.find((c) => c.key === this.sortBy);
    if (!column) return rows;
    const value = column.sort ?? ((row) => row[column.key]);
    const sign = this.down ? -1 : 1;
    return [...rows].sort((a, b) => sign * compare(value(a), value(b), sign));
  }

  draw() {
    const rows = this.visible();
    this.heads.forEach((head, i) => {
      if (this.columns[i].key === this.sortBy) head.setAttribute("aria-sort", this.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const bare = this.rows.length === 0;
    this.none.hidden = !bare;
    this.scroll.hidden = this.tools.hidden = bare;
    const all = rows.length === this.rows.length;
    this.count.textContent = all ? `${rows.length} row${rows.length === 1 ? "" : "s"}` : `${rows.length} of ${this.rows.length} rows`;
    const focused = this.tbody.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    this.tbody.replaceChildren(...rows.flatMap((row, i) => this.line(row, String(this.id(row, i)))));
    if (focused) this.tbody.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  }

  line(row, id) {
    const minor = this.columns.filter((c) => c.minor);
    const kind = (c) => [c.num && "num", c.minor && "minor", c.words && "words"].filter(Boolean).join(" ");
    const cells = this.columns.map((c) => el("td", { class: kind(c) }, c.show(row)));
    if (!minor.length) return [el("tr", {}, cells)];
    const detail = el("tr", { class: this.open.has(id) ? "detail open" : "detail" },
      el("td", { colspan: this.columns.length }, el("dl", {}, minor.map((c) => [el("dt", {}, c.label), el("dd", {}, c.show(row))]))));
    const turn = () => {
      if (this.open.delete(id)) detail.classList.remove("open");
      else { this.open.add(id); detail.classList.add("open"); }
    };
    const keys = (e) => {
      if (e.key === "Enter" || e.key === " ") { e.preventDefault(); turn(); }
      if (e.key === "ArrowDown" || e.key === "ArrowUp") { e.preventDefault(); this.step(e.currentTarget, e.key === "ArrowDown" ? 1 : -1); }
    };
    return [el("tr", { class: "opens", tabindex: "0", "data-id": id, on: { click: turn, keydown: keys } }, cells), detail];
  }

  step(from, by) {
    const all = [...this.tbody.querySelectorAll("tr.opens")];
    all[all.indexOf(from) + by]?.focus();
  }

  save() {
    const cells = (row) => this.columns.map((c) => (c.csv ? c.csv(row) : row[c.key] ?? text(c, row)));
    const lines = [this.columns.map((c) => c.label), ...this.visible().map(cells)];
    const csv = lines.map((line) => line.map(quote).join(",")).join("\r\n") + "\r\n";
    const url = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    el("a", { href: url, download: `tbot-${this.name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}

function text(column, row) {
  const shown = column.show(row);
  return shown instanceof Node ? shown.textContent : Array.isArray(shown) ? shown.map((x) => x?.textContent ?? x).join(" ") : shown ?? "";
}

/** Numbers as numbers, text as text; unknown always last. */
function compare(a, b, sign) {
  const none = (x) => x === null || x === undefined || x === "";
  if (none(a) || none(b)) return none(a) === none(b) ? 0 : none(a) ? sign : -sign;
  const x = Number(a), y = Number(b);
  return Number.isNaN(x) || Number.isNaN(y) ? String(a).localeCompare(String(b)) : x - y;
}

/** A cell that a spreadsheet would run as a formula is written as text; plain numbers stay numbers. */
function quote(value) {
  let cell = String(value ?? "");
  if (/^[=+\-@\t\r]/.test(cell) && !/^-?\d+(\.\d+)?$/.test(cell)) cell = "'" + cell;
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
