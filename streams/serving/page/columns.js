// Which figures the table of queues shows, and in which order: a list that is changed by click and by key.

import { change } from "./address.js";
import { MOST_COLUMNS, USUAL_COLUMNS, columns } from "./options.js";
import { kpisOfQueues, label, setText, word } from "./text.js";

function make(parent, name, className = "") {
  const made = parent.appendChild(document.createElement(name));
  if (className) made.className = className;
  return made;
}

const titleOf = (id) => (id === "trend" ? word("trend") : label(id));
export const isColumn = (id) => id === "trend" || kpisOfQueues().includes(id);
// Those of the address that there are; a name that there is not is left out.
export function shownColumns() {
  const found = columns.filter(isColumn);
  return found.length ? found : USUAL_COLUMNS;
}

export class ColumnChooser {
  constructor(nav) {
    this.button = make(nav, "button", "choice columns");
    this.button.type = "button";
    setText(this.button, word("columns"));
    this.button.setAttribute("aria-haspopup", "dialog");
    this.dialog = make(document.body, "dialog", "chooser");
    this.dialog.setAttribute("aria-labelledby", "columns-title");
    const heading = make(this.dialog, "h2");
    Object.assign(heading, { id: "columns-title", textContent: word("columns") });
    this.list = make(this.dialog, "ol");
    const more = make(this.dialog, "p", "more");
    this.more = make(more, "select");
    this.more.setAttribute("aria-label", word("columns.choose"));
    this.add = make(more, "button");
    const foot = make(this.dialog, "p", "foot");
    this.usual = make(foot, "button");
    const close = make(foot, "button", "close");
    const buttons = [
      [this.add, "columns.add", () => this.more.value && this.set([...shownColumns(), this.more.value])],
      [this.usual, "columns.usual", () => change({ columns: null })],
      [close, "close", () => this.dialog.close()],
    ];
    for (const [button, id, task] of buttons) {
      Object.assign(button, { type: "button", textContent: word(id) });
      button.addEventListener("click", task);
    }
    this.button.addEventListener("click", () => {
      this.show();
      this.dialog.showModal();
    });
  }

  get sortable() {
    return shownColumns().filter((id) => id !== "trend");
  }

  set(ids) {
    change({ columns: `${ids}` === `${USUAL_COLUMNS}` ? null : ids.join(",") });
  }

  // `focus` is [column, name of the button] to go on from.
  show(focus = null) {
    const ids = shownColumns();
    const place = (n) => ids[n];
    const swap = (n, other) => ids.map((id, at) => (at === n ? place(other) : at === other ? place(n) : id));
    this.list.replaceChildren();
    ids.forEach((id, n) => {
      const item = make(this.list, "li");
      setText(make(item, "span"), titleOf(id));
      const act = (name, sign, possible, next) => {
        const button = make(item, "button", name);
        Object.assign(button, { type: "button", textContent: sign, disabled: !possible, title: word(`columns.${name}`, { name: titleOf(id) }) });
        button.setAttribute("aria-label", button.title);
        button.addEventListener("click", () => {
          this.set(next());
          this.show([id, name]);
        });
      };
      act("up", "↑", n > 0, () => swap(n, n - 1));
      act("down", "↓", n < ids.length - 1, () => swap(n, n + 1));
      act("remove", "✕", ids.length > 1, () => ids.filter((other) => other !== id));
      if (focus?.[0] === id) (item.querySelector(`.${focus[1]}:enabled`) ?? item.querySelector(":enabled"))?.focus();
    });
    if (focus && !this.dialog.contains(document.activeElement)) this.more.focus();
    const rest = ["trend", ...kpisOfQueues()].filter((id) => !ids.includes(id));
    this.more.replaceChildren(new Option(word("columns.choose"), ""), ...rest.map((id) => new Option(titleOf(id), id)));
    for (const each of [this.more, this.add]) each.disabled = ids.length >= MOST_COLUMNS;
    this.usual.disabled = `${ids}` === `${USUAL_COLUMNS}`;
  }
}
