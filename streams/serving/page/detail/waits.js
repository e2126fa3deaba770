// The waits of today's contacts, with the threshold as a line, and other ways out of the queue.

import { axis, bars, Chart, color } from "../charts.js";
import { grid, make, replaceWhenChanged } from "../dom.js";
import { count, known, label, named, percent, withinSeconds, word } from "../text.js";

const HEIGHT = 200;

const edge = ({ up_to_seconds: at }, before) => (known(at) ? word("waits.up_to", { value: seconds(at) }) : word("waits.over", { value: seconds(before ?? 0) }));
export const seconds = withinSeconds;

// Without the empty buckets after the last one with contacts or the threshold.
export function shownWaits(waits, threshold) {
  const last = waits.findLastIndex(({ up_to_seconds: at, answered, abandoned }) => answered + abandoned > 0 || at === threshold);
  return waits.slice(0, last + 1);
}

export class Waits {
  constructor(uPlot, place) {
    this.place = place;
    this.waits = [];
    make(place, "h3", "", word("waits.title"));
    this.legend = make(place, "p", "legend");
    this.summary = make(place, "p", "said");
    const figure = make(place, "div", "chart");
    figure.setAttribute("role", "img");
    this.figure = figure;
    this.chart = new Chart(uPlot, figure, HEIGHT, () => this.options(uPlot));
    const all = make(place, "details", "all");
    make(all, "summary", "", word("queue.as_table"));
    this.table = make(all, "div", "wide");
    this.ways = make(place, "div", "ways");
  }

  close() {
    this.chart.close();
  }

  get legendOfWaits() {
    return [[label("answered"), color("accent")], [label("abandoned", this.channel), color("bad")]];
  }

  options(uPlot) {
    const { waits, threshold } = this;
    const name = (at) => (Number.isInteger(at) && waits[at] ? (known(waits[at].up_to_seconds) ? `≤${seconds(waits[at].up_to_seconds)}` : `>${seconds(waits[at - 1]?.up_to_seconds ?? 0)}`) : "");
    return {
      scales: { x: { time: false, range: [-0.5, waits.length - 0.5] }, y: { range: (_, __, most) => [0, Math.max(5, most * 1.1)] } },
      cursor: { show: false },
      hooks: { draw: [(plot) => this.line(plot, threshold)] },
      series: [
        {},
        { paths: bars(uPlot), fill: () => color("bad"), stroke: () => color("bad"), points: { show: false } },
        { paths: bars(uPlot), fill: () => color("accent"), stroke: () => color("accent"), points: { show: false } },
      ],
      axes: [axis({ splits: () => waits.map((_, n) => n), values: (_, at) => at.map(name), space: 44, rotate: waits.length > 9 ? -45 : 0, size: waits.length > 9 ? 62 : 40 }), axis({ size: 44 })],
    };
  }

  // The line is between the last bucket within the threshold and the first beyond it.
  line(plot, threshold) {
    const within = this.waits.filter(({ up_to_seconds: at }) => known(at) && at <= threshold).length;
    const { ctx, bbox } = plot;
    const scale = globalThis.devicePixelRatio || 1;
    const x = plot.valToPos(within - 0.5, "x", true);
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = color("text");
    ctx.lineWidth = 2 * scale;
    ctx.setLineDash([6 * scale, 4 * scale]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `${12 * scale}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    ctx.fillText(word("waits.threshold", { value: seconds(threshold) }), x + 6 * scale, bbox.top + 2 * scale);
    ctx.restore();
  }

  show({ channel, waits, flow_outs: ways, threshold_seconds: threshold, today }) {
    replaceWhenChanged(this.ways, [ways, today?.offered], (place) => drawWays(place, ways, today?.offered ?? 0));
    const signature = JSON.stringify([channel, waits, threshold]);
    if (signature === this.signature) return;
    this.signature = signature;
    Object.assign(this, { channel, threshold });
    this.waits = shownWaits(waits, threshold);
    const answered = this.waits.reduce((sum, each) => sum + each.answered, 0);
    const within = this.waits.filter(({ up_to_seconds: at }) => known(at) && at <= threshold).reduce((sum, each) => sum + each.answered, 0);
    const any = this.waits.some((each) => each.answered + each.abandoned > 0);
    this.summary.textContent = any ? word("waits.within", { n: count(within), all: count(answered), value: seconds(threshold) }) : word("waits.none");
    this.figure.hidden = !any;
    this.figure.setAttribute("aria-label", `${word("waits.title")}: ${this.summary.textContent}`);
    this.legend.replaceChildren();
    this.legend.hidden = !any;
    for (const [text, kind] of [[label("answered"), "column solid"], [label("abandoned", channel), "column bad"]]) {
      const entry = make(this.legend, "span", "entry");
      make(entry, "i", kind);
      entry.append(text);
    }
    // Stacked: the lower part is answered, the upper abandoned.
    if (any) this.chart.show([this.waits.map((_, n) => n), this.waits.map((each) => each.answered + each.abandoned), this.waits.map((each) => each.answered)]);
    this.table.replaceChildren();
    const rows = this.waits.map((each, n) => [edge(each, this.waits[n - 1]?.up_to_seconds), count(each.answered), count(each.abandoned)]);
    grid(this.table, word("waits.title"), [["name", word("waits.wait")], ["answered", label("answered")], ["abandoned", label("abandoned", channel)]], rows, "few-columns");
  }
}

function drawWays(place, ways, offered) {
  make(place, "h3", "", word("ways.title"));
  const entries = Object.entries(ways);
  if (!entries.length) {
    make(place, "p", "none", word("ways.none"));
    return;
  }
  grid(
    place,
    word("ways.title"),
    [["name", word("ways.way")], ["contacts", word("week.offered")], ["share", word("ways.share")]],
    entries.map(([way, number]) => [named("way", way), count(number), offered > 0 ? percent(number / offered) : "–"]),
    "few-columns",
  );
}
