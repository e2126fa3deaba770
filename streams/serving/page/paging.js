// A wall shows full pages in rotation and never scrolls. Pinned rows and totals are on every page of their table.

import { own } from "./names.js";
import { isNarrow } from "./options.js";
import { onPaper, whenOnPaper } from "./paper.js";
import { setAttribute, setClass, setText, word } from "./text.js";

const MARGIN_ROWS = 0.15;
// The most that a few rows grow to fill the page.
const MOST_STRETCH = 1.35;

export class Pager {
  // `map`, if any, replaces the tables and splits itself into pages.
  constructor(tables, button, rotateSeconds, map = null) {
    this.tables = tables;
    this.map = map;
    this.button = button;
    this.page = 0;
    this.pages = [];
    this.paused = false;
    this.rotateSeconds = rotateSeconds;
    button.title = word("paging_help");
    button.addEventListener("click", () => this.pause());
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("resize", () => this.show());
    whenOnPaper(() => this.show());
    this.wait();
  }

  wait() {
    clearInterval(this.timer);
    if (this.rotateSeconds > 0) this.timer = setInterval(() => this.paused || this.turn(1), this.rotateSeconds * 1000);
  }

  pause() {
    this.paused = !this.paused;
    this.show();
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const step = own({ ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }, event.key);
    if (step) {
      this.turn(step);
      this.wait(); // a user reads: the new page stays its full time
    } else if (event.key === " " && !event.target.closest("button, a")) this.pause();
    else return;
    event.preventDefault();
  }

  turn(step) {
    const all = Math.max(1, this.pages.length);
    this.page = (this.page + step + all) % all;
    this.show();
  }

  show() {
    this.pages = this.map ? this.map.split() : this.split();
    this.page = Math.min(this.page, Math.max(0, this.pages.length - 1));
    const shown = this.pages[this.page];
    if (this.map) this.map.showPage(shown ?? []);
    else this.showTables(shown ?? new Map());
    this.button.hidden = this.pages.length < 2;
    const text = word("page_of", { n: this.page + 1, all: this.pages.length });
    setText(this.button, this.paused ? `${text} · ${word("paused")}` : text);
    setAttribute(this.button, "aria-pressed", `${this.paused}`);
  }

  showTables(shown) {
    const rows = [...shown].reduce((sum, [table, each]) => sum + each.size + feet(table), 0);
    const stretch = rows ? (this.capacity - shown.size * this.head) / rows : 1;
    document.documentElement.style.setProperty("--stretch", Math.min(MOST_STRETCH, Math.max(1, stretch)).toFixed(3));
    for (const table of this.tables) {
      const rows = shown.get(table) ?? null;
      table.section.classList.toggle("turned", rows === null);
      for (const row of table.body.rows) setClass(row, "turned", rows !== null && !rows.has(row));
    }
    // A single queue is shown large.
    const alone = this.pages.length === 1 && shown.size === 1 && [...shown.values()][0].size === 1;
    setClass(document.documentElement, "one", alone);
  }

  // Returns the pages: table → its rows there.
  split() {
    const filled = this.tables.filter((table) => table.body.rows.length > 0);
    if (!filled.length) return [];
    [this.head, this.capacity] = [0, 0];
    // A telephone scrolls.
    if (isNarrow() || onPaper()) return [new Map(filled.map((table) => [table, new Set(table.body.rows)]))];
    const root = getComputedStyle(document.documentElement);
    const size = (name) => Number.parseFloat(root.getPropertyValue(name));
    const height = size("--row") * Number.parseFloat(root.fontSize);
    this.head = size("--head") / size("--row");
    const top = document.querySelector("main").getBoundingClientRect().top + scrollY;
    this.capacity = (innerHeight - top) / height - MARGIN_ROWS;
    const pages = [new Map()];
    let left = this.capacity;
    for (const table of filled) {
      const all = [...table.body.rows];
      const pinned = all.filter((row) => row.classList.contains("pinned"));
      const unpinned = all.filter((row) => !row.classList.contains("pinned"));
      const fixed = this.head + pinned.length + feet(table);
      let at = 0;
      do {
        if (at > 0 || (pages.at(-1).size > 0 && left < fixed + unpinned.length)) {
          pages.push(new Map());
          left = this.capacity;
        }
        const room = Math.max(1, Math.floor(left - fixed));
        const rows = unpinned.slice(at, at + room);
        pages.at(-1).set(table, new Set([...pinned, ...rows]));
        left -= fixed + rows.length;
        at += room;
      } while (at < unpinned.length);
    }
    return pages;
  }
}

const feet = (table) => table.foot?.rows.length ?? 0;
