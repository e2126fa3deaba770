// A board of the configuration: pages of tiles that take turns. Figures follow the stream; the board is asked for when that tells everything anew.

import { own, shown } from "../names.js";
import { placeOf } from "../options.js";
import { figureNow, longestWait } from "../rows.js";
import { writeName } from "../tables.js";
import { NOTHING, figure, goal, isOfNow, kpi, known, label, language, named, setAttribute, setClass, setText, word } from "../text.js";
import { minutes } from "../address.js";

const ASK_MS = 60_000;
const LEVEL = "service_level_live";
const JUDGED_FROM = 5;

let board = null;
let signature = "";
let page = 0;
let paused = false;
let timer = 0;
let tiles = [];

const said = (words) => words?.[language] ?? words?.en ?? words?.ja ?? "";

function make(parent, name, className = "", text = "") {
  const made = parent.appendChild(document.createElement(name));
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function placeName(kind, name) {
  if (kind === "total") return word("scope.total");
  return kind === "queue" ? shown(name) : `${word(`scope.${kind}`)} ${shown(name)}`;
}

// The entry of a tile's scope: of its channel, or of the only one there is.
function entryOf(tile, context) {
  const [kind, ...rest] = tile.scope.split(":");
  const name = rest.join(":");
  const people = kpi(tile.kpi).subject === "people";
  const found = [...context.gather(kind).values()].filter((entry) => entry.scope === name && (people ? entry.channel === null : entry.channel !== null));
  const mine = tile.channel ? found.filter((entry) => entry.channel === tile.channel) : found;
  return { kind, name, entry: mine.length === 1 ? mine[0] : null, several: mine.length > 1, silent: context.silence(kind, name) };
}

const valueOf = (id, entry, asOf) => (isOfNow(id) ? (entry.now ? figureNow(id, entry.now, asOf) : null) : (entry.window?.kpis[id]?.value ?? null));

// How far beyond its bounds a figure is: bad, warn, good or nothing where it has none. Few contacts decide no share.
function verdict(tile, value, of, target) {
  const { direction, unit, denominator_unit: per } = kpi(tile.kpi);
  if (!known(value)) return "";
  if (unit === "ratio" && per === "contacts" && (of?.denominator ?? JUDGED_FROM) < JUDGED_FROM) return "";
  const beyond = (bound) => known(bound) && (direction === "up" ? value <= bound : value >= bound);
  if (known(tile.bad) || known(tile.warn)) return beyond(tile.bad) ? "bad" : beyond(tile.warn) ? "warn" : "good";
  if (tile.kpi !== LEVEL || !known(target)) return "";
  return value < target ? "bad" : "good";
}

class FigureTile {
  constructor(place, tile) {
    this.tile = tile;
    this.place = place;
    this.heading = make(place, "h3");
    this.value = make(place, "b");
    this.mark = make(this.value, "i");
    this.text = make(this.value, "span");
    this.note = make(place, "small");
  }

  show(context) {
    const { tile, place } = this;
    const { kind, name, entry, several, silent } = entryOf(tile, context);
    const whose = [placeName(kind, name), tile.channel ? named("channel", tile.channel) : ""].filter(Boolean).join(" · ");
    setText(this.heading, said(tile.title) || `${label(tile.kpi === LEVEL ? "service_level" : tile.kpi)} · ${whose}`);
    const value = entry ? valueOf(tile.kpi, entry, context.asOf()) : null;
    const target = kind === "queue" ? own(context.targets(), name) : null;
    const of = entry?.window?.kpis[tile.kpi];
    const found = silent ? "" : verdict(tile, value, of, target);
    for (const each of ["good", "warn", "bad"]) setClass(place, each, found === each);
    setClass(place, "silent", silent !== "");
    setText(this.text, figure(tile.kpi, value).replace(" %", "%"));
    setAttribute(this.mark, "role", ["warn", "bad"].includes(found) ? "img" : "presentation");
    setAttribute(this.mark, "aria-label", ["warn", "bad"].includes(found) ? word(`board.${found}`) : "");
    const none = several ? word("board.several") : known(value) || (isOfNow(tile.kpi) && entry?.now) ? "" : word("board.missing");
    setText(this.note, [silent, none, known(target) && tile.kpi === LEVEL ? word("target", { value: goal(tile.kpi, target) }) : ""].filter(Boolean).join(" · "));
  }
}

class QueuesTile {
  constructor(place, tile) {
    this.tile = tile;
    this.place = place;
    if (said(tile.title)) make(place, "h3", "", said(tile.title));
    this.table = make(place, "table");
    const head = make(make(this.table, "thead"), "tr");
    for (const [id, text] of [["name", word("scope.queue")], ...tile.columns.map((id) => [id, label(id === LEVEL ? "service_level" : id)])]) {
      make(head, "th", id, text).scope = "col";
    }
    this.body = make(this.table, "tbody");
    this.more = make(place, "small", "more");
  }

  chosen(context) {
    const { queues, site, department, channels } = this.tile;
    const fits = ({ scope, channel }) => {
      const place = placeOf("queue", scope);
      if (channel === null || scope.startsWith("(")) return false;
      if (queues.length && !queues.includes(scope)) return false;
      if (channels.length && !channels.includes(channel)) return false;
      return (site === null || place?.site === site) && (department === null || place?.department === department);
    };
    const gap = ({ scope, window }) => {
      const [level, target] = [window?.kpis[LEVEL], own(context.targets(), scope)];
      return known(level?.value) && known(target) && (level.denominator ?? 0) >= JUDGED_FROM ? level.value - target : 1;
    };
    const found = [...context.gather("queue").values()].filter(fits).map((entry) => ({ ...entry, gap: gap(entry) }));
    return found.sort((a, b) => a.gap - b.gap || (longestWait(b.now, context.asOf()) ?? 0) - (longestWait(a.now, context.asOf()) ?? 0) || a.scope.localeCompare(b.scope));
  }

  show(context) {
    const all = this.chosen(context);
    const line = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) * 2;
    const room = Math.max(1, Math.floor((this.place.clientHeight - this.table.tHead.offsetHeight - line * (said(this.tile.title) ? 2 : 1)) / line));
    const rows = all.slice(0, all.length <= room + 1 ? all.length : room);
    while (this.body.rows.length > rows.length) this.body.lastChild.remove();
    rows.forEach((entry, n) => this.row(this.body.rows[n] ?? this.make(), entry, context));
    setText(this.more, all.length > rows.length ? word("board.more", { n: all.length - rows.length }) : all.length ? "" : word("no_queues_chosen"));
  }

  make() {
    const row = make(this.body, "tr");
    const head = make(row, "th", "name");
    head.scope = "row";
    make(head, "b");
    make(head, "small");
    for (const id of this.tile.columns) {
      const cell = make(row, "td", id);
      make(cell, "i");
      make(cell, "b");
    }
    return row;
  }

  row(row, entry, context) {
    const { scope, channel } = entry;
    const silent = context.silence("queue", scope) !== "";
    const [name, small] = row.cells[0].children;
    if (name.title !== shown(scope)) {
      name.replaceChildren();
      writeName(name, shown(scope));
    }
    setText(small, named("channel", channel));
    setClass(row, "silent", silent);
    this.tile.columns.forEach((id, n) => {
      const cell = row.cells[n + 1];
      const [mark, text] = cell.children;
      const value = valueOf(id, entry, context.asOf());
      const found = id === LEVEL && !silent && entry.gap !== 1 ? (entry.gap < 0 ? "bad" : "good") : "";
      for (const each of ["good", "bad"]) setClass(cell, each, found === each);
      setAttribute(mark, "role", found ? "img" : "presentation");
      setAttribute(mark, "aria-label", found ? word(found === "bad" ? "missed" : "met") : "");
      setText(text, figure(id, value).replace(" %", "%"));
    });
  }
}

