// The tiles of boards: each is built from its configuration, and shows figures of the page.

import { address } from "./address.js";
import { List } from "./alerts.js";
import { contactsOf, lead } from "./behind.js";
import { make } from "./dom.js";
import { cellsAcross, fitColumns, widestName } from "./fitting.js";
import { own, shown } from "./names.js";
import { isNarrow, placeOf } from "./options.js";
import { onPaper } from "./paper.js";
import { channelRank, figureNow, goalOf, isSelfService, longestWait } from "./rows.js";
import { writeName } from "./tables.js";
import { NOTHING, figure, isOfNow, kpi, known, label, language, named, placeName, queueName, setAttribute, setClass, setText, word } from "./text.js";

const LEVEL = "service_level_live";
const JUDGED_FROM = 5;
// The gap with the deepest color; as in map.js.
const DEEPEST = 0.3;
// The least that a cell of a map needs, in rem.
const [CELL_WIDTH, CELL_HEIGHT] = [7.5, 4.65];

// Telephones scroll, and paper has further sheets: nothing is left out there.
const isWhole = () => isNarrow() || onPaper();

export const translated = (words) => words?.[language] ?? words?.en ?? words?.ja ?? "";

// The entry of a tile's scope: of its channel, or of the only one.
function entryOf(tile, context) {
  const [kind, ...rest] = tile.scope.split(":");
  const name = rest.join(":");
  const people = kpi(tile.kpi).subject === "people";
  const found = [...context.gather(kind).values()].filter((entry) => entry.scope === name && (people ? entry.channel === null : entry.channel !== null));
  const mine = tile.channel ? found.filter((entry) => entry.channel === tile.channel) : found;
  return { kind, name, entry: mine.length === 1 ? mine[0] : null, several: mine.length > 1, silent: context.silence(kind, name) };
}

const valueOf = (id, entry, asOf) => (isOfNow(id) ? (entry.now ? figureNow(id, entry.now, asOf) : null) : (entry.window?.kpis[id]?.value ?? null));

// The verdict on a figure: bad, warn, good, or "" without bounds. A share of few contacts has none.
function verdict(tile, value, of, target) {
  const { direction, unit, denominator_unit: per } = kpi(tile.kpi);
  if (!known(value)) return "";
  if (unit === "ratio" && per === "contacts" && (of?.denominator ?? JUDGED_FROM) < JUDGED_FROM) return "";
  const beyond = (bound) => known(bound) && (direction === "up" ? value <= bound : value >= bound);
  if (known(tile.bad) || known(tile.warn)) return beyond(tile.bad) ? "bad" : beyond(tile.warn) ? "warn" : "good";
  if (tile.kpi !== LEVEL || !known(target)) return "";
  return value < target ? "bad" : "good";
}

// Links a figure to its contacts.
function toContacts(link, kind, name, channel, id) {
  const text = `${label(id.replace(/_live$/, ""), channel)} ${link.textContent} · ${placeName(kind, name)} – ${word("contacts.behind")}`;
  lead(link, link.textContent === NOTHING ? null : contactsOf(kind, name, channel, id), text, word("contacts.behind"));
}

class FigureTile {
  constructor(place, tile) {
    this.tile = tile;
    this.place = place;
    this.heading = make(place, "h3");
    this.value = make(place, "b");
    this.mark = make(this.value, "i");
    this.text = make(this.value, "a");
    this.note = make(place, "small");
  }

  show(context) {
    const { tile, place } = this;
    const { kind, name, entry, several, silent } = entryOf(tile, context);
    const whose = [placeName(kind, name), tile.channel ? named("channel", tile.channel) : ""].filter(Boolean).join(" · ");
    setText(this.heading, translated(tile.title) || `${label(tile.kpi === LEVEL ? "service_level" : tile.kpi, tile.channel)} · ${whose}`);
    const value = entry ? valueOf(tile.kpi, entry, context.asOf()) : null;
    const target = kind === "queue" ? own(context.targets(), name) : null;
    const of = entry?.window?.kpis[tile.kpi];
    const found = silent ? "" : verdict(tile, value, of, target);
    for (const each of ["good", "warn", "bad"]) setClass(place, each, found === each);
    setClass(place, "silent", silent !== "");
    setText(this.text, figure(tile.kpi, value).replace(" %", "%"));
    toContacts(this.text, kind, name, entry?.channel, tile.kpi);
    setAttribute(this.mark, "role", ["warn", "bad"].includes(found) ? "img" : "presentation");
    setAttribute(this.mark, "aria-label", ["warn", "bad"].includes(found) ? word(`board.${found}`) : "");
    const none = several ? word("board.several") : known(value) || (isOfNow(tile.kpi) && entry?.now) ? "" : context.unread() || word(isSelfService(tile.channel) ? "board.self_service" : "board.missing");
    setText(this.note, [silent, none, tile.kpi === LEVEL && kind === "queue" ? goalOf(target, entry ? context.judging(name, entry.channel)[0]?.threshold_seconds : null) : ""].filter(Boolean).join(" · "));
  }
}

