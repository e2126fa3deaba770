// Tables of walls: columns of figures are as wide as figures and headings need, and names get the remaining width that they need. A column
// never shrinks, so that little moves when figures change.

import { isNarrow } from "./options.js";
import { onPaper } from "./paper.js";
import { kpi, language } from "./text.js";

// Where width is short, the day's trend shrinks before names, each to a minimum in rem; names have a share of the width anyway.
const [LEAST_TREND, TREND] = [4, 0.09];
const [LEAST_NAME, WANTED_NAME] = [10, 14];
const USUAL_NAME = 0.22;
// The least that figures of a unit are expected to need.
const USUAL = { ratio: language === "ja" ? "100.0%" : "100.0 %", seconds: "00:00" };
const OTHERS = "00";

const pen = document.createElement("canvas").getContext("2d");
const widths = new Map();
const states = new WeakMap();

// Digits have equal width: texts that differ only in digits are measured once.
function widthOf(text, font) {
  const key = `${font} ${text.replace(/\d/g, "0")}`;
  if (!widths.has(key)) {
    if (widths.size > 5_000) widths.clear();
    pen.font = font;
    widths.set(key, pen.measureText(text.replace(/\d/g, "0")).width);
  }
  return widths.get(key);
}

const fontOf = (element) => (({ fontStyle, fontWeight, fontSize, fontFamily }) => `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`)(getComputedStyle(element));
const padding = (element) => (({ paddingLeft, paddingRight }) => Number.parseFloat(paddingLeft) + Number.parseFloat(paddingRight))(getComputedStyle(element));
const fontSize = (element) => Number.parseFloat(getComputedStyle(element).fontSize);

// The width that a heading needs when it breaks between words alone.
function leastOf(heading) {
  const probe = document.createElement("span");
  probe.textContent = heading.textContent.replaceAll("\u00ad", "");
  probe.className = "probe";
  heading.append(probe);
  const { width } = probe.getBoundingClientRect();
  probe.remove();
  return width + padding(heading);
}

// The width of a name and its marks.
function nameWidth(cell, fonts, between) {
  const parts = [...cell.children].filter((part) => part.textContent && !part.matches("button"));
  const sum = parts.reduce((all, part) => {
    if (!fonts.has(part.className)) fonts.set(part.className, fontOf(part));
    return all + widthOf(part.textContent, fonts.get(part.className)) + between;
  }, 0);
  return sum + (cell.parentElement.classList.contains("pinned") ? between * 4 : 0);
}

function shapeWidth(cell) {
  const shape = cell?.querySelector("i:not(.bar i)");
  if (!shape || getComputedStyle(shape).display === "none") return 0;
  return (shape.classList.contains("shape") ? 0.95 : 1.1) * fontSize(shape);
}

function cellWidth(cell, fonts) {
  const value = cell.querySelector("b");
  if (!value) return 0;
  const beside = cell.querySelector(".beside");
  const besides = beside ? Math.max(...[...beside.children].map((part) => widthOf(part.textContent, fonts.beside(beside)))) : 0;
  return widthOf(value.textContent, fonts.value(value)) + (besides ? Math.min(besides, fonts.mostBeside) + fonts.beforeShape : 0);
}

// The widest name in the cells of a map, with its mark; `sample` is one of them.
export function widestName(texts, sample) {
  const font = fontOf(sample);
  return Math.max(0, ...texts.map((text) => widthOf(text, font))) + 1.6 * fontSize(sample);
}

// The number of cells in a line: names are shown in full where the lines have room.
export function cellsAcross(number, width, lines, least, name) {
  const most = Math.max(1, Math.floor(width / least));
  return Math.max(1, Math.min(most, Math.max(Math.ceil(number / lines), Math.min(Math.floor(width / name), number))));
}

const once = (make) => {
  let made;
  return (element) => (made ??= make(element));
};

export function fitColumns(table) {
  const headings = [...table.tHead.rows[0].cells];
  const total = table.clientWidth;
  if (isNarrow() || onPaper() || getComputedStyle(table).display !== "table") {
    for (const heading of headings) heading.style.width = "";
    states.delete(table);
    return;
  }
  if (!total) return;
  const rem = fontSize(document.documentElement);
  const of = `${total} ${rem} ${headings.map(({ className, textContent }) => `${className} ${textContent}`)}`;
  let state = states.get(table);
  if (state?.of !== of) {
    state = { of, least: headings.map(leastOf), needs: [], shapes: [], names: new Map(), set: "" };
    Object.assign(state, {
      fonts: { value: once(fontOf), beside: once(fontOf), mostBeside: 4.2 * rem, beforeShape: 0.5 * rem },
      padding: once(padding),
    });
    states.set(table, state);
  }
  const rows = [...table.rows].slice(1);
  let want = 0;
  headings.forEach((heading, n) => {
    if (heading.classList.contains("name")) {
      want = Math.max(...rows.map((row) => nameWidth(row.cells[n], state.names, 0.4 * rem)), 0) + padding(heading) + 2;
      return;
    }
    if (heading.classList.contains("trend")) {
      state.needs[n] = TREND * total;
      return;
    }
    const cells = rows.map((row) => row.cells[n]).filter(Boolean);
    const usual = cells.length ? widthOf(USUAL[kpi(heading.className).unit] ?? OTHERS, state.fonts.value(cells[0].querySelector("b") ?? cells[0])) : 0;
    state.shapes[n] ??= shapeWidth(cells[0]);
    const figures = Math.max(usual, ...cells.map((cell) => cellWidth(cell, state.fonts))) + state.shapes[n] + (cells.length ? state.padding(cells[0]) : 0);
    state.needs[n] = Math.ceil(Math.max(state.needs[n] ?? 0, state.least[n], figures) + 1);
  });
  const course = headings.findIndex((heading) => heading.classList.contains("trend"));
  const sum = () => state.needs.reduce((all, need) => all + (need ?? 0), 0);
  if (course >= 0) state.needs[course] = Math.max(LEAST_TREND * rem, state.least[course], state.needs[course] - Math.max(0, sum() + Math.min(want, WANTED_NAME * rem) - total));
  const needed = sum();
  const name = Math.max(LEAST_NAME * rem, Math.min(Math.max(want, USUAL_NAME * total), total - needed));
  const others = headings.length - 1;
  const [more, share] = [Math.max(0, total - name - needed) / others, Math.min(1, (total - name) / needed)];
  const next = headings.map((heading, n) => `${(heading.classList.contains("name") ? name : state.needs[n] * share + more).toFixed(1)}px`);
  if (`${next}` === state.set) return;
  state.set = `${next}`;
  headings.forEach((heading, n) => (heading.style.width = next[n]));
}
