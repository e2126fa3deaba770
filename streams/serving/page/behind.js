// Links from a figure to its contacts, and from a queue's day to its page: by click, Enter, or second tap; the first tap explains the figure.

import { address, minutes, travel } from "./address.js";
import { kpi } from "./text.js";

// Figures of now with contacts behind them, and windows and figures without; as streams/explaining/question.py.
const OF_NOW = ["waiting", "longest_wait"];
const OF_OTHERS = ["now", "customers_day", "forecast_contacts", "staff_forecast", "staff_required", "forecast_accuracy"];
const SCOPES = ["queue", "site", "department", "business", "total"];

// The scopes whose contacts the viewer may see; null: all.
let permitted = new Set();
export function learnRights({ rights, contacts_of: scopes = null }) {
  permitted = !rights.includes("contacts") ? new Set() : scopes && new Set(scopes);
}

const areBehind = (id) => OF_NOW.includes(id) || (kpi(id).subject === "contacts" && !OF_OTHERS.some((each) => each === id || kpi(id).windows.includes(each)));
export const mayOpen = (kind, name) => SCOPES.includes(kind) && (permitted === null || permitted.has(`${kind}:${name}`));

// The address of the contacts behind a figure of a scope; null where there are none, or the viewer may not see them.
export function contactsOf(kind, name, channel, id, span = `trailing_${minutes}m`) {
  if (!channel || !mayOpen(kind, name) || !areBehind(id)) return null;
  const place = kind === "queue" ? { of: name } : { scope: `${kind}:${name}` };
  return address({ view: "contacts", ...place, channel, kpi: id, span: OF_NOW.includes(id) ? null : span }, { common: true });
}

// Points an <a> to an address; null makes it plain text.
export function lead(link, href, label, title) {
  if (link.getAttribute("href") === href && (href === null || link.getAttribute("aria-label") === label)) return;
  const attributes = { href, "aria-label": href && label, title: href && title };
  for (const [name, value] of Object.entries(attributes)) value === null ? link.removeAttribute(name) : link.setAttribute(name, value);
}

function opened(cell) {
  const { kpi: id } = cell.dataset;
  const { queue, channel } = cell.parentElement.dataset;
  if (!queue || !id || cell.classList.contains("unknown")) return null;
  return id === "trend" ? address({ view: "queue", of: queue, channel: channel || null }, { common: true }) : contactsOf("queue", queue, channel, id);
}

// `label`: the text that explains it.
export function openContacts(table, label) {
  table.dataset.opens = label;
  let tapped = null;
  const go = (event, cell) => {
    const place = opened(cell);
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
