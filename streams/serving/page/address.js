// The address: everything chosen on the page is in it, so that a wall, a colleague and the way back show what was sent to them.

import { language } from "./text.js";

const WINDOWS = [5, 15, 30, 60];
// What holds for every view; other names are a view's own, and go with it.
const COMMON = ["lang", "theme", "window", "rotate", "queue", "site", "department", "search", "columns", "order", "pin", "sound", "flash", "notify", "awake"];
// What the page looks at as it opens.
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

// `changes` are values by name: null takes a name away, a list gives it several. With `common` alone, what is a view's own is left behind.
export function address(changes = {}, { common = false } = {}) {
  const next = new URLSearchParams([...query].filter(([name]) => !common || COMMON.includes(name)));
  next.set("lang", language);
  next.set("window", `${minutes}`);
  for (const [name, value] of Object.entries(changes)) {
    const [first, ...rest] = [value ?? []].flat();
    first === undefined ? next.delete(name) : next.set(name, first);
    for (const each of rest) next.append(name, each);
  }
  return `?${next}`;
}

// Called when what is chosen has changed, so that links lead there; and when another view was asked for.
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

const UNSAID = { lang: "en", window: "15" };
const said = (search, name) => search.get(name) ?? UNSAID[name] ?? null;
const same = (one, other) => wallOf(one) === wallOf(other) && AT_OPENING.every((name) => said(one, name) === said(other, name));

// Goes to an address of the page: without loading it anew where it can show that as it is.
export function travel(search) {
  if (!same(query, new URLSearchParams(search))) {
    location.assign(search);
    return;
  }
  history.pushState(null, "", search);
  take(search);
  for (const task of travelled) task();
}

// From now on links within the page, and the ways back and forth, are followed without loading it anew where that can be.
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
