// A board of the configuration: rotating pages of tiles. Figures follow the event stream; the board is reloaded after each new snapshot.

import { make } from "../dom.js";
import { own, shown } from "../names.js";
import { whenOnPaper } from "../paper.js";
import { setAttribute, setText, word } from "../text.js";
import { KINDS, translated } from "../tiles.js";
import { minutes } from "../address.js";

const ASK_MS = 60_000;

let board = null;
let signature = "";
let page = 0;
let paused = false;
let timer = 0;
let tiles = [];

function build(place, context) {
  const { pages } = board;
  page = Math.min(page, pages.length - 1);
  const { title, columns, rows, tiles: entries } = pages[page];
  place.replaceChildren();
  setText(place.parentElement.querySelector("h2"), [translated(board.title), translated(title)].filter(Boolean).join(" · "));
  place.style.setProperty("--columns", columns);
  place.style.setProperty("--rows", rows);
  tiles = entries.map((tile) => {
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
    wait(place, context); // a user reads: the new page stays its full time
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
    const link = make(make(list, "li"), "a", "", translated(title));
    link.href = context.link("board", { board: id });
  }
}

export async function show(root, context) {
  [board, signature, page, paused] = [null, "", 0, false];
  const place = make(root, "div", "tiles");
  const others = make(root, "div");
  const { signal } = context;
  addEventListener("keydown", (event) => keys(event, place, context), { signal });
  button().addEventListener("click", pause, { signal });
  addEventListener("resize", () => draw(context), { signal });
  signal.addEventListener("abort", whenOnPaper(() => board && draw(context)));
  const ask = async () => {
    const { boards } = await context.ask("api/v1/boards");
    if (JSON.stringify(boards) === signature) return;
    signature = JSON.stringify(boards);
    const name = context.asked("board");
    board = name === null ? null : own(boards, name);
    others.replaceChildren();
    tiles = [];
    place.replaceChildren();
    place.hidden = !board;
    if (!board) {
      offer(others, boards, context);
      return;
    }
    // The event stream has the windows of the address.
    if (board.window_minutes !== minutes) {
      location.replace(context.link("board", { board: name, window: `${board.window_minutes}` }));
      return;
    }
    document.documentElement.dataset.theme = context.asked("theme") ?? board.theme;
    build(place, context);
    wait(place, context);
  };
  await ask();
  context.onReset(ask);
  context.every(ASK_MS, ask);
  context.onNews(() => board && draw(context));
}

export function close() {
  clearInterval(timer);
  button().hidden = true;
  board = null;
}
