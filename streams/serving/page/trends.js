// The day so far of every queue, one column an interval: polled for all queues at once.

import { shown } from "./names.js";
import { hour, known, percent, setAttribute, target as targetText, word, zone } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [240, 29];
const ASK_MS = 20_000;

// One axis for all queues, so that times align and quiet intervals show as gaps. At least three hours wide: the first interval of a day must
// not fill the cell.
function axisOf(trends) {
  const all = trends.flatMap(({ intervals }) => intervals);
  if (!all.length) return [0, 0];
  const start = Math.min(...all.map((each) => Date.parse(each.start)));
  const end = Math.max(...all.map((each) => Date.parse(each.end)));
  return [start, Math.max(end, start + 3 * 3_600_000)];
}

const keyOf = ({ queue, channel }) => `${queue}\u0000${channel}`;

export class Trends {
  constructor(onNews, judgedFrom) {
    this.series = new Map();
    this.isRead = false;
    this.axis = [0, 0];
    this.onNews = onNews;
    this.judgedFrom = judgedFrom;
  }

  follow() {
    this.ask();
    setInterval(() => this.ask(), ASK_MS);
  }

  async ask() {
    try {
      const answer = await fetch("api/v1/trends");
      if (!answer.ok) return;
      const data = await answer.json();
      // Before figures are read the day is unknown.
      if (data.ready === false) return;
      this.isRead = true;
      this.series = new Map(data.trends.map((trend) => [keyOf(trend), trend.intervals]));
      this.axis = axisOf(data.trends);
      this.onNews();
    } catch {
      // The page's mark shows the lost connection.
    }
  }

  // The server has sent a new snapshot.
  reset() {
    this.ask();
  }

  of(queue, channel) {
    return this.series.get(keyOf({ queue, channel })) ?? [];
  }

  draw(cell, intervals, target) {
    // Redrawn only where it would look different.
    const last = intervals.at(-1);
    const signature = JSON.stringify([zone, ...this.axis, this.isRead, intervals.length, intervals[0]?.start, last, target, intervals.filter((each) => each.final).length, intervals.map((each) => [each.service_level, each.exceptions])]);
    if (cell.signature === signature) return;
    cell.signature = signature;
    const text = this.text(intervals, target);
    setAttribute(cell.element, "title", text);
    const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": text });
    if (intervals.length) this.columns(svg, intervals, target);
    const ends = document.createElement("span");
    ends.className = "ends";
    const names = exceptionsOf(intervals);
    for (const time of intervals.length ? this.axis : []) ends.appendChild(document.createElement("time")).textContent = hour(time);
    if (names.length) {
      const named = document.createElement("span");
      named.className = "exception";
      named.textContent = names.join(", ");
      ends.lastChild.before(named);
    }
    ends.setAttribute("aria-hidden", "true");
    cell.element.replaceChildren(svg, ends);
  }

  columns(svg, intervals, target) {
    const [start, end] = this.axis;
    const x = (time) => ((time - start) / (end - start)) * WIDTH;
    const y = (level) => HEIGHT - 1 - level * (HEIGHT - 3);
    svg.append(node("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
    for (const each of intervals) {
      const level = each.service_level;
      const [from, to] = [x(Date.parse(each.start)), x(Date.parse(each.end))];
      if (each.exceptions?.length) svg.append(node("line", { class: "exception", x1: from, x2: to, y1: 0.5, y2: 0.5 }));
      if (!known(level)) continue;
      const gap = Math.min(1.5, (to - from) / 5);
      // A level of 0 % is a low column: an interval without contacts has none.
      const height = Math.max(2.5, HEIGHT - 1 - y(level));
      const classes = [this.verdict(each, target), each.final ? "" : "open"].filter(Boolean).join(" ");
      svg.append(node("rect", { class: classes, x: from + gap / 2, width: Math.max(0.8, to - from - gap), y: HEIGHT - 1 - height, height }));
    }
    if (known(target)) svg.append(node("line", { class: "target", x1: 0, x2: WIDTH, y1: y(target), y2: y(target) }));
  }

  verdict(each, target) {
    if (!known(target)) return "plain";
    if ((each.denominator ?? 0) < this.judgedFrom) return "few";
    return each.service_level < target ? "missed" : "met";
  }

  text(intervals, target) {
    const decided = intervals.filter((each) => known(each.service_level));
    const names = exceptionsOf(intervals);
    const marked = names.length ? [word("trend.exceptions", { names: names.join(", ") })] : [];
    if (!decided.length) return [word(this.isRead ? "trend.none" : "loading"), ...marked].join(" · ");
    const texts = [word("trend.span", { from: hour(intervals[0].start), to: hour(intervals.at(-1).end) })];
    const judged = decided.filter((each) => ["met", "missed"].includes(this.verdict(each, target)));
    if (known(target)) {
      texts.push(word("target", { value: targetText(target) }));
      if (judged.length) texts.push(word("trend.below", { n: judged.filter((each) => this.verdict(each, target) === "missed").length, all: judged.length }));
    }
    const lowest = (judged.length ? judged : decided).reduce((a, b) => (b.service_level < a.service_level ? b : a));
    texts.push(word("trend.lowest", { value: percent(lowest.service_level, 1, target), time: hour(lowest.start) }));
    const final = decided.filter((each) => each.final).at(-1);
    if (final) texts.push(word("trend.last", { value: percent(final.service_level, 1, target) }));
    return [...texts, ...marked].join(" · ");
  }
}

// The calendar exceptions of the intervals.
function exceptionsOf(intervals) {
  return [...new Set(intervals.flatMap((each) => each.exceptions ?? []))].map(shown);
}

function node(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, typeof value === "number" ? value.toFixed(2) : value);
  return made;
}
