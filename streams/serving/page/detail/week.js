// The stored days of a queue by hour: each cell shows its service level, marks a missed target by shape, and opens its hour.

import { make, replaceWhenChanged } from "../dom.js";
import { keepReachable } from "../explain.js";
import { JUDGED_FROM } from "../rows.js";
import { NOTHING, count, day as dateOf, hour, known, percent, weekday, word } from "../text.js";

const HOUR_MS = 3_600_000;
const DAYS = 7;

// By its middle: in another zone its begin may be on the day before.
export const dayName = (start) => weekday(start + 12 * HOUR_MS);

// Hours of days, from their intervals: days begin multiples of 24 hours before today's begin, back to the oldest stored day.
export function hoursOf(intervals, dayStart) {
  const days = Array.from({ length: DAYS }, (_, back) => ({ start: dayStart - back * 24 * HOUR_MS, held: back === 0, hours: Array.from({ length: 24 }, () => ({ offered: 0, met: 0, counted: 0 })) }));
  for (const each of intervals) {
    const at = Date.parse(each.start);
    const day = days.find(({ start }) => at >= start && at < start + 24 * HOUR_MS);
    if (!day) continue;
    day.held = true;
    const cell = day.hours[Math.floor((at - day.start) / HOUR_MS)];
    cell.offered += each.offered ?? 0;
    cell.met += each.service_level?.numerator ?? 0;
    cell.counted += each.service_level?.denominator ?? 0;
  }
  return days.slice(0, days.findLastIndex(({ held }) => held) + 1);
}

function verdict({ met, counted }, target) {
  if (counted === 0) return "empty";
  if (counted < JUDGED_FROM) return "few";
  if (!known(target)) return "plain";
  return met / counted < target ? "missed" : "met";
}

const SHAPES = { met: "", missed: "▼ ", few: "", plain: "", empty: "" };
const levelOf = ({ met, counted }) => (counted > 0 ? met / counted : null);

// Sorted by the service level of an hour, the worst first, or by day; unknown ones come last, in either direction.
function arranged(days, { by, down }) {
  if (by === "day") return down ? days : days.toReversed();
  return days.toSorted((one, other) => {
    const [a, b] = [one, other].map((day) => levelOf(day.hours[by]));
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return down ? b - a : a - b;
  });
}

function heading(row, key, text, { order, onOrder }) {
  const made = make(row, "th");
  made.scope = "col";
  made.setAttribute("aria-sort", order.by === key ? (order.down ? "descending" : "ascending") : "none");
  const choice = make(made, "button", "", text);
  Object.assign(choice, { type: "button", title: word(key === "day" ? "week.by_day" : "week.by_hour", { time: text }) });
  choice.dataset.focus = `by ${key}`;
  choice.addEventListener("click", () => onOrder({ by: key, down: order.by === key ? !order.down : key === "day" }));
}

export class Week {
  // `onDay` is called with the begin of a day, `onHour` with the begins of a day and an hour.
  constructor(place, { onDay, onHour }) {
    Object.assign(this, { place, onDay, onHour, order: { by: "day", down: true }, data: null });
  }

  show(data) {
    this.data = data;
    this.draw();
  }

  draw() {
    const { intervals, target, dayStart, chosen, now } = this.data;
    const days = hoursOf(intervals, dayStart);
    const since = Math.min(...intervals.map(({ start }) => Date.parse(start)));
    const focused = this.place.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    // The current hour decides which cells are still to come.
    replaceWhenChanged(this.place, [days, target, chosen, this.order, Math.floor(now / HOUR_MS), since], () => {
      this.table(days, { target, dayStart, chosen, now, since });
      const held = Number.isFinite(since) ? word("week.held", { time: `${dateOf(since)} ${hour(since)}` }) : "";
      make(this.place, "p", "none", [`${word("week.level")} (%), ${word("week.offered")}`, word("week.few", { n: JUDGED_FROM }), word("week.so_far"), held].filter(Boolean).join(" · "));
    });
    if (focused) this.place.querySelector(`[data-focus="${focused}"]`)?.focus({ preventScroll: true });
  }

  table(days, { target, dayStart, chosen, now, since }) {
    const title = word(days.length === 1 ? "week.title_today" : "week.title", { n: days.length });
    make(this.place, "h3", "", title);
    const wide = make(this.place, "div", "wide");
    Object.assign(wide, { tabIndex: 0 });
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", title);
    const table = make(wide, "table", "week");
    make(table, "caption", "unseen", title);
    const head = make(make(table, "thead"), "tr");
    const sorting = {
      order: this.order,
      onOrder: (order) => {
        this.order = order;
        this.draw();
      },
    };
    heading(head, "day", word("queue.day"), sorting);
    for (let n = 0; n < 24; n += 1) heading(head, n, hour(dayStart + n * HOUR_MS), sorting);
    const body = make(table, "tbody");
    for (const day of arranged(days, this.order)) this.row(make(body, "tr"), day, { target, chosen, now, since });
    keepReachable(table);
  }

  row(row, day, { target, chosen, now, since }) {
    const name = make(row, "th");
    name.scope = "row";
    if (day.held) {
      const choice = make(name, "button", "", dayName(day.start));
      choice.type = "button";
      choice.dataset.focus = `day ${day.start}`;
      choice.setAttribute("aria-pressed", `${day.start === chosen}`);
      choice.addEventListener("click", () => this.onDay(day.start));
    } else name.textContent = dayName(day.start);
    day.hours.forEach((cell, n) => {
      const at = day.start + n * HOUR_MS;
      const kind = verdict(cell, target);
      const made = make(row, "td", kind);
      Object.assign(made, { tabIndex: -1 });
      made.dataset.focus = `hour ${at}`;
      const when = `${dayName(day.start)}, ${hour(at)}`;
      if (cell.offered === 0 && cell.counted === 0) {
        // Three cases: to come, no longer stored, or without contacts.
        const none = at >= now ? ["", "week.to_come"] : at + HOUR_MS <= since ? ["·", "week.gone"] : [NOTHING, "dip.none"];
        make(made, "b", "", none[0]);
        made.title = `${when}: ${word(none[1])}`;
        return;
      }
      const level = percent(levelOf(cell), 0, target);
      make(made, "b", "", `${SHAPES[kind]}${level.replace(/[\s%]+/g, "")}`);
      // The running hour is partial.
      const runs = at <= now && now < at + HOUR_MS;
      if (cell.offered > 0) make(made, "small", "", `${count(cell.offered)}${runs ? "…" : ""}`);
      made.title = `${when}${runs ? ` (${word("queue.so_far")})` : ""}: ${word("week.cell", { value: `${word("week.level")} ${level}`, n: count(cell.offered) })} – ${word("week.open")}`;
      made.classList.add("opens");
      made.addEventListener("click", () => this.onHour(day.start, at));
      made.addEventListener("keydown", ({ key }) => key === "Enter" && this.onHour(day.start, at));
    });
  }
}
