// Options of the address: which figures, in what order, in which theme.

import { among, asked, askedAll, change, onChange, wallOf } from "./address.js";
import { own } from "./names.js";
import { known, kpi } from "./text.js";

export const wall = wallOf() !== null;
// All queues as a map of colors, on a wall.
export const heat = wallOf() === "map";
const seconds = Number.parseFloat(asked("rotate") ?? "15");
// Between two pages of a wall; 0 does not rotate.
export const rotateSeconds = Number.isFinite(seconds) && seconds > 0 ? Math.max(3, seconds) : 0;

// A telephone; as in narrow.css.
const narrow = matchMedia("screen and (max-width: 760px)");
export const isNarrow = () => narrow.matches;

export const USUAL_COLUMNS = ["service_level_live", "trend", "waiting", "longest_wait", "asa", "aht", "abandon_rate"];
// More would not be readable.
export const MOST_COLUMNS = 12;

// Restricts the page to these queues, if any.
export let only = new Set();
export let pins = new Set();
export let site = null;
export let department = null;
export let search = "";
// Ids of KPIs, from left to right; "trend" is the day so far.
export let columns = USUAL_COLUMNS;
// `id` is name, worst or a KPI: the highest first, or with `up` the lowest.
export let order = { id: "name", up: false };

const plain = (text) => text.normalize("NFKC").toLocaleLowerCase();

function read() {
  only = new Set(askedAll("queue"));
  pins = new Set(askedAll("pin"));
  site = asked("site") || null;
  department = asked("department") || null;
  search = plain(asked("search") ?? "").trim();
  const named = [...new Set((asked("columns") ?? "").split(",").filter(Boolean))].slice(0, MOST_COLUMNS);
  columns = named.length ? named : USUAL_COLUMNS;
  const text = asked("order") ?? "";
  // A wall has no controls, and a telephone little room: queues that need attention come first.
  order = text ? { id: text.replace(/^-/, ""), up: text.startsWith("-") } : { id: wall || isNarrow() ? "worst" : "name", up: false };
}

read();
onChange(read);

// Sorts by a column: rows that need attention first; a second time reversed.
export function orderBy(id) {
  const lowFirst = order.id === id ? !order.up : kpi(id).direction === "up";
  change({ order: id === "name" || !lowFirst ? id : `-${id}` });
}
narrow.addEventListener("change", read);

// Site and department of queues and teams, from the server.
let places = {};
export function learnPlaces(entries) {
  places = entries;
}

export const placeOf = (kind, name) => own(places, `${kind}:${name}`);
export const namesOf = (kind) => [...new Set(Object.values(places).map((place) => place[kind]).filter(known))].sort();

// Whether the page is restricted to some queues.
export const narrowed = () => only.size > 0 || site !== null || department !== null || search !== "";

export function isChosen(queue) {
  if (only.size > 0 && !only.has(queue)) return false;
  const place = placeOf("queue", queue);
  if (site !== null && place?.site !== site) return false;
  if (department !== null && place?.department !== department) return false;
  return search === "" || plain(queue).includes(search);
}

// Teams of a site are known, teams of a queue are not.
export function isTeamChosen(team) {
  if (!narrowed()) return true;
  return only.size === 0 && department === null && search === "" && placeOf("team", team)?.site === site;
}

const themeAsked = among("theme", ["light", "dark"]) ?? (wall ? "dark" : null);
const daylight = matchMedia("(prefers-color-scheme: light)");
export const theme = () => themeAsked ?? (daylight.matches ? "light" : "dark");

export function paint() {
  const show = () => {
    document.documentElement.dataset.theme = theme();
  };
  show();
  daylight.addEventListener("change", show);
  document.documentElement.classList.toggle("wall", wall);
  document.documentElement.classList.toggle("heat", heat);
}

export function togglePin(name) {
  const next = pins.has(name) ? [...pins].filter((pin) => pin !== name) : [...pins, name];
  change({ pin: next });
}
