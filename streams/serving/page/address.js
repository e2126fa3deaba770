// The address holds everything chosen on the page, so that a wall, a colleague and the back button show the same.

import { language } from "./text.js";

const WINDOWS = [5, 15, 30, 60];
// Parameters of every view; others belong to one view and are dropped with it.
const COMMON = ["lang", "theme", "window", "rotate", "queue", "site", "department", "search", "columns", "order", "pin", "sound", "flash", "notify", "awake"];
// Parameters that are read only when the page opens.
const AT_OPENING = ["lang", "theme", "window", "rotate"];
const WALLS = ["wall", "map", "board"];

let query = new URLSearchParams(location.search);
const changed = new Set();
const travelled = new Set();

export const asked = (name) => query.get(name);
export const askedAll = (name) => query.getAll(name);
export const among = (name, choices) => choices.find((choice) => choice === query.get(name)) ?? null;
export const wallOf = (from = query) => WALLS.find((each) => each === from.get("view")) ?? null;
export const windows = WINDOWS;
export const minutes = WINDOWS.find((n) => `${n}` === (query.get("window") ?? "").replace(/^trailing_/, "").replace(/m$/, "")) ?? 15;

// `changes` are values by name: null removes a name, a list sets several. With `common` the view's own parameters are dropped.
export function address(changes = {}, { common = false } = {}) {
  const next = new URLSearchParams([...query].filter(([name]) => !common || COMMON.includes(name)));
  next.set("lang", language);
  next.set("window", `${minutes}`);
  for (const [name, value] of Object.entries(changes)) {
    const [first, ...others] = [value ?? []].flat();
    first === undefined ? next.delete(name) : next.set(name, first);
    for (const each of others) next.append(name, each);
  }
  return `?${next}`;
}

// Called when a choice has changed, so that links follow; and when another view is opened.
export const onChange = (task) => changed.add(task);
export const onTravel = (task) => travelled.add(task);

function take(search) {
  query = new URLSearchParams(search);
  for (const task of changed) task();
}

export function change(changes) {
  const next = address(changes);
  history.replaceState(null, "", next);
  take(next);
}

const DEFAULTS = { lang: "en", window: "15" };
const valueIn = (search, name) => search.get(name) ?? DEFAULTS[name] ?? null;
const same = (one, other) => wallOf(one) === wallOf(other) && AT_OPENING.every((name) => valueIn(one, name) === valueIn(other, name));

// Goes to an address of the page, without a reload where possible.
export function travel(search) {
  if (!same(query, new URLSearchParams(search))) {
    location.assign(search);
    return;
  }
  history.pushState(null, "", search);
  take(search);
  for (const task of travelled) task();
}

// Follows links within the page, and back and forward, without a reload where possible.
export function followLinks() {
  addEventListener("popstate", () => {
    if (!same(query, new URLSearchParams(location.search))) {
      location.reload();
      return;
    }
    take(location.search);
    for (const task of travelled) task();
  });

  addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="?"]');
    if (!link || event.defaultPrevented || event.button !== 0 || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    travel(link.getAttribute("href"));
  });
}
