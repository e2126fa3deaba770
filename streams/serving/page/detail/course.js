// The day of a queue by interval: two charts of the same intervals, and details of an opened interval.

import { axis, bars, Chart, color, faint } from "../charts.js";
import { grid, make, replaceWhenChanged } from "../dom.js";
import { NOTHING, capitalize, count, duration, hour, known, label, parts, percent, points, setAttribute, setText, spanOf, target as targetText, word, zone } from "../text.js";

const HEIGHT = 220;
// A difference from the median below this is usual; with fewer other intervals there is no meaningful median.
const UNUSUAL = 0.1;
const COMPARED_WITH = 4;

const people = (value) => (known(value) ? (Math.round(value * 10) / 10).toLocaleString() : NOTHING);

export function median(values) {
  const sorted = values.filter(known).sort((a, b) => a - b);
  if (!sorted.length) return null;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Whether an interval still runs: its counts cannot be compared with complete ones.
const runs = (each, now) => Date.parse(each.end) > now;

// The measures of comparison; staff is that of the site.
export const measures = (staffName) => [
  ["offered", label("offered"), (each) => each.offered, count],
  ["aht", label("aht"), (each) => each.aht_seconds, duration],
  ["staff", staffName, (each) => each.staff, people],
];

// The measures in which an interval differs from the complete ones of its day, with value, median and relative change, the largest first.
export function unlike(each, day, now, staffName) {
  const others = day.filter((other) => other !== each && !runs(other, now));
  if (others.length < COMPARED_WITH) return null;
  return measures(staffName)
    .filter(([id]) => id !== "offered" || !runs(each, now))
    .map(([id, name, of, text]) => ({ id, name, text, value: of(each), usual: median(others.map(of)) }))
    .filter(({ value, usual }) => known(value) && known(usual) && usual > 0)
    .map((found) => ({ ...found, change: found.value / found.usual - 1 }))
    .filter(({ change }) => Math.abs(change) >= UNUSUAL)
    .sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
}

const share = (change) => percent(Math.round(Math.abs(change) * 100) / 100, 0);

export class Course {
  constructor(uPlot, place, { minutes, onOpen, contactsOf, allOf }) {
    Object.assign(this, { place, minutes, onOpen, contactsOf, allOf, day: [], opened: null });
    make(place, "h3", "", word("queue.course", { n: minutes }));
    this.legends = [make(place, "p", "legend")];
    this.slider = make(place, "div", "course");
    Object.assign(this.slider, { tabIndex: 0 });
    this.slider.setAttribute("role", "slider");
    this.slider.setAttribute("aria-label", word("queue.course", { n: minutes }));
    this.slider.addEventListener("keydown", (event) => this.onKey(event));
    const open = (at) => this.open(this.day[at]?.start ?? null);
    this.contacts = new Chart(uPlot, make(this.slider, "div", "chart"), HEIGHT, () => this.optionsOfContacts(uPlot), open);
    make(place, "h3", "", word("queue.effort", { n: minutes }));
    this.legends.push(make(place, "p", "legend effort-legend"));
    this.effort = new Chart(uPlot, make(place, "div", "chart effort"), HEIGHT * 0.75, () => this.optionsOfEffort(uPlot), open);
    this.note = make(place, "p", "none");
    make(place, "p", "none", `${word("queue.open_help")} ${capitalize(word("queue.workload"))}: ${word("queue.workload_meaning")}`);
    this.panel = make(place, "section", "opened");
    this.panel.setAttribute("aria-live", "polite");
    const table = make(place, "details", "all");
    make(table, "summary", "", word("queue.as_table"));
    this.table = make(table, "div", "wide");
  }

  close() {
    this.contacts.close();
    this.effort.close();
  }

  optionsOfContacts(uPlot) {
    const { target } = this;
    return {
      scales: { x: this.axis, y: { range: (_, __, most) => [0, Math.max(5, most * 1.1)] }, level: { range: [0, 1] } },
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      hooks: { draw: [(plot) => this.mark(plot), (plot) => this.markRunning(plot), (plot) => known(target) && line(plot, target, "level")] },
      series: [
        {},
        { label: label("offered"), scale: "y", paths: bars(uPlot), fill: () => faint("accent", 0.45), stroke: () => color("accent"), points: { show: false } },
        { label: label("abandoned", this.channel?.channel), scale: "y", paths: bars(uPlot), fill: () => color("bad"), stroke: () => color("bad"), points: { show: false } },
        { label: label("service_level"), scale: "level", stroke: () => color("text"), width: 2, points: { show: true, size: 6, fill: color("text") } },
      ],
      axes: [
        axis({ values: (_, at) => at.map((each) => hour(each * 1000)) }),
        axis({ scale: "y", size: 44 }),
        axis({ scale: "level", side: 1, size: 52, grid: { show: false }, values: (_, at) => at.map((each) => percent(each, 0)) }),
      ],
    };
  }

  optionsOfEffort() {
    return {
      scales: { x: this.axis, y: { range: (_, __, most) => [0, Math.max(60, most * 1.15)] }, agents: { range: (_, __, most) => [0, Math.max(2, (most ?? 0) * 1.15)] } },
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      hooks: { draw: [(plot) => this.mark(plot)] },
      series: [
        {},
        { label: label("aht"), scale: "y", stroke: () => color("accent"), width: 2, points: { show: true, size: 5, fill: color("accent") } },
        { label: word("queue.workload"), scale: "agents", stroke: () => color("quiet"), width: 2, dash: [2, 3], points: { show: false } },
        { label: this.staffName, scale: "agents", stroke: () => color("good"), width: 2, points: { show: false } },
        { label: word("queue.staff_required"), scale: "agents", stroke: () => color("warn"), width: 2, dash: [8, 4], points: { show: false } },
      ],
      axes: [
        axis({ values: (_, at) => at.map((each) => hour(each * 1000)) }),
        axis({ scale: "y", size: 52, values: (_, at) => at.map(duration) }),
        axis({ scale: "agents", side: 1, size: 52, grid: { show: false } }),
      ],
    };
  }

  // From the first interval to the last, at least three hours.
  get axis() {
    const first = Date.parse(this.day[0]?.start) / 1000;
    return { time: true, range: () => [first, Math.max(Date.parse(this.day.at(-1)?.end) / 1000, first + 3 * 3600)] };
  }

  // Frames the opened interval.
  mark(plot) {
    const each = this.opened && this.day.find(({ start }) => start === this.opened);
    if (!each) return;
    const { ctx, bbox } = plot;
    const [from, to] = [each.start, each.end].map((time) => plot.valToPos(Date.parse(time) / 1000, "x", true));
    ctx.save();
    ctx.setLineDash([]);
    ctx.strokeStyle = color("text");
    ctx.lineWidth = 2 * (globalThis.devicePixelRatio || 1);
    ctx.strokeRect(from, bbox.top, to - from, bbox.height);
    ctx.restore();
  }

  // Shades the running interval: its columns are partial.
  markRunning(plot) {
    const each = this.day.find((one) => runs(one, this.now));
    if (!each) return;
    const { ctx, bbox } = plot;
    const scale = globalThis.devicePixelRatio || 1;
    const [from, to] = [each.start, each.end].map((time) => plot.valToPos(Date.parse(time) / 1000, "x", true));
    ctx.save();
    ctx.fillStyle = faint("quiet", 0.14);
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    ctx.font = `${12 * scale}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textBaseline = "top";
    // Beside its column, where there is room.
    const text = word("queue.so_far");
    const { width } = ctx.measureText(text);
    const left = to + 6 * scale + width <= bbox.left + bbox.width ? to + 4 * scale : from - 4 * scale - width;
    // Readable across a line.
    ctx.fillStyle = faint("ground", 0.85);
    ctx.fillRect(left - 2 * scale, bbox.top + scale, width + 4 * scale, 15 * scale);
    ctx.fillStyle = color("text");
    ctx.fillText(text, left, bbox.top + 2 * scale);
    ctx.restore();
  }

  // `day` are the intervals of a day in order, `now` the instant of the figures.
  show({ channel, day, now, staffName, staffKnown, target }) {
    Object.assign(this, { channel, day, now, staffName, target });
    setText(this.note, staffKnown ? "" : word("queue.staff_unknown"));
    this.note.hidden = staffKnown;
    // The middle: a column is as wide as its interval.
    const at = day.map((each) => (Date.parse(each.start) + Date.parse(each.end)) / 2000);
    const of = (read) => day.map((each) => read(each) ?? null);
    // Without the running interval, whose workload is partial.
    const over = (read) => day.map((each) => (runs(each, now) ? null : (read(each) ?? null)));
    const data = [at, of((each) => each.offered), of((each) => each.abandoned), of((each) => each.service_level?.value)];
    const effort = [at, of((each) => each.aht_seconds), over((each) => each.workload_agents), of((each) => each.staff), of((each) => each.staff_required)];
    const running = day.find((each) => runs(each, now))?.start;
    const signature = JSON.stringify([zone, channel.channel, data, effort, target, staffName, running]);
    if (signature !== this.signature) {
      this.signature = signature;
      this.contacts.show(data);
      this.effort.show(effort);
      this.legend();
    }
    this.showOpened();
    this.list();
  }

  get legendOfContacts() {
    return [[label("offered"), color("accent"), "column"], [label("abandoned", this.channel?.channel), color("bad"), "column bad"], [label("service_level"), color("text"), "line"]];
  }

  get legendOfEffort() {
    const any = (read) => this.day.some((each) => known(read(each)));
    return [
      [label("aht"), color("accent"), "line accent"],
      [word("queue.workload"), color("quiet"), "line dotted"],
      ...(any((each) => each.staff) ? [[this.staffName, color("good"), "line good"]] : []),
      ...(any((each) => each.staff_required) ? [[word("queue.staff_required"), color("warn"), "line dashed"]] : []),
    ];
  }

  legend() {
    [this.legendOfContacts, this.legendOfEffort].forEach((entries, n) => {
      this.legends[n].replaceChildren();
      entries.forEach(([text, , kind]) => {
        const entry = make(this.legends[n], "span", "entry");
        make(entry, "i", kind);
        entry.append(text);
      });
      if (n === 0 && known(this.target)) {
        const entry = make(this.legends[n], "span", "entry");
        make(entry, "i", "line dashed");
        entry.append(word("target", { value: targetText(this.target) }));
      }
    });
  }

  onKey(event) {
    const at = this.day.findIndex(({ start }) => start === this.opened);
    const last = this.day.length - 1;
    const steps = { ArrowLeft: Math.max(0, (at < 0 ? last + 1 : at) - 1), ArrowRight: Math.min(last, at + 1), Home: 0, End: last };
    if (event.key === "Escape" && this.opened) this.open(null);
    else if (event.key in steps && last >= 0) this.open(this.day[steps[event.key]].start);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  open(start) {
    if (start === this.opened) return;
    this.opened = start;
    this.onOpen(start);
    this.contacts.plot?.redraw(false);
    this.effort.plot?.redraw(false);
    this.showOpened();
    // Shows the explanation without scrolling by hand.
    if (start !== null) this.panel.scrollIntoView({ block: "nearest" });
  }

  showOpened() {
    const at = this.day.findIndex(({ start }) => start === this.opened);
    const each = this.day[at] ?? null;
    setAttribute(this.slider, "aria-valuemin", "0");
    setAttribute(this.slider, "aria-valuemax", `${Math.max(0, this.day.length - 1)}`);
    setAttribute(this.slider, "aria-valuenow", `${Math.max(0, at < 0 ? this.day.length - 1 : at)}`);
    const shown = each ?? this.day.at(-1);
    setAttribute(this.slider, "aria-valuetext", shown ? `${this.titleOf(shown)}: ${label("offered")} ${count(shown.offered)}, ${label("service_level")} ${percent(shown.service_level?.value, 1, this.target)}` : NOTHING);
    this.panel.hidden = each === null;
    if (!each) {
      this.panel.replaceChildren();
      this.panel.drawn = null;
      return;
    }
    const found = unlike(each, this.day, this.now, this.staffName);
    replaceWhenChanged(this.panel, [this.channel?.channel, each, found, this.staffName, runs(each, this.now)], () => this.fill(each, found));
  }

  titleOf(each) {
    return `${spanOf(each)}${runs(each, this.now) ? ` (${word("queue.so_far")})` : ""}`;
  }

  fill(each, found) {
    const { panel } = this;
    const soFar = runs(each, this.now);
    make(panel, "h4", "", soFar || each.final ? this.titleOf(each) : `${spanOf(each)} (${word("queue.not_final")})`);
    make(panel, "p", "said", this.sentence(each, found));
    const others = this.day.filter((other) => other !== each && !runs(other, this.now));
    // Shares differ in points, all else in percent. Numbers of contacts grow until the interval ends.
    const row = (name, of, text, detail = "", differ = null) => {
      const [value, usual] = [of(each), others.length < COMPARED_WITH ? null : median(others.map(of))];
      const change = !(soFar && text === count) && known(value) && known(usual) && usual > 0 ? (differ ? value - usual : value / usual - 1) : null;
      const sign = change === null || Math.abs(change) < 0.005 ? "" : change > 0 ? "▲ " : "▼ ";
      return [name, { text: text(value), detail }, text(usual), change === null ? NOTHING : `${sign}${(differ ?? share)(Math.abs(change))}`];
    };
    const rows = [
      row(label("service_level"), ({ service_level: level }) => level?.value, (value) => percent(value, 1, this.target), parts(each.service_level), points),
      ...measures(this.staffName).map(([, name, of, text]) => row(capitalize(name), of, text)),
      row(label("answered"), (one) => one.answered, count),
      row(label("handled"), (one) => one.handled, count),
      row(label("abandoned", this.channel?.channel), (one) => one.abandoned, count),
      row(label("asa"), (one) => one.asa_seconds, duration),
      row(capitalize(word("queue.workload")), (one) => one.workload_agents, people),
      row(capitalize(word("queue.staff_required")), (one) => one.staff_required, people),
    ];
    grid(panel, spanOf(each), [["name", ""], ["here", word("dip.here")], ["usual", word("dip.usual"), word("dip.usual_meaning")], ["change", word("dip.change")]], rows, "few-columns");
    const contacts = each.offered ? this.contactsOf(each) : null;
    const further = make(panel, "p", "further");
    if (contacts) Object.assign(make(further, "a", "", word("dip.contacts")), { href: contacts });
    Object.assign(make(further, "a", "", word("dip.all_queues")), { href: this.allOf(each) });
    if (each.exceptions.length) make(panel, "p", "none", word("trend.exceptions", { names: each.exceptions.join(", ") }));
  }

  sentence(each, found) {
    if (!each.offered) return word("dip.none");
    if (found === null) return word("dip.too_few");
    const soFar = runs(each, this.now);
    if (!found.length) return word(soFar ? "dip.as_usual_so_far" : "dip.as_usual");
    const list = found.map(({ name, text, value, usual, change }) => word(change > 0 ? "dip.more" : "dip.less", { name, value: text(value), usual: text(usual), percent: share(change) }));
    return word(soFar ? "dip.unlike_so_far" : "dip.unlike", { list: list.join(word("list.and")) });
  }

  list() {
    const headings = [["name", word("queue.interval")], ["offered", label("offered")], ["answered", label("answered")], ["abandoned", label("abandoned", this.channel?.channel)], ["service_level", label("service_level")], ["aht", label("aht")], ["staff", capitalize(this.staffName)]];
    const running = this.day.filter((each) => runs(each, this.now)).map(({ start }) => start);
    replaceWhenChanged(this.table, [this.channel?.channel, this.day, this.staffName, running], (place) =>
      grid(
        place,
        word("queue.course", { n: this.minutes }),
        headings,
        this.day.map((each) => [
          `${hour(each.start)}–${hour(each.end)}${runs(each, this.now) ? ` (${word("queue.so_far")})` : each.final ? "" : " *"}`,
          count(each.offered),
          count(each.answered),
          count(each.abandoned),
          { text: percent(each.service_level?.value, 1, this.target), detail: parts(each.service_level) },
          duration(each.aht_seconds),
          people(each.staff),
        ]),
      ),
    );
  }
}

function line(plot, value, scale) {
  const { ctx, bbox } = plot;
  const y = plot.valToPos(value, scale, true);
  ctx.save();
  ctx.strokeStyle = color("text");
  ctx.lineWidth = globalThis.devicePixelRatio || 1;
  ctx.setLineDash([6, 4]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
