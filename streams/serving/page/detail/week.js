// The last seven days of a queue by hour: each cell has its service level as a number, and says by shape whether it missed the target.

import { make, replaceWhenChanged } from "../dom.js";
import { JUDGED_FROM } from "../rows.js";
import { NOTHING, count, hour, known, locale, percent, word } from "../text.js";

const HOUR_MS = 3_600_000;
const DAYS = 7;

// By its middle: where it begins in another zone it is still the day before.
export const dayName = (start) => new Date(start + 12 * HOUR_MS).toLocaleDateString(locale, { weekday: "short", day: "numeric", month: "short" });

// Hours of days, from their intervals: a day begins where today's does, as many times 24 hours ago.
export function hoursOf(intervals, dayStart) {
  const days = Array.from({ length: DAYS }, (_, back) => ({ start: dayStart - back * 24 * HOUR_MS, held: false, hours: Array.from({ length: 24 }, () => ({ offered: 0, met: 0, counted: 0 })) }));
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
  return days;
}

function verdict({ met, counted }, target) {
  if (counted === 0) return "empty";
  if (counted < JUDGED_FROM) return "few";
  if (!known(target)) return "plain";
  return met / counted < target ? "missed" : "met";
}

const SHAPES = { met: "", missed: "▼ ", few: "", plain: "", empty: "" };

export function drawWeek(place, { intervals, target, dayStart, chosen, onDay }) {
  const days = hoursOf(intervals, dayStart);
  replaceWhenChanged(place, [days, target, chosen], () => {
    make(place, "h3", "", word("week.title"));
    const wide = make(place, "div", "wide");
    Object.assign(wide, { tabIndex: 0 });
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", word("week.title"));
    const table = make(wide, "table", "week");
    make(table, "caption", "unseen", word("week.title"));
    const head = make(make(table, "thead"), "tr");
    make(head, "th", "", word("queue.day")).scope = "col";
    for (let n = 0; n < 24; n += 1) make(head, "th", "", hour(dayStart + n * HOUR_MS)).scope = "col";
    const body = make(table, "tbody");
    for (const day of days) {
      const row = make(body, "tr");
      const name = make(row, "th");
      name.scope = "row";
      if (day.held) {
        const choice = make(name, "button", "", dayName(day.start));
        choice.type = "button";
        choice.setAttribute("aria-pressed", `${day.start === chosen}`);
        choice.addEventListener("click", () => onDay(day.start));
      } else name.textContent = dayName(day.start);
      day.hours.forEach((cell, n) => {
        const kind = verdict(cell, target);
        const made = make(row, "td", kind);
        const level = cell.counted > 0 ? percent(cell.met / cell.counted, 0, target) : NOTHING;
        make(made, "b", "", `${SHAPES[kind]}${cell.counted > 0 ? level.replace(/[\s%]+/g, "") : NOTHING}`);
        if (cell.offered > 0) make(made, "small", "", count(cell.offered));
        made.title = `${dayName(day.start)}, ${hour(day.start + n * HOUR_MS)}: ${word("week.cell", { value: `${word("week.level")} ${level}`, n: count(cell.offered) })}`;
      });
    }
    make(place, "p", "none", `${word("week.level")} (%), ${word("week.offered")} · ${word("week.few", { n: JUDGED_FROM })} · ${word("week.held")}`);
  });
}
