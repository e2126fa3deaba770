// Links to the views, on one line and in groups; links without room move behind a button, in the same groups. On a telephone all are in the
// page's menu.

import { make } from "./dom.js";
import { isNarrow } from "./options.js";
import { setAttribute, word } from "./text.js";

// The order in which links move behind the button; unlisted ones move first.
const YIELDING = ["board", "customers", "queue", "quality", "map", "wall", "outlook", "goals", "earlier", "contacts", "alerts", "people", "overview"];
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

export class Navigation {
  // `views` are [{id, group}, title].
  constructor(nav, views) {
    Object.assign(this, { nav, links: new Map(), groups: new Map(), width: null, room: 0 });
    nav.setAttribute("aria-label", word("view"));
    this.bar = make(nav, "ul", "ways");
    this.overflow = make(nav, "div", "rest");
    this.button = make(this.overflow, "button", "", word("views.more"));
    this.panel = make(this.overflow, "ul", "panel");
    Object.assign(this.panel, { id: "more-views", hidden: true });
    this.overflow.hidden = true;
    Object.assign(this.button, { type: "button" });
    this.button.setAttribute("aria-controls", this.panel.id);
    for (const [{ id, group = "now" }, title] of views) {
      const places = this.groups.get(group) ?? this.makeGroup(group);
      const item = make(places[0], "li");
      const link = make(item, "a", "", title);
      this.links.set(id, link);
      item.dataset.place = `${this.links.size}`;
    }
    this.open(false);
    this.button.addEventListener("click", () => this.open(this.panel.hidden));
    this.overflow.addEventListener("focusout", ({ relatedTarget: next }) => next && !this.overflow.contains(next) && this.open(false));
    document.addEventListener("click", ({ target }) => (this.overflow.contains(target) && !target.closest("a") ? null : this.open(false)));
    this.overflow.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.fit()).observe(nav);
  }

  // Creates the lists of a group: on the line, and behind the button.
  makeGroup(group) {
    const places = [this.bar, this.panel].map((list) => {
      const item = make(list, "li", "group");
      make(item, "span", "label", word(`views.${group}`)).setAttribute("aria-hidden", "true");
      const inner = make(item, "ul");
      inner.setAttribute("aria-label", word(`views.${group}`));
      return inner;
    });
    this.groups.set(group, places);
    return places;
  }

  open(is) {
    this.panel.hidden = !is;
    this.turn();
    setAttribute(this.button, "aria-expanded", `${is}`);
  }

  // Near the edge of the window the panel opens to the left.
  turn() {
    this.panel.classList.remove("leftwards");
    this.panel.classList.toggle("leftwards", this.panel.getBoundingClientRect().right > innerWidth);
  }

  key(event) {
    const step = STEPS[event.key];
    if (event.key === "Escape" && !this.panel.hidden) {
      this.open(false);
      this.button.focus();
    } else if (step) {
      this.open(true);
      const links = [...this.panel.querySelectorAll("a")];
      links[(links.indexOf(document.activeElement) + step + links.length) % links.length]?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Sets the links to `hrefs`, by id, and marks the current view.
  point(current, hrefs) {
    for (const [id, link] of this.links) {
      link.href = hrefs(id);
      id === current ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    }
    this.mark();
  }

  // Marks the button where the current view is behind it.
  mark() {
    const behind = this.panel.querySelector("[aria-current]");
    behind ? setAttribute(this.button, "aria-current", "true") : this.button.removeAttribute("aria-current");
  }

  place(link, behind) {
    const item = link.parentElement;
    const places = [...this.groups.values()].find((lists) => lists.includes(item.parentElement));
    const list = places[Number(behind)];
    if (item.parentElement === list) return;
    list.insertBefore(item, [...list.children].find((each) => Number(each.dataset.place) > Number(item.dataset.place)) ?? null);
  }

  fit() {
    if (!this.nav.clientWidth) return;
    // Hidden links return only when the window is resized, not when a text beside them shrinks.
    if (this.width !== innerWidth) [this.width, this.room] = [innerWidth, Infinity];
    const room = Math.min(this.room, this.nav.clientWidth);
    if (room === this.room) return;
    this.room = room;
    const focused = document.activeElement;
    for (const link of this.links.values()) this.place(link, false);
    this.show();
    const ids = [...this.links.keys()].sort((a, b) => YIELDING.indexOf(a) - YIELDING.indexOf(b));
    while (!isNarrow() && ids.length > 1 && this.isFull()) {
      this.place(this.links.get(ids.shift()), true);
      this.show();
    }
    if (this.nav.contains(focused) && focused !== document.activeElement) (focused.checkVisibility() ? focused : this.button).focus();
    if (this.overflow.hidden) this.open(false);
    this.turn();
    this.mark();
  }

  // Hides empty groups, and the button without links behind it.
  show() {
    for (const places of this.groups.values()) for (const list of places) list.parentElement.hidden = !list.children.length;
    this.overflow.hidden = !this.panel.querySelector("a");
  }

  isFull() {
    const between = Number.parseFloat(getComputedStyle(this.nav).columnGap) || 0;
    return this.bar.offsetWidth + (this.overflow.hidden ? 0 : between + this.overflow.offsetWidth) > this.room + 0.5;
  }
}