class TextTile {
  constructor(place, tile) {
    place.classList.add(tile.color);
    if (said(tile.title)) make(place, "h3", "", said(tile.title));
    make(place, "p", "", said(tile.text));
  }

  show() {}
}

const KINDS = { figure: FigureTile, queues: QueuesTile, text: TextTile };

function build(place, context) {
  const { pages } = board;
  page = Math.min(page, pages.length - 1);
  const { title, columns, rows, tiles: told } = pages[page];
  place.replaceChildren();
  setText(place.parentElement.querySelector("h2"), [said(board.title), said(title)].filter(Boolean).join(" · "));
  place.style.setProperty("--columns", columns);
  place.style.setProperty("--rows", rows);
  tiles = told.map((tile) => {
    const item = make(place, "section", `tile ${tile.kind}`);
    item.style.setProperty("--width", tile.width);
    item.style.setProperty("--height", tile.height);
    return new KINDS[tile.kind](item, tile);
  });
  showTurn();
  draw(context);
}

function draw(context) {
  for (const tile of tiles) tile.show(context);
}

const button = () => document.getElementById("pages");

function showTurn() {
  const text = word("page_of", { n: page + 1, all: board.pages.length });
  button().hidden = board.pages.length < 2;
  setText(button(), paused ? `${text} · ${word("paused")}` : text);
  setAttribute(button(), "title", word("paging_help"));
  setAttribute(button(), "aria-pressed", `${paused}`);
}

