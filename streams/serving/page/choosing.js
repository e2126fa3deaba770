// Controls for what the page shows: links, lists and a search. All write to the address.

import { address, asked, change, minutes, onChange, windows } from "./address.js";
import { ColumnChooser } from "./columns.js";
import { department, namesOf, order, search, site, theme } from "./options.js";
import { capitalize, label, language, setText, word } from "./text.js";

const SEARCH_MS = 200;
const links = new Map();

function make(parent, name, className = "") {
  const made = parent.appendChild(document.createElement(name));
  if (className) made.className = className;
  return made;
}

function point() {
  for (const [link, changes] of links) link.href = address(changes);
}

// Leaves a wall by a link, or by Escape where no dialog is open.
export function leaveWall(link) {
  Object.assign(link, { textContent: "✕", title: word("leave_wall"), hidden: false });
  link.setAttribute("aria-label", word("leave_wall"));
  links.set(link, { view: null });
  point();
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) link.click();
  });
}

function group(nav, title, name, current, choices) {
  const element = make(nav, "span", `choice ${name}`);
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", title);
  setText(make(element, "span"), title);
  for (const [value, text] of choices) {
    const choice = make(element, "a");
    choice.textContent = text;
    links.set(choice, { [name]: value });
    if (value === current) choice.setAttribute("aria-current", "true");
  }
}

function labelled(nav, title, name, kind) {
  const element = make(nav, "label", `choice ${name}`);
  setText(make(element, "span"), title);
  return make(element, kind);
}

// `entries` are [value, text]; rewritten only where they differ, so that an open list stays open.
function fill(select, entries, value) {
  const signature = JSON.stringify(entries);
  if (select.dataset.entries !== signature) {
    select.dataset.entries = signature;
    select.replaceChildren(...entries.map(([id, text]) => new Option(text, id)));
  }
  if (select.value !== value) select.value = value;
}

export class Choosing {
  constructor(nav) {
    nav.setAttribute("aria-label", word("options"));
    group(nav, word("window"), "window", `${minutes}`, windows.map((n) => [`${n}`, word("window.trailing", { n })]));
    this.order = labelled(nav, word("order"), "order", "select");
    this.order.addEventListener("change", () => change({ order: this.order.value }));
    this.site = this.list(nav, "site");
    this.department = this.list(nav, "department");
    this.offerSearch(nav);
    this.columns = new ColumnChooser(nav);
    group(nav, word("theme"), "theme", theme(), ["light", "dark"].map((id) => [id, word(`theme.${id}`)]));
    const other = language === "ja" ? "en" : "ja";
    const link = make(nav, "a");
    Object.assign(link, { id: "language", lang: other, hreflang: other, textContent: capitalize(word("other_language")) });
    links.set(link, { lang: other });
    point();
    onChange(() => {
      point();
      this.show();
    });
    this.show();
  }

  list(nav, name) {
    const select = labelled(nav, word(`scope.${name}`), name, "select");
    select.addEventListener("change", () => change({ [name]: select.value || null }));
    return select;
  }

  offerSearch(nav) {
    this.search = labelled(nav, word("search"), "search", "input");
    Object.assign(this.search, { type: "search", value: asked("search") ?? "", maxLength: 100, autocomplete: "off", spellcheck: false });
    this.search.setAttribute("aria-keyshortcuts", "/");
    let timer = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => change({ search: this.search.value.trim() || null }), SEARCH_MS);
    });
    addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target.closest("input, select, textarea, dialog") || !this.search.getClientRects().length) return;
      event.preventDefault();
      this.search.focus();
    });
  }

  // The choices, once the server has sent places and figures.
  show() {
    const ids = this.columns.sortable;
    const ordered = order.up ? `-${order.id}` : order.id;
    const kpis = ids.flatMap((id) => [[id, word("order.highest", { kpi: label(id) })], [`-${id}`, word("order.lowest", { kpi: label(id) })]]);
    fill(this.order, [...["name", "worst"].map((id) => [id, word(`order.${id}`)]), ...kpis], ordered);
    for (const [select, name, value] of [[this.site, "site", site], [this.department, "department", department]]) {
      const names = namesOf(name);
      // A chosen name that is unknown is still listed.
      const all = value === null || names.includes(value) ? names : [...names, value];
      fill(select, [["", word("all")], ...all.map((each) => [each, each])], value ?? "");
      select.parentElement.hidden = all.length === 0;
    }
    if (document.activeElement !== this.search && search === "") this.search.value = "";
    this.columns.show();
  }
}