// The queues of a tile, the furthest below their targets first.
class OfQueues {
  constructor(place, tile) {
    Object.assign(this, { place, tile });
    if (translated(tile.title)) make(place, "h3", "", translated(tile.title));
  }

  fits(queue, channel) {
    const { queues, site, department, channels } = this.tile;
    const belongs = placeOf("queue", queue);
    if (queues.length && !queues.includes(queue)) return false;
    if (channels.length && !channels.includes(channel)) return false;
    return (site === null || belongs?.site === site) && (department === null || belongs?.department === department);
  }

  chosen(context) {
    const fits = ({ scope, channel }) => channel !== null && !scope.startsWith("(") && this.fits(scope, channel);
    const gap = ({ scope, window }) => {
      const [level, target] = [window?.kpis[LEVEL], own(context.targets(), scope)];
      return known(level?.value) && known(target) && (level.denominator ?? 0) >= JUDGED_FROM ? level.value - target : 1;
    };
    const found = [...context.gather("queue").values()].filter(fits).map((entry) => ({ ...entry, gap: gap(entry) }));
    return found.sort((a, b) => a.gap - b.gap || (longestWait(b.now, context.asOf()) ?? 0) - (longestWait(a.now, context.asOf()) ?? 0) || a.scope.localeCompare(b.scope));
  }

  // The space below the title, in rem.
  get room() {
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    return { width: this.place.clientWidth / rem - 1.6, height: this.place.clientHeight / rem - (translated(this.tile.title) ? 3.6 : 2) };
  }
}

class QueuesTile extends OfQueues {
  constructor(place, tile) {
    super(place, tile);
    this.table = make(place, "table");
    const head = make(make(this.table, "thead"), "tr");
    for (const [id, text] of [["name", word("scope.queue")], ...tile.columns.map((id) => [id, label(id === LEVEL ? "service_level" : id)])]) {
      make(head, "th", id, text).scope = "col";
    }
    this.body = make(this.table, "tbody");
    this.more = make(place, "small", "more");
  }

  show(context) {
    const all = this.chosen(context);
    const line = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) * 2;
    const room = Math.max(1, Math.floor((this.place.clientHeight - this.table.tHead.offsetHeight - line * (translated(this.tile.title) ? 2 : 1)) / line));
    const rows = all.slice(0, isWhole() || all.length <= room + 1 ? all.length : room);
    while (this.body.rows.length > rows.length) this.body.lastChild.remove();
    rows.forEach((entry, n) => this.row(this.body.rows[n] ?? this.make(), entry, context));
    fitColumns(this.table);
    setText(this.more, all.length > rows.length ? word("board.more", { n: all.length - rows.length }) : all.length ? "" : context.unread() || word("no_queues_chosen"));
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
      make(make(cell, "b"), "a");
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
      setText(text.firstChild, figure(id, value).replace(" %", "%"));
      toContacts(text.firstChild, "queue", scope, channel, id);
    });
  }
}

class TextTile {
  constructor(place, tile) {
    place.classList.add(tile.color);
    if (translated(tile.title)) make(place, "h3", "", translated(tile.title));
    make(place, "p", "", translated(tile.text));
  }

  show() {}
}

// Every queue as a cell, by channel; the wider the gap below its target, the deeper its color.
class MapTile extends OfQueues {
  constructor(place, tile) {
    super(place, tile);
    this.list = make(place, "ul");
    setAttribute(this.list, "aria-label", translated(tile.title) || word("view.map"));
    this.more = make(place, "small", "more");
    this.cells = new Map();
  }

