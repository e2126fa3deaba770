// Chooses the figures of the table of queues, and their order, in a panel beside the table, by click and by key.

import { change } from "./address.js";
import { MOST_COLUMNS, USUAL_COLUMNS, columns } from "./options.js";
import { kpisOfQueues, label, meaning, setText, word } from "./text.js";

// Fewer figures need no search.
const SEARCHED_FROM = 12;

function make(parent, name, className = "") {
  const made = parent.appendChild(document.createElement(name));
  if (className) made.className = className;
  return made;
}

function button(parent, className, text, task) {
  const made = make(parent, "button", className);
  Object.assign(made, { type: "button", textContent: text });
  made.addEventListener("click", task);
  return made;
}

const titleOf = (id) => (id === "trend" ? word("trend") : label(id));
const plain = (text) => text.normalize("NFKC").toLocaleLowerCase();
export const isColumn = (id) => id === "trend" || kpisOfQueues().includes(id);
// The columns of the address; unknown names are skipped.
export function shownColumns() {
  const found = columns.filter(isColumn);
  return found.length ? found : USUAL_COLUMNS;
}

export class ColumnChooser {
  constructor(nav) {
    this.button = button(nav, "choice columns", word("columns"), () => this.open());
    this.button.setAttribute("aria-haspopup", "dialog");
    this.dialog = make(document.body, "dialog", "chooser");
    this.dialog.setAttribute("aria-labelledby", "columns-title");
    // A click beside the panel hits the dialog itself and closes it.
    this.dialog.addEventListener("click", ({ target }) => target === this.dialog && this.dialog.close());
    const panel = make(this.dialog, "div");
    const head = make(panel, "p", "head");
    Object.assign(make(head, "strong"), { id: "columns-title", textContent: word("columns") });
    this.usual = button(head, "usual", word("columns.usual"), () => change({ columns: null }));
    button(head, "close", word("close"), () => this.dialog.close());
    setText(make(panel, "h2"), word("columns.shown"));
    this.list = make(panel, "ol");
    setText(make(panel, "h2"), word("columns.choose"));
    this.search = make(panel, "input");
    Object.assign(this.search, { type: "search", placeholder: word("search"), maxLength: 100, autocomplete: "off", spellcheck: false });
    this.search.setAttribute("aria-label", word("columns.search"));
    this.search.addEventListener("input", () => this.draw());
    this.more = make(panel, "ul");
    this.most = make(panel, "p", "none");
    setText(this.most, word("columns.most", { n: MOST_COLUMNS }));
  }

  open() {
    this.search.value = "";
    this.dialog.showModal();
    this.draw();
  }

  get sortable() {
    return shownColumns().filter((id) => id !== "trend");
  }

  set(ids) {
    change({ columns: `${ids}` === `${USUAL_COLUMNS}` ? null : ids.join(",") });
  }

  // Once the figures are known, and when the address has changed.
  show() {
    this.draw();
  }

  draw() {
    if (!this.dialog.open) return;
    const ids = shownColumns();
    const searched = plain(this.search.value.trim());
    const others = ["trend", ...kpisOfQueues()].filter((id) => !ids.includes(id));
    const matching = others.filter((id) => plain(`${titleOf(id)} ${id}`).includes(searched));
    this.search.hidden = others.length < SEARCHED_FROM;
    // Redrawn only where it differs: the focus stays on its button.
    const signature = JSON.stringify([ids, matching]);
    if (signature === this.drawn) return;
    this.drawn = signature;
    this.usual.disabled = `${ids}` === `${USUAL_COLUMNS}`;
    this.most.hidden = ids.length < MOST_COLUMNS;
    this.list.replaceChildren();
    ids.forEach((id, n) => this.drawShown(ids, id, n));
    this.more.replaceChildren();
    for (const id of matching) this.offer(ids, id);
  }

  drawShown(ids, id, n) {
    const item = make(this.list, "li");
    item.dataset.kpi = id;
    setText(make(item, "span"), titleOf(id));
    const without = ids.filter((other) => other !== id);
    const act = (name, sign, possible, next) => {
      const made = button(item, name, sign, () => {
        this.set(next());
        this.focusOn(id, name);
      });
      Object.assign(made, { disabled: !possible, title: word(`columns.${name}`, { name: titleOf(id) }) });
      made.setAttribute("aria-label", made.title);
    };
    act("first", "⇤", n > 0, () => [id, ...without]);
    act("up", "↑", n > 0, () => without.toSpliced(n - 1, 0, id));
    act("down", "↓", n < ids.length - 1, () => without.toSpliced(n + 1, 0, id));
    act("remove", "✕", ids.length > 1, () => without);
  }

  offer(ids, id) {
    const made = button(make(this.more, "li"), "add", `+ ${titleOf(id)}`, () => {
      this.set([...ids, id]);
      this.focusOn(id, "up");
    });
    Object.assign(made, { disabled: ids.length >= MOST_COLUMNS, title: meaning(id) });
    made.setAttribute("aria-label", word("columns.add", { name: titleOf(id) }));
  }

  // Focuses the same button of the column, or the next one that is enabled.
  focusOn(id, name) {
    const item = this.list.querySelector(`[data-kpi="${id}"]`);
    const found = item?.querySelector(`.${name}:enabled`) ?? item?.querySelector(":enabled") ?? this.more.querySelector(":enabled");
    (found ?? this.dialog.querySelector(".close")).focus();
    found?.scrollIntoView({ block: "nearest" });
  }
}
