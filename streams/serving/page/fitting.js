// Tables of walls: columns of figures are as wide as their figures and headings need, and names have what is left as far as they need it. What a
// column has needed once it keeps, so that little moves when figures change.

import { isNarrow } from "./options.js";
import { onPaper } from "./paper.js";
import { kpi, language } from "./text.js";

// Where figures need more than there is, the course of the day gives way before names, each to so much, in rem; names have so much of the width anyway.
const [LEAST_TREND, TREND] = [4, 0.09];
const [LEAST_NAME, WANTED_NAME] = [10, 14];
const USUAL_NAME = 0.22;
// The least that figures of a unit are expected to need.
const USUAL = { ratio: language === "ja" ? "100.0%" : "100.0 %", seconds: "00:00" };
const OTHERS = "00";

const pen = document.createElement("canvas").getContext("2d");
const widths = new Map();
const kept = new WeakMap();

// Digits are as wide as each other there: texts that differ in them alone are measured once.
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

// What a name, and what stands beside it, needs.
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

// How wide names are that stand in cells of a map, with the mark before them; `sample` is one of them as it stands there.
export function widestName(texts, sample) {
  const font = fontOf(sample);
  return Math.max(0, ...texts.map((text) => widthOf(text, font))) + 1.6 * fontSize(sample);
}

// So many cells stand beside each other that their names are whole, as far as there is room for so many lines.
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
    kept.delete(table);
    return;
  }
  if (!total) return;
  const rem = fontSize(document.documentElement);
  const of = `${total} ${rem} ${headings.map(({ className, textContent }) => `${className} ${textContent}`)}`;
  let state = kept.get(table);
  if (state?.of !== of) {
    state = { of, least: headings.map(leastOf), needs: [], shapes: [], names: new Map(), set: "" };
    Object.assign(state, {
      fonts: { value: once(fontOf), beside: once(fontOf), mostBeside: 4.2 * rem, beforeShape: 0.5 * rem },
      padding: once(padding),
    });
    kept.set(table, state);
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
