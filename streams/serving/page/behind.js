// From a figure of a queue to its contacts, and from its day to its page: by click, by Enter, and by a second tap, the first of which explains the figure.

import { address, travel } from "./address.js";
import { isOfNow } from "./text.js";

// Figures that contacts are behind, as the API takes them.
const OF_NOW = ["waiting", "longest_wait"];
const OTHERS = ["in_progress"];

function opened(cell, minutes) {
  const { kpi } = cell.dataset;
  const { queue, channel } = cell.parentElement.dataset;
  if (queue && kpi === "trend") return address({ view: "queue", of: queue, channel: channel || null }, { common: true });
  if (!queue || !kpi || OTHERS.includes(kpi) || (isOfNow(kpi) && !OF_NOW.includes(kpi)) || cell.classList.contains("unknown")) return null;
  return address({ view: "contacts", of: queue, channel: channel || null, kpi, span: `trailing_${minutes}m` }, { common: true });
}

// `said`: what explains it.
export function openContacts(table, minutes, said) {
  table.dataset.opens = said;
  let tapped = null;
  const go = (event, cell) => {
    const place = opened(cell, minutes);
    if (!place) return;
    event.preventDefault();
    travel(place);
  };
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("tbody td");
    if (!cell || event.target.closest("a, button") || !getSelection().isCollapsed) return;
    if (event.pointerType === "mouse" || cell === tapped) go(event, cell);
    tapped = cell;
  });
  table.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("tbody td")) go(event, event.target);
  });
}
