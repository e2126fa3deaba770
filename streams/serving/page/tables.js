// Tables whose rows and cells are created once and updated only where the text differs.

import { difference, shown, twins } from "./names.js";
import { NOTHING, known, locale, setAttribute, setClass, setText, word } from "./text.js";

function make(parent, name, className = "") {
  const made = parent.appendChild(document.createElement(name));
  if (className) made.className = className;
  return made;
}

function pinButton(parent, name, onPin) {
  const button = make(parent, "button", "pin");
  button.type = "button";
  button.title = word("pin", { name: shown(name) });
  button.setAttribute("aria-label", button.title);
  button.addEventListener("click", () => onPin(name));
  return button;
}

// Opens the cells of a row that a telephone hides.
function moreButton(parent, row, name) {
  const button = make(parent, "button", "more");
  Object.assign(button, { type: "button", textContent: "⋯", title: word("row.more", { name: shown(name) }) });
  button.setAttribute("aria-label", button.title);
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => button.setAttribute("aria-expanded", `${row.classList.toggle("open")}`));
  return button;
}

// In two parts: on a narrow wall only the first is shortened, so that the end stays readable.
const TAIL = 7;
export function writeName(place, name) {
  const letters = [...new Intl.Segmenter().segment(name)].map(({ segment }) => segment);
  const isShort = letters.length < 2 * TAIL || name.startsWith("\u2068");
  setText(make(place, "span", "head"), isShort ? name : letters.slice(0, -TAIL).join(""));
  setText(make(place, "span", "tail"), isShort ? "" : letters.slice(-TAIL).join(""));
  place.title = name;
}

export class Table {
  // A heading is [id, text, meaning]; the first is the row's name. A click on one calls `onSort`, except for those of `unsorted`.
  constructor(id, headings, { bars = [], onPin = null, onSort = null, unsorted = [], foot = false } = {}) {
    const table = document.getElementById(id);
    this.table = table;
    this.section = table.closest("section");
    this.body = table.tBodies[0];
    this.foot = foot ? table.createTFoot() : null;
    this.bars = new Set(bars);
    Object.assign(this, { onPin, onSort, unsorted });
    this.rows = new Map();
    this.head(headings);
  }

  // Replaces the columns; all rows are recreated.
  head(headings) {
    this.headings = new Map(headings.map(([kpi, text]) => [kpi, text]));
    for (const { element } of this.rows.values()) element.remove();
    this.rows.clear();
    this.compared = "";
    const row = this.table.tHead.rows[0];
    row.replaceChildren();
    for (const [kpi, text, title] of headings) {
      const heading = make(row, "th", kpi);
      heading.scope = "col";
      if (title) heading.title = title;
      if (!this.onSort || this.unsorted.includes(kpi)) {
        heading.textContent = text;
        continue;
      }
      const choice = make(heading, "button");
      Object.assign(choice, { type: "button", textContent: text });
      choice.addEventListener("click", () => this.onSort(kpi));
    }
  }

  // Marks the sorted column, if any.
  sorted(id, ascending) {
    for (const heading of this.table.tHead.rows[0].cells) {
      if (heading.className === id) setAttribute(heading, "aria-sort", ascending ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    }
  }

  row(key, name, detail, { total = false } = {}) {
    let row = this.rows.get(key);
    if (!row) {
      const element = make(total ? this.foot : this.body, "tr");
      const head = make(element, "th", "name");
      head.scope = "row";
      head.tabIndex = -1;
      row = { element, cells: new Map(), name, total };
      row.pin = this.onPin && !total ? pinButton(head, name, this.onPin) : null;
      writeName(make(head, "b"), shown(name));
      row.more = total ? null : moreButton(head, element, name);
      row.twin = make(head, "span", "twin");
      row.detail = make(head, "small");
      row.silent = make(head, "span", "silent-mark");
      this.rows.set(key, row);
    }
    setText(row.detail, detail);
    return row;
  }

  cell(row, id) {
    let found = row.cells.get(id);
    if (!found) {
      const element = make(row.element, "td", id);
      element.dataset.label = this.headings.get(id);
      element.dataset.kpi = id;
      element.tabIndex = -1;
      found = { element, shape: make(element, "i", "shape"), value: make(element, "b"), bar: null };
      row.cells.set(id, found);
      if (this.bars.has(id)) {
        found.bar = make(element, "span", "bar");
        make(found.bar, "i");
        make(found.bar, "u");
      }
      found.detail = make(element, "small");
    }
    return found;
  }

  show(row, id, text, detail = "") {
    const cell = this.cell(row, id);
    setText(cell.value, text);
    setText(cell.detail, detail);
    setClass(cell.element, "unknown", text === NOTHING);
    return cell;
  }

  fill(cell, value, target = null) {
    const [fill, mark] = cell.bar.children;
    fill.style.width = `${Math.min(100, Math.max(0, (value ?? 0) * 100))}%`;
    mark.hidden = !known(target);
    mark.style.left = `${(target ?? 0) * 100}%`;
  }

  keep(keys) {
    for (const [key, row] of this.rows) {
      if (!keys.has(key)) {
        row.element.remove();
        this.rows.delete(key);
      }
    }
    this.markTwins();
  }

  // Marks similar names and shows their difference: one must not pass for another.
  markTwins() {
    const names = [...this.rows.values()].filter((row) => !row.total).map((row) => row.name);
    const signature = JSON.stringify([...new Set(names)].sort());
    if (signature === this.compared) return;
    this.compared = signature;
    const found = twins(names);
    for (const row of this.rows.values()) {
      const others = row.total ? undefined : found.get(row.name);
      setText(row.twin, others ? `≈ ${difference(row.name, others)}`.trim() : "");
      setAttribute(row.twin, "title", others ? word("looks_like", { names: others.map(shown).join(", ") }) : "");
    }
  }

  // Sorts by pins, then by `compare`, then by name.
  arrange(compare, pins) {
    const pinned = (row) => Number(pins.has(row.name));
    const placed = [...this.rows.entries()]
      .filter(([, row]) => !row.total)
      .sort(([a, one], [b, other]) => pinned(other) - pinned(one) || compare(one, other) || a.localeCompare(b, locale));
    const focused = document.activeElement;
    placed.forEach(([, { element }], n) => {
      if (this.body.rows[n] !== element) this.body.insertBefore(element, this.body.rows[n] ?? null);
    });
    if (focused !== document.activeElement && this.body.contains(focused)) focused.focus();
    for (const row of this.rows.values()) {
      if (!row.pin) continue;
      setAttribute(row.pin, "aria-pressed", `${pins.has(row.name)}`);
      setClass(row.element, "pinned", pins.has(row.name));
    }
  }
}
