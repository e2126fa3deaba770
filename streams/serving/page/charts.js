// Charts by uPlot, which is loaded with the first view that needs it, and their pictures as files.

import { onPaper, whenOnPaper } from "./paper.js";
import { zone } from "./text.js";

const LIBRARY = "vendor/uPlot.iife.min.js";
const STYLE = "vendor/uPlot.min.css";
// The width on A4 or letter paper, in CSS pixels.
const PAPER_WIDTH = 960;
let loading = null;

function load(name, attributes) {
  return new Promise((done, failed) => {
    const element = Object.assign(document.createElement(name), attributes);
    element.addEventListener("load", () => done());
    element.addEventListener("error", () => failed(new Error(`${attributes.src ?? attributes.href}`)));
    document.head.append(element);
  });
}

export function library() {
  loading ??= Promise.all([load("script", { src: LIBRARY }), load("link", { rel: "stylesheet", href: STYLE })]).catch((error) => {
    loading = null; // retried by the next view
    throw error;
  });
  return loading.then(() => globalThis.uPlot);
}

// A color of the theme, by its name in wallboard.css.
export const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
export const faint = (name, share) => {
  const [r, g, b] = color(name).match(/[0-9a-f]{2}/gi).map((part) => Number.parseInt(part, 16));
  return `rgb(${r} ${g} ${b} / ${share})`;
};

const font = () => `12px ${getComputedStyle(document.body).fontFamily}`;

export function axis(more = {}) {
  return {
    font: font(),
    stroke: () => color("quiet"),
    grid: { stroke: () => color("line"), width: 1 },
    size: 30,
    ticks: { stroke: () => color("line"), width: 1, size: 4 },
    ...more,
  };
}

// A chart as wide as its place, redrawn when the width or the theme changes. `options` is a function: colors are those of the theme.
export class Chart {
  constructor(uPlot, place, height, options, onPlace = () => {}) {
    Object.assign(this, { uPlot, place, height, options, onPlace, plot: null, data: null });
    this.sizes = new ResizeObserver(() => this.fit());
    this.sizes.observe(place);
    this.themes = new MutationObserver(() => this.show(this.data));
    this.themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.leavePaper = whenOnPaper(() => this.show(this.data));
  }

  get width() {
    return onPaper() ? PAPER_WIDTH : Math.max(240, Math.floor(this.place.clientWidth));
  }

  fit() {
    if (this.plot && this.plot.width !== this.width) this.plot.setSize({ width: this.width, height: this.height });
  }

  show(data) {
    if (!data) return;
    this.data = data;
    this.plot?.destroy();
    // The axis shows full hours of the page's zone.
    const clock = zone === null ? {} : { tzDate: (at) => this.uPlot.tzDate(new Date(at * 1000), zone) };
    this.plot = new this.uPlot({ width: this.width, height: this.height, legend: { show: false }, ...clock, ...this.options() }, data, this.place);
    this.plot.over.addEventListener("click", () => {
      const at = this.plot.cursor.idx;
      if (at !== null && at !== undefined) this.onPlace(at);
    });
  }

  close() {
    this.sizes.disconnect();
    this.themes.disconnect();
    this.leavePaper();
    this.plot?.destroy();
    this.plot = null;
  }
}

export const bars = (uPlot) => uPlot.paths.bars({ size: [0.84, Number.POSITIVE_INFINITY] });

// The charts of a view, one below the other, each with title and legend, as a PNG.
export function picture(title, charts) {
  const scale = globalThis.devicePixelRatio || 1;
  const shown = charts.filter(({ chart }) => chart.plot);
  const [pad, line] = [16 * scale, 22 * scale];
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(...shown.map(({ chart }) => chart.plot.ctx.canvas.width)) + 2 * pad;
  canvas.height = shown.reduce((sum, { chart }) => sum + chart.plot.ctx.canvas.height + 2 * line, 2 * pad + line);
  const context = canvas.getContext("2d");
  context.fillStyle = color("ground");
  context.fillRect(0, 0, canvas.width, canvas.height);
  const family = getComputedStyle(document.body).fontFamily;
  const write = (text, y, weight = 400) => {
    context.font = `${weight} ${13 * scale}px ${family}`;
    context.fillText(text, pad, y, canvas.width - 2 * pad);
  };
  context.fillStyle = color("text");
  let y = pad + line / 2;
  write(title, y, 600);
  for (const { chart, name, legend } of shown) {
    y += line;
    write(name, y, 600);
    y += line * 0.9;
    let x = pad;
    for (const [text, shade] of legend) {
      context.fillStyle = shade;
      context.fillRect(x, y - 10 * scale, 12 * scale, 10 * scale);
      context.fillStyle = color("text");
      context.font = `${12 * scale}px ${family}`;
      context.fillText(text, x + 17 * scale, y);
      x += context.measureText(text).width + 34 * scale;
    }
    context.drawImage(chart.plot.ctx.canvas, pad, y + 4 * scale);
    y += chart.plot.ctx.canvas.height + 4 * scale;
  }
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