  show(context) {
    const all = this.chosen(context);
    const { width, height } = this.room;
    const [across, lines] = [Math.max(1, Math.floor(width / CELL_WIDTH)), Math.max(1, Math.floor(height / CELL_HEIGHT))];
    const most = isWhole() ? all.length : across * lines;
    const sample = this.list.querySelector(".name");
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    const wide = sample ? widestName(all.slice(0, most).map(({ scope }) => shown(scope)), sample) / rem : CELL_WIDTH;
    // Without room for all, the queues that need attention; their order does not depend on figures.
    const entries = all.slice(0, most).sort((a, b) => channelRank(a.channel) - channelRank(b.channel) || a.scope.localeCompare(b.scope));
    this.list.style.setProperty("--columns", isWhole() ? across : cellsAcross(entries.length, width, lines, CELL_WIDTH, wide));
    const keys = new Set(entries.map(keyOf));
    for (const [key, cell] of this.cells) {
      if (keys.has(key)) continue;
      cell.item.remove();
      this.cells.delete(key);
    }
    entries.forEach((entry, n) => {
      const cell = this.cells.get(keyOf(entry)) ?? this.make(entry);
      this.fill(cell, entry, context);
      if (this.list.children[n] !== cell.item) this.list.insertBefore(cell.item, this.list.children[n] ?? null);
    });
    setText(this.more, all.length > entries.length ? word("board.more", { n: all.length - entries.length }) : all.length ? "" : context.unread() || word("no_queues_chosen"));
  }

  make(entry) {
    const item = make(this.list, "li");
    const head = make(item, "b", "name");
    writeName(head, shown(entry.scope));
    const link = make(item, "a", "opens");
    link.href = address({ view: "queue", board: null, of: entry.scope, channel: entry.channel }, { common: true });
    link.setAttribute("aria-label", word("map.open", { name: shown(entry.scope) }));
    const cell = { item, mark: make(item, "i"), level: make(item, "b", "level"), longest: make(item, "b", "longest") };
    this.cells.set(keyOf(entry), cell);
    return cell;
  }

  fill(cell, entry, context) {
    const { scope, channel, now, window, gap } = entry;
    const silent = context.silence("queue", scope);
    const found = silent || gap === 1 ? "" : gap < 0 ? "bad" : "good";
    const level = figure(LEVEL, window?.kpis[LEVEL]?.value).replace(" %", "%");
    const longest = figure("longest_wait", now ? longestWait(now, context.asOf()) : null);
    for (const each of ["good", "bad"]) setClass(cell.item, each, found === each);
    setClass(cell.item, "silent", silent !== "");
    cell.item.style.setProperty("--depth", `${Math.round(20 + 40 * Math.min(1, Math.max(0, -gap / DEEPEST)))}%`);
    setAttribute(cell.mark, "role", found ? "img" : "presentation");
    setAttribute(cell.mark, "aria-label", found ? word(found === "bad" ? "missed" : "met") : "");
    setText(cell.level, level);
    setText(cell.longest, longest);
    setAttribute(cell.item, "title", [shown(scope), named("channel", channel), `${label("service_level")} ${level}`, `${label("longest_wait")} ${longest}`, silent].filter(Boolean).join(" · "));
  }
}

const keyOf = ({ scope, channel }) => `${scope}\u0000${channel}`;

// Firing alerts of the tile's queues, those that need attention first, as many as fit.
class AlertsTile extends OfQueues {
  constructor(place, tile) {
    super(place, tile);
    this.none = make(place, "p", "none");
    this.list = null;
    this.more = make(place, "small", "more");
  }

  isAbout({ severity, scope_kind: kind, scope, channel }) {
    const { queues, site, department, channels, severities } = this.tile;
    if (severities.length && !severities.includes(severity)) return false;
    if (kind === "queue") return this.fits(scope, channel);
    if (channels.length && !channels.includes(channel)) return false;
    // An alert on a wider scope is not about the named queues alone.
    if (queues.length) return false;
    if (kind === "site" || kind === "department") return (this.tile[kind] === null ? site === null && department === null : this.tile[kind] === scope);
    return kind === "team" ? department === null && (site === null || placeOf("team", scope)?.site === site) : site === null && department === null;
  }

  show({ strip }) {
    this.list ??= new List(this.place, strip.tools);
    if (this.place.lastChild !== this.more) this.place.append(this.more);
    const all = strip.sorted.filter(([, alert]) => this.isAbout(alert));
    setText(this.none, strip.alerts === null ? word("alerts.unknown") : all.length ? "" : word("alert.none"));
    this.none.hidden = all.length > 0;
    this.list.show(all);
    // As many as fit completely.
    const { list } = this.list;
    const bottom = this.place.getBoundingClientRect().bottom - this.more.offsetHeight - 4;
    const items = [...list.children];
    for (const item of items) item.hidden = false;
    const fitting = isWhole() ? items.length : items.filter((item, n) => n === 0 || item.getBoundingClientRect().bottom <= bottom).length;
    items.forEach((item, n) => (item.hidden = n >= fitting));
    setText(this.more, all.length > fitting ? word("board.more_alerts", { n: all.length - fitting }) : "");
  }
}

export const KINDS = { figure: FigureTile, queues: QueuesTile, text: TextTile, map: MapTile, alerts: AlertsTile };
