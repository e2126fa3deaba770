// A map of colors: every queue as a cell, by channel, calls first; the wider the gap below its target, the deeper its color. A cell opens the
// queue's view; the names of figures in the legend sort the cells.

import { address, change, onChange } from "./address.js";
import { cellsAcross, widestName } from "./fitting.js";
import { isNarrow, order } from "./options.js";
import { shown } from "./names.js";
import { onPaper } from "./paper.js";
import { channelRank } from "./rows.js";
import { label, setAttribute, setClass, setText, word } from "./text.js";

// The least that a cell needs, in rem of the wall.
const [CELL_WIDTH, CELL_HEIGHT] = [7.5, 4.65];
// Sort orders, as in the address.
const ORDERS = [["service_level", "worst"], ["longest_wait", "longest_wait"]];
// The gap with the deepest color.
const DEEPEST = 0.3;

function make(parent, name, className) {
  const made = parent.appendChild(document.createElement(name));
  made.className = className;
  return made;
}

export class HeatMap {
  constructor(section, queues) {
    this.section = section;
    this.queues = queues;
    this.cells = new Map();
    section.hidden = false;
    const legend = make(section, "p", "legend");
    this.orders = ORDERS.map(([kpi, id], n) => {
      if (n > 0) legend.append(" · ");
      const choice = make(legend, "button", "");
      Object.assign(choice, { type: "button", textContent: label(kpi), title: word(id === "worst" ? "order.worst" : "order.highest", { kpi: label(kpi) }) });
      choice.addEventListener("click", () => change({ order: id }));
      return [id, choice];
    });
    this.mark();
    onChange(() => this.mark());
    this.list = make(section, "ul", "");
    setAttribute(this.list, "aria-label", word("view.map"));
  }

  mark() {
    for (const [id, choice] of this.orders) setAttribute(choice, "aria-pressed", `${order.id === id && !order.up}`);
  }

  // Returns the rows of queues by page; each channel begins with its total.
  split() {
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    const place = this.list.getBoundingClientRect();
    const lines = Math.max(1, Math.floor((innerHeight - place.top - 0.3 * rem) / (CELL_HEIGHT * rem)));
    const rows = [...this.queues.table.rows.values()];
    const at = new Map([...this.queues.table.body.rows].map((element, n) => [element, n]));
    const sorted = rows.sort((a, b) => channelRank(a.channel) - channelRank(b.channel) || `${a.channel}`.localeCompare(`${b.channel}`) || b.total - a.total || at.get(a.element) - at.get(b.element));
    const pages = [];
    const sample = this.list.querySelector("li > b");
    this.columns = cellsAcross(sorted.length, place.width, lines, CELL_WIDTH * rem, sample ? widestName(sorted.map(({ name }) => name), sample) : CELL_WIDTH * rem);
    // A telephone scrolls.
    if (isNarrow() || onPaper()) return [sorted];
    for (let n = 0; n < sorted.length; n += this.columns * lines) pages.push(sorted.slice(n, n + this.columns * lines));
    return pages;
  }

  showPage(rows) {
    const lines = Math.max(1, Math.ceil(rows.length / this.columns));
    this.list.style.setProperty("--columns", Math.ceil(rows.length / lines) || 1);
    this.list.style.setProperty("--lines", lines);
    const onPage = new Set(rows);
    for (const [row, cell] of this.cells) {
      if (!onPage.has(row)) {
        cell.item.remove();
        this.cells.delete(row);
      }
    }
    rows.forEach((row, n) => {
      const cell = this.cells.get(row) ?? this.make(row);
      this.show(cell, row);
      if (this.list.children[n] !== cell.item) this.list.insertBefore(cell.item, this.list.children[n] ?? null);
    });
  }

  make(row) {
    const item = make(this.list, "li", row.total ? "total" : "");
    const name = item.appendChild(row.element.querySelector(".name b").cloneNode(true));
    const cell = { item, name, level: make(item, "b", "level"), longest: make(item, "b", "longest") };
    const { queue, channel } = row.element.dataset;
    if (queue) {
      const link = make(item, "a", "opens");
      link.href = address({ view: "queue", of: queue, channel }, { common: true });
      link.setAttribute("aria-label", word("map.open", { name: shown(queue) }));
    }
    this.cells.set(row, cell);
    return cell;
  }

  show(cell, row) {
    const text = (id) => row.cells.get(id)?.value.textContent ?? "–";
    const level = row.cells.get("service_level_live");
    setText(cell.level, text("service_level_live").replace(" ", ""));
    setText(cell.longest, text("longest_wait"));
    const { gap = null } = this.queues.gaps.get(row) ?? {};
    for (const name of ["met", "missed"]) setClass(cell.item, name, level?.element.classList.contains(name) ?? false);
    setClass(cell.item, "silent", row.element.classList.contains("silent"));
    cell.item.style.setProperty("--depth", `${Math.round(20 + 40 * Math.min(1, Math.max(0, -(gap ?? 0) / DEEPEST)))}%`);
    setAttribute(cell.item, "title", [row.name, row.detail.textContent, level?.detail.textContent, row.silent.textContent].filter(Boolean).join(" · "));
  }
}
