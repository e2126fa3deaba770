// What the address asks for. Everything chosen on the page is in its address, so that a wall shows what was sent to it.

import { capitalize, language, word } from "./text.js";

const WINDOWS = [5, 15, 30, 60];
const query = new URLSearchParams(location.search);
const among = (name, choices) => choices.find((choice) => choice === query.get(name)) ?? null;

const view = among("view", ["wall", "map"]);
export const wall = view !== null;
// All queues as a map of colors, on a wall.
export const heat = view === "map";
export const minutes = WINDOWS.find((n) => `${n}` === (query.get("window") ?? "").replace(/^trailing_/, "").replace(/m$/, "")) ?? 15;
// A wall has no hands: what needs somebody comes first.
export const order = among("order", ["name", "worst"]) ?? (wall ? "worst" : "name");
// Only these queues, if any are named.
export const only = new Set(query.getAll("queue"));
export const pins = new Set(query.getAll("pin"));
const seconds = Number.parseFloat(query.get("rotate") ?? "15");
// Between two pages of a wall; 0 stands still.
export const rotateSeconds = Number.isFinite(seconds) && seconds > 0 ? Math.max(3, seconds) : 0;

const themeAsked = among("theme", ["light", "dark"]) ?? (wall ? "dark" : null);
const daylight = matchMedia("(prefers-color-scheme: light)");
const theme = () => themeAsked ?? (daylight.matches ? "light" : "dark");

export function paint() {
  const show = () => {
    document.documentElement.dataset.theme = theme();
  };
  show();
  daylight.addEventListener("change", show);
  document.documentElement.classList.toggle("wall", wall);
  document.documentElement.classList.toggle("heat", heat);
}

function address(changes) {
  const next = new URLSearchParams(query);
  next.set("lang", language);
  next.set("window", `${minutes}`);
  for (const [name, value] of Object.entries(changes)) value === null ? next.delete(name) : next.set(name, value);
  return `?${next}`;
}

export function togglePin(name) {
  pins.has(name) ? pins.delete(name) : pins.add(name);
  query.delete("pin");
  for (const pin of pins) query.append("pin", pin);
  history.replaceState(null, "", address({}));
  for (const [link, changes] of links) link.href = address(changes);
}

const links = new Map();

// The way out of a wall: a link, and Escape where no dialog is open.
export function leaveWall(link) {
  Object.assign(link, { textContent: "✕", title: word("leave_wall"), hidden: false });
  link.setAttribute("aria-label", word("leave_wall"));
  links.set(link, { view: null });
  link.href = address({ view: null });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) link.click();
  });
}

function group(nav, title, name, current, choices) {
  const element = nav.appendChild(document.createElement("span"));
  element.className = `choice ${name}`;
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", title);
  const heading = element.appendChild(document.createElement("span"));
  heading.textContent = title;
  for (const [value, text] of choices) {
    const choice = element.appendChild(document.createElement("a"));
    choice.textContent = text;
    links.set(choice, { [name]: value });
    if (value === current) choice.setAttribute("aria-current", "true");
  }
}

export function offer(nav) {
  group(nav, word("window"), "window", `${minutes}`, WINDOWS.map((n) => [`${n}`, word("window.trailing", { n })]));
  group(nav, word("order"), "order", order, ["name", "worst"].map((id) => [id, word(`order.${id}`)]));
  group(nav, word("theme"), "theme", theme(), ["light", "dark"].map((id) => [id, word(`theme.${id}`)]));
  group(nav, word("view"), "view", view, [[null, word("view.full")], ["wall", word("view.wall")], ["map", word("view.map")]]);
  const other = language === "ja" ? "en" : "ja";
  const link = nav.appendChild(document.createElement("a"));
  Object.assign(link, { id: "language", lang: other, hreflang: other, textContent: capitalize(word("other_language")) });
  links.set(link, { lang: other });
  for (const [choice, changes] of links) choice.href = address(changes);
}
