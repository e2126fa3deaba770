// The ways to the views, on one line and in groups: what there is no room for stands behind a button, in the same groups. On a telephone, where
// all of it stands behind the button of the page's menu, nothing else is hidden.

import { make } from "./dom.js";
import { isNarrow } from "./options.js";
import { setAttribute, word } from "./text.js";

// Where there is too little room these go behind the button, the first of them first; what is not among them goes before.
const YIELDING = ["board", "customers", "queue", "quality", "map", "wall", "outlook", "goals", "earlier", "contacts", "alerts", "people", "overview"];
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

export class Navigation {
  // `views` are [{id, group}, title].
  constructor(nav, views) {
    Object.assign(this, { nav, links: new Map(), groups: new Map(), width: null, room: 0 });
    nav.setAttribute("aria-label", word("view"));
    this.bar = make(nav, "ul", "ways");
    this.rest = make(nav, "div", "rest");
    this.button = make(this.rest, "button", "", word("views.more"));
    this.panel = make(this.rest, "ul", "panel");
    Object.assign(this.panel, { id: "more-views", hidden: true });
    this.rest.hidden = true;
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
    this.rest.addEventListener("focusout", ({ relatedTarget: next }) => next && !this.rest.contains(next) && this.open(false));
    document.addEventListener("click", ({ target }) => (this.rest.contains(target) && !target.closest("a") ? null : this.open(false)));
    this.rest.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.fit()).observe(nav);
  }

  // The lists of a group: on the line, and behind the button.
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

  // Near the edge of the window what stands behind the button begins further left.
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

  // Leads to `hrefs`, by id, and marks the view that is shown.
  point(current, hrefs) {
    for (const [id, link] of this.links) {
      link.href = hrefs(id);
      id === current ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    }
    this.mark();
  }

  // Where the view that is shown stands behind the button, that is marked too.
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
    // What has given way comes back when the window is wider, and not when a word beside it is shorter.
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
    if (this.rest.hidden) this.open(false);
    this.turn();
    this.mark();
  }

  // Groups with nothing in them are not there, nor is the button without anything behind it.
  show() {
    for (const places of this.groups.values()) for (const list of places) list.parentElement.hidden = !list.children.length;
    this.rest.hidden = !this.panel.querySelector("a");
  }

  isFull() {
    const between = Number.parseFloat(getComputedStyle(this.nav).columnGap) || 0;
    return this.bar.offsetWidth + (this.rest.hidden ? 0 : between + this.rest.offsetWidth) > this.room + 0.5;
  }
}
