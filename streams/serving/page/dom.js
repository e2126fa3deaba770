// Creates elements of views.

import { zone } from "./text.js";

export function make(parent, name, className = "", text = null) {
  const made = parent.appendChild(document.createElement(name));
  if (className) made.className = className;
  if (text !== null) made.textContent = text;
  return made;
}

export function button(parent, text, then, className = "") {
  const made = make(parent, "button", className, text);
  made.type = "button";
  made.addEventListener("click", then);
  return made;
}

// Arranges the items of a wrapping list in rows of equal length. Returns a function that repeats it after their number has changed; each item
// needs `least` rem, and is one of `--of` wide.
export function balance(list, least) {
  let seen = "";
  const arrange = () => {
    const { fontSize } = getComputedStyle(document.documentElement);
    const [all, most] = [list.children.length, Math.max(1, Math.floor(list.clientWidth / (least * Number.parseFloat(fontSize))))];
    if (seen === `${all} ${most}`) return;
    seen = `${all} ${most}`;
    const rows = Math.ceil(all / most);
    [...list.children].forEach((item, n) => item.style.setProperty("--of", Math.ceil((all - Math.floor((n * rows) / all)) / rows)));
  };
  new ResizeObserver(arrange).observe(list);
  return arrange;
}

// A table of texts: headings are [class, text, meaning]; the first text of a row is its heading. A cell may be {text, detail, className}.
export function grid(parent, caption, headings, rows, className = "") {
  const table = make(parent, "table", `grid ${className}`);
  make(table, "caption", "unseen", caption);
  const head = make(make(table, "thead"), "tr");
  for (const [id, text, meaning] of headings) {
    const heading = make(head, "th", id, text);
    heading.scope = "col";
    if (meaning) heading.title = meaning;
  }
  const body = make(table, "tbody");
  for (const row of rows) fillRow(make(body, "tr"), headings, row);
  return table;
}

export function fillRow(element, headings, cells) {
  cells.forEach((cell, n) => {
    const { text, detail = "", className: own = "", element: inside = null } = typeof cell === "object" && cell !== null ? cell : { text: cell };
    const made = make(element, n ? "td" : "th", `${headings[n][0]} ${own}`.trim());
    if (n) made.dataset.label = headings[n][1];
    else made.scope = "row";
    if (inside) made.append(inside);
    else make(made, "b", "", text);
    if (detail) make(made, "small", "", detail);
  });
}

// Redraws only where the signature differs: focus stays, and nothing flickers.
export function replaceWhenChanged(place, signature, draw) {
  const next = JSON.stringify([signature, zone]);
  if (place.drawn === next) return;
  place.drawn = next;
  place.replaceChildren();
  draw(place);
}
