// A table with persistent rows, sorted by the chosen column.

import { make } from "./dom.js";
import { locale, setAttribute, setText } from "./text.js";

// Unknown values come last, in either direction.
function compare(one, other, down) {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  const difference = typeof one === "string" ? one.localeCompare(other, locale) : one - other;
  return down ? -difference : difference;
}

export class SortedTable {
  // A column is {id, text, title, of, fill, first}: `of` returns the sort value of a row, null for unknown (without `of` the column does not
  // sort); `fill(cell, row)` updates a cell; `first: "down"` begins with the largest. The first column is the row's heading.
  constructor(place, caption, columns, { order, onOrder }) {
    Object.assign(this, { columns, onOrder, rows: new Map(), bodies: new Map() });
    this.table = make(place, "table", "grid sorted");
    make(this.table, "caption", "unseen", caption);
    const head = make(make(this.table, "thead"), "tr");
    this.headings = new Map(columns.map((column) => [column.id, this.heading(head, column)]));
    const down = order?.startsWith("-") ?? false;
    this.order = { id: down ? order.slice(1) : order, down };
    if (!this.headings.has(this.order.id)) this.order = { id: null, down: false };
  }

  heading(head, { id, text, title, of, first }) {
    const heading = make(head, "th", id);
    heading.scope = "col";
    if (title) heading.title = title;
    if (!of) {
      setText(heading, text);
      return heading;
    }
    const choice = make(heading, "button", "", text);
    choice.type = "button";
    choice.addEventListener("click", () => {
      const again = this.order.id === id;
      this.order = { id, down: again ? !this.order.down : first === "down" };
      this.onOrder(`${this.order.down ? "-" : ""}${id}`);
      this.arrange();
    });
    return heading;
  }

  // `rows` are [key, row, group], in the order among equals. `groups` are [name, text], in order: rows of a group follow its text, sorted
  // within it.
  show(rows, groups = [["", ""]]) {
    this.entries = rows;
    this.groups = groups;
    const keys = new Set(rows.map(([key]) => key));
    for (const [key, { element }] of this.rows) {
      if (keys.has(key)) continue;
      element.remove();
      this.rows.delete(key);
    }
    for (const [key, row] of rows) {
      let existing = this.rows.get(key);
      if (!existing) {
        const element = document.createElement("tr");
        existing = { element, cells: this.columns.map((column, n) => this.cell(element, column, n)) };
        this.rows.set(key, existing);
      }
      this.columns.forEach(({ fill }, n) => fill(existing.cells[n], row));
    }
    this.arrange();
  }

  cell(row, { id, text }, n) {
    const made = make(row, n ? "td" : "th", id);
    if (n) made.dataset.label = text;
    else made.scope = "row";
    made.value = make(made, "b");
    made.detail = make(made, "small");
    return made;
  }

  arrange() {
    const { id, down } = this.order;
    for (const [name, heading] of this.headings) setAttribute(heading, "aria-sort", name === id ? (down ? "descending" : "ascending") : "none");
    const by = this.columns.find((column) => column.id === id)?.of;
    const placed = by ? this.entries.toSorted(([, one], [, other]) => compare(by(one), by(other), down)) : this.entries;
    const focused = document.activeElement;
    const names = new Set(this.groups.map(([name]) => name));
    for (const [name, body] of this.bodies) {
      if (names.has(name)) continue;
      body.remove();
      this.bodies.delete(name);
    }
    this.groups.forEach(([name, text], n) => {
      const body = this.bodyOf(name);
      if (this.table.tBodies[n] !== body) this.table.insertBefore(body, this.table.tBodies[n] ?? null);
      if (name) setText(body.heading, text);
      const first = name ? 1 : 0;
      placed
        .filter(([, , group = ""]) => group === name)
        .forEach(([key], place) => {
          const { element } = this.rows.get(key);
          if (body.rows[first + place] !== element) body.insertBefore(element, body.rows[first + place] ?? null);
        });
    });
    if (focused !== document.activeElement && this.table.contains(focused)) focused.focus();
  }

  bodyOf(name) {
    if (!this.bodies.has(name)) {
      const body = document.createElement("tbody");
      if (name) {
        body.heading = make(make(body, "tr", "group"), "th");
        Object.assign(body.heading, { scope: "rowgroup", colSpan: this.columns.length });
      }
      this.bodies.set(name, body);
    }
    return this.bodies.get(name);
  }
}