function turn(step, place, context) {
  page = (page + step + board.pages.length) % board.pages.length;
  build(place, context);
}

function wait(place, context) {
  clearInterval(timer);
  if (board.rotate_seconds > 0 && board.pages.length > 1) timer = setInterval(() => paused || turn(1, place, context), board.rotate_seconds * 1000);
}

function keys(event, place, context) {
  if (!board || event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
  const step = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
  if (step) {
    turn(step, place, context);
    wait(place, context); // who turned it reads: the new page stays its full time
  } else if (event.key === " " && !event.target.closest("button, a")) pause();
  else return;
  event.preventDefault();
}

function pause() {
  paused = !paused;
  showTurn();
}

function offer(root, boards, context) {
  const name = context.asked("board");
  const entries = Object.entries(boards);
  make(root, "p", "none", entries.length === 0 ? word("board.none") : name ? word("board.unknown", { name: shown(name) }) : word("board.choose"));
  const list = make(root, "ul", "boards");
  for (const [id, { title }] of entries) {
    const link = make(make(list, "li"), "a", "", said(title));
    link.href = context.link("board", { board: id });
  }
}

export async function show(root, context) {
  [board, signature, page, paused] = [null, "", 0, false];
  const place = make(root, "div", "tiles");
  const rest = make(root, "div");
  const { signal } = context;
  addEventListener("keydown", (event) => keys(event, place, context), { signal });
  button().addEventListener("click", pause, { signal });
  addEventListener("resize", () => draw(context), { signal });
  const ask = async () => {
    const { boards } = await context.ask("api/v1/boards");
    if (JSON.stringify(boards) === signature) return;
    signature = JSON.stringify(boards);
    const name = context.asked("board");
    board = name === null ? null : own(boards, name);
    rest.replaceChildren();
    tiles = [];
    place.replaceChildren();
    place.hidden = !board;
    if (!board) {
      offer(rest, boards, context);
      return;
    }
    // The stream brings the windows of the address.
    if (board.window_minutes !== minutes) {
      location.replace(context.link("board", { board: name, window: `${board.window_minutes}` }));
      return;
    }
    document.documentElement.dataset.theme = context.asked("theme") ?? board.theme;
    build(place, context);
    wait(place, context);
  };
  await ask();
  context.onAnew(ask);
  context.every(ASK_MS, ask);
  context.onNews(() => board && draw(context));
}

export function close() {
  clearInterval(timer);
  button().hidden = true;
  board = null;
}
