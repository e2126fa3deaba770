// What a telephone shows first: the number of alerts with the worst one in one line, and the first rows of each table.

import { isNarrow } from "./options.js";
import { setAttribute, setClass, setText, word } from "./text.js";

// In narrow.css too.
const FIRST = 10;
const buttons = new Map();

function make(table) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "whole" });
  button.addEventListener("click", () => {
    const isExpanded = !table.classList.toggle("short");
    setAttribute(button, "aria-expanded", `${isExpanded}`);
  });
  table.classList.add("short");
  table.after(button);
  buttons.set(table, button);
  return button;
}

// Offers the remaining rows of a table; wide pages always show all.
export function shorten(table) {
  const all = table.tBodies[0].rows.length;
  const button = buttons.get(table) ?? make(table);
  button.hidden = all <= FIRST;
  const short = table.classList.contains("short");
  setText(button, word(short ? "rows.all" : "rows.first", { n: short ? all : FIRST }));
  setAttribute(button, "aria-expanded", `${!short}`);
}

// `strip` has the alerts, worst first.
export function showBurning(button, strip) {
  const all = strip.sorted;
  button.hidden = strip.alerts === null || !isNarrow();
  button.disabled = all.length === 0;
  setClass(button, "critical", all[0]?.[1].severity === "critical");
  setClass(button, "calm", all.length === 0);
  const [count, worst] = button.children;
  setText(count, all.length ? word("alerts.count", { n: all.length }) : word("alert.none"));
  setText(worst, all.length ? `${strip.where(all[0][1])} · ${strip.describe(all[0][1])}` : "");
}
