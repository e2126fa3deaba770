// Explanations without a mouse: tap and focus show titles too. Arrow keys move between cells of tables.

import { setText } from "./text.js";

const GAP = 6;
const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

const THINGS = "[title], td, tbody th, .explained";

// The explanation of an element: all titles in it, and for a cell the meaning of its column.
function explanationOf(element) {
  const { kpi } = element.dataset;
  const column = kpi ? (element.closest("table")?.tHead.querySelector(`.${CSS.escape(kpi)}`)?.title ?? "") : "";
  const inside = [element, ...element.querySelectorAll("[title]")].map((each) => each.title);
  const opens = kpi && element.parentElement.hasAttribute("data-contacts") ? (element.closest("table")?.dataset.opens ?? "") : "";
  return [...new Set([column, ...inside, opens])].filter(Boolean).join("\n");
}

class Explanation {
  constructor() {
    this.note = document.body.appendChild(document.createElement("p"));
    Object.assign(this.note, { id: "explanation", popover: "manual" });
    this.note.setAttribute("role", "tooltip");
    this.of = null;
    document.addEventListener("focusin", ({ target }) => (target.matches(":focus-visible") ? this.show(target) : this.hide()));
    document.addEventListener("focusout", () => this.hide());
    document.addEventListener("click", (event) => this.tap(event));
    document.addEventListener("scroll", () => this.hide(), { passive: true, capture: true });
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.hide());
  }

  tap({ target, pointerType }) {
    const found = pointerType === "mouse" ? null : target.closest?.(THINGS);
    if (!found || found === this.of || target.closest("a, button, select, input")) this.hide();
    else this.show(found);
  }

  show(element) {
    const found = element.closest(THINGS);
    const text = found ? explanationOf(found) : "";
    if (!text || found.closest("dialog")) {
      this.hide();
      return;
    }
    this.hide();
    this.of = found;
    setText(this.note, text);
    found.setAttribute("aria-describedby", this.note.id);
    this.note.showPopover();
    const [place, size] = [found.getBoundingClientRect(), this.note.getBoundingClientRect()];
    const below = place.bottom + GAP + size.height <= innerHeight;
    this.note.style.top = `${Math.max(GAP, below ? place.bottom + GAP : place.top - GAP - size.height)}px`;
    this.note.style.left = `${Math.max(GAP, Math.min(place.left, innerWidth - size.width - GAP))}px`;
  }

  hide() {
    this.of?.removeAttribute("aria-describedby");
    this.of = null;
    if (this.note.matches(":popover-open")) this.note.hidePopover();
  }
}

const isSeen = (element) => element.getClientRects().length > 0;

// Tab reaches one cell of each table, arrow keys the others.
function go(event) {
  const cell = event.target;
  const step = STEPS[event.key];
  if (!step || !cell.matches("td, th") || event.altKey || event.ctrlKey || event.metaKey) return;
  const rows = [...cell.closest("table").querySelectorAll("tbody tr, tfoot tr")].filter(isSeen);
  const row = rows[rows.indexOf(cell.parentElement) + step[0]];
  const cells = (each) => [...each.cells].filter(isSeen);
  const next = row && cells(row)[cells(cell.parentElement).indexOf(cell) + step[1]];
  event.preventDefault();
  if (!next) return;
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// Keeps one cell reachable by Tab when rows change.
export function keepReachable(table) {
  const reachable = table.querySelector(':is(td, th)[tabindex="0"]');
  if (reachable && isSeen(reachable)) return;
  if (reachable) reachable.tabIndex = -1;
  const first = [...table.querySelectorAll("tbody td")].find(isSeen);
  if (first) first.tabIndex = 0;
}

export function explain() {
  new Explanation();
  document.addEventListener("keydown", go);
}
