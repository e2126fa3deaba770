// What each table shows of the records: queues, teams and the backlog of the reply channels.

import { own, shown } from "./names.js";
import { only, order, pins, togglePin, wall } from "./options.js";
import { NOTHING, brief, count, coverage, duration, known, label, meaning, named, parts, percent, setAttribute, setClass, setText, span, target as targetText, word } from "./text.js";
import { Table } from "./tables.js";

// Below this many contacts a service level is shown without judgment: one contact would decide it.
export const JUDGED_FROM = 5;
// Rows change places no more often than this: one has to be able to read them.
const REORDER_MS = 10_000;
const BACKLOG = ["untouched", "in_progress", "waiting_on_customer", "on_hold"];
const LEVEL = "service_level_live";
// Written contacts of no queue: they have a backlog, and nothing else of a queue.
const UNASSIGNED = "(unassigned)";

// Whom people wait for at once stands first.
const CHANNELS = ["voice", "video", "callback", "chat", "sms", "social", "mail", "web_form", "ticket"];
export const channelRank = (channel) => (CHANNELS.includes(channel) ? CHANNELS.indexOf(channel) : CHANNELS.length);

export const longestWait = (now, asOf) => aging(now?.waiting === 0 ? null : now?.waiting_since, now, asOf);

function aging(since, now, asOf) {
  if (!known(since)) return null;
  return Math.max(0, Math.max(asOf ?? 0, Date.parse(now.as_of)) - Date.parse(since)) / 1000;
}

// On the business clock nobody ages while it is closed: the server says when it is open.
function oldest(now, asOf) {
  const grows = now.backlog_oldest_grows;
  if (!grows) return aging(now.backlog_oldest_since, now, asOf);
  const open = grows.map(([begin, end]) => Math.max(0, Math.min(Date.parse(end), asOf ?? 0) - Date.parse(begin)));
  return open.reduce((sum, ms) => sum + ms / 1000, now.backlog_oldest_seconds);
}

// A figure of now by its KPI; null where it is not known.
export function figureNow(id, now, asOf) {
  if (id === "longest_wait") return longestWait(now, asOf);
  return (id === "backlog_oldest" ? oldest(now, asOf) : now[id]) ?? null;
}

function verdict(level, target) {
  if (!known(level?.value) || !known(target) || (level.denominator ?? 0) < JUDGED_FROM) return null;
  return level.value < target ? "missed" : "met";
}

// Queues may have service levels of their own, which the total has not: together they are the sum of their parts.
function together(one, other) {
  if (!known(other?.denominator) || !known(one?.denominator)) return other ?? one;
  const [numerator, denominator] = [one.numerator + other.numerator, one.denominator + other.denominator];
  return { numerator, denominator, value: denominator > 0 ? numerator / denominator : null };
}

// What some queues of one channel make together; null where none of them tells it.
function sumOf(entries) {
  const nows = entries.map(({ now }) => now).filter(Boolean);
  const waiting = nows.map((now) => now.waiting).filter(known);
  const since = nows.filter((now) => now.waiting !== 0 && known(now.waiting_since)).map((now) => now.waiting_since);
  const times = nows.map((now) => now.as_of).sort();
  const now = { waiting: waiting.length ? waiting.reduce((a, b) => a + b, 0) : null, waiting_since: since.sort()[0] ?? null, as_of: times.at(-1) };
  const kpis = {};
  for (const { window } of entries) for (const [id, figure] of Object.entries(window?.kpis ?? {})) kpis[id] = kpis[id] ? together(kpis[id], figure) : figure;
  return { now, window: { kpis } };
}

// Marks a row whose source is silent: what it shows may have passed, so nothing of it is judged.
export function markSilence(row, silence) {
  setClass(row.element, "silent", silence !== "");
  setText(row.silent, silence);
}

// The second definition's service level, small: what the same contacts are worth by another contract.
function showBeside(cell, window) {
  const [name, kpis] = Object.entries(window?.by_definition ?? {})[0] ?? [null, {}];
  if (!cell.beside && name === null) return;
  if (!cell.beside) {
    cell.beside = Object.assign(cell.element.appendChild(document.createElement("span")), { className: "beside" });
    for (const part of ["span", "em"]) cell.beside.appendChild(document.createElement(part));
  }
  const level = kpis[LEVEL];
  const [value, called] = cell.beside.children;
  setText(value, name === null ? "" : percent(level?.value));
  setText(called, name === null ? "" : shown(name.split("@")[0]));
  const first = window?.definitions[LEVEL] ?? window?.definitions.service_level ?? "";
  setAttribute(cell.beside, "title", name === null ? "" : word("beside_meaning", { name: shown(name), parts: parts(level) || NOTHING, first }));
}

export class Ranked {
  constructor(table) {
    this.table = table;
    this.sorted = "";
    this.at = -REORDER_MS;
  }

  arrange(compare) {
    const standing = JSON.stringify([[...this.table.rows.keys()].sort(), [...pins]]);
    if (standing === this.sorted && performance.now() - this.at < REORDER_MS) return;
    this.sorted = standing;
    this.at = performance.now();
    this.table.arrange(compare, pins);
  }
}

export class Queues extends Ranked {
  constructor(trends) {
    const columns = [LEVEL, "trend", "waiting", "longest_wait", "asa", "aht", "abandon_rate"];
    const heading = wall ? brief : label;
    const headings = columns.map((id) =>
      id === "trend"
        ? [id, word("trend"), word("trend_meaning", { n: JUDGED_FROM })]
        : [id, heading(id === LEVEL ? "service_level" : id), `${label(id)} – ${meaning(id)}`],
    );
    const pin = (name) => {
      togglePin(name);
      this.arrange(this.compare);
    };
    super(new Table("queues", [["name", word("scope.queue"), ""], ...headings], { bars: [LEVEL], onPin: pin, foot: true }));
    this.trends = trends;
    this.standings = new Map();
    this.compare = (a, b) => (order === "worst" ? this.rank(a) - this.rank(b) : 0);
  }

  rank(row) {
    return this.standings.get(row)?.gap ?? 1;
  }

  // Returns how many queues are judged, and how many of these miss their target.
  show({ gather, targets, asOf, silence }) {
    const shown = new Set();
    const judged = { all: 0, missed: 0 };
    const [sums, of] = [new Map(), new Map()];
    this.standings.clear();
    for (const [key, entry] of gather("queue")) {
      const { scope, channel, window } = entry;
      if (channel === null || scope === UNASSIGNED || (only.size > 0 && !only.has(scope))) continue;
      const row = this.table.row(key, scope, named("channel", channel));
      row.channel = channel;
      shown.add(key);
      of.set(channel, [...(of.get(channel) ?? []), entry]);
      const target = own(targets, scope);
      const levels = [window?.kpis[LEVEL], window?.kpis.service_level];
      const said = this.showRow(row, entry, levels, target, asOf, silence("queue", scope));
      if (said !== null) judged.all += 1;
      if (said === "missed") judged.missed += 1;
      this.trends.draw(this.table.cell(row, "trend"), this.trends.of(scope, channel), target);
      sums.set(channel, levels.map((level, n) => together(sums.get(channel)?.[n], level)));
    }
    this.showTotals(gather("total"), of, sums, asOf, shown);
    this.table.keep(shown);
    this.arrange(this.compare);
    return judged;
  }

  // One row a channel, calls first: of a page of some queues what these make together, as for who may not see the total.
  showTotals(told, of, sums, asOf, shown) {
    const totals = only.size > 0 ? [] : [...told.values()].filter(({ channel }) => channel !== null);
    const found = totals.length ? totals : [...of].filter(([, entries]) => entries.length > 1).map(([channel, entries]) => ({ channel, ...sumOf(entries) }));
    for (const entry of found.sort((a, b) => channelRank(a.channel) - channelRank(b.channel))) {
      const key = `total\u0000${entry.channel}`;
      const row = this.table.row(key, `${word("scope.total")} · ${named("channel", entry.channel)}`, "", { total: true });
      row.channel = entry.channel;
      shown.add(key);
      this.showRow(row, entry, sums.get(entry.channel) ?? [], null, asOf, "");
      this.table.foot.append(row.element);
    }
  }

  showRow(row, { now, window }, [level, decided], target, asOf, silent) {
    const { table } = this;
    const of = (id) => window?.kpis[id] ?? null;
    const detail = [parts(level), known(target) ? word("target", { value: targetText(target) }) : ""];
    if (known(decided?.value) && decided.value !== level?.value) detail.push(word("decided", { value: percent(decided.value) }));
    const cell = table.show(row, LEVEL, percent(level?.value), detail.filter(Boolean).join(" · "));
    const said = silent ? null : verdict(level, target);
    table.fill(cell, level?.value, target);
    if (!row.total) showBeside(cell, window);
    for (const name of ["met", "missed"]) setClass(cell.element, name, said === name);
    setAttribute(cell.shape, "role", said ? "img" : "presentation");
    setAttribute(cell.shape, "aria-label", said ? word(said) : "");
    this.standings.set(row, { gap: known(verdict(level, target)) ? level.value - target : null });
    this.table.cell(row, "trend");
    table.show(row, "waiting", count(now?.waiting));
    table.show(row, "longest_wait", duration(longestWait(now, asOf)));
    table.show(row, "asa", duration(of("asa")?.value));
    table.show(row, "aht", duration(of("aht")?.value), coverage(of("aht")));
    const abandoned = of("abandon_rate");
    table.show(row, "abandon_rate", percent(abandoned?.value), known(abandoned?.value) ? parts(abandoned) : "");
    markSilence(row, silent);
    return said;
  }
}

export class Teams extends Ranked {
  constructor(states) {
    const headings = [["occupancy", label("occupancy"), meaning("occupancy")], ...states.map((state) => [state, named("state", state), meaning("agents_by_state")])];
    super(new Table("teams", [["name", word("scope.team"), ""], ...headings], { bars: ["occupancy"], foot: true }));
    this.states = states;
  }

  show({ gather, silence }) {
    const shown = new Set();
    // Which teams serve a queue is not known: a page of some queues shows none.
    for (const kind of only.size > 0 ? [] : ["team", "total"]) {
      for (const [key, { scope, channel, now, window }] of gather(kind)) {
        if (channel !== null) continue;
        const total = kind === "total";
        const row = this.table.row(`${kind}\u0000${key}`, total ? word("scope.total") : scope, "", { total });
        shown.add(`${kind}\u0000${key}`);
        const occupancy = window?.kpis.occupancy ?? null;
        const cell = this.table.show(row, "occupancy", percent(occupancy?.value), coverage(occupancy));
        this.table.fill(cell, occupancy?.value);
        const agents = now?.agents_by_state ?? null;
        // Who is not listed is not there: 0, not unknown.
        for (const state of this.states) this.table.show(row, state, agents ? count(own(agents, state) ?? 0) : "–");
        markSilence(row, total ? "" : silence("team", scope));
      }
    }
    this.table.keep(shown);
    this.table.section.hidden = only.size > 0;
    this.arrange(() => 0);
  }
}

// Messages and tickets that are not resolved; only channels that are answered in writing have any.
export class Backlogs extends Ranked {
  constructor() {
    const headings = [
      ["backlog", word("backlog_all"), ""],
      ...BACKLOG.map((state) => [`backlog_${state}`, word(`backlog.${state}`), meaning(`backlog_${state}`)]),
      ["backlog_oldest", word("backlog.oldest"), meaning("backlog_oldest")],
      ["reply_overdue", label("reply_overdue"), meaning("reply_overdue")],
    ];
    super(new Table("backlogs", [["name", word("scope.queue"), ""], ...headings]));
  }

  show({ gather, asOf, silence }) {
    const shown = new Set();
    for (const [key, { scope, channel, now }] of gather("queue")) {
      const values = BACKLOG.map((state) => now?.[`backlog_${state}`]);
      if (!values.some(known) || (only.size > 0 && !only.has(scope))) continue;
      shown.add(key);
      const row = this.table.row(key, scope === UNASSIGNED ? word("backlog.unassigned") : scope, named("channel", channel));
      this.table.show(row, "backlog", count(values.every(known) ? values.reduce((a, b) => a + b, 0) : null));
      BACKLOG.forEach((state, n) => this.table.show(row, `backlog_${state}`, count(values[n])));
      this.table.show(row, "backlog_oldest", span(oldest(now, asOf)));
      this.table.show(row, "reply_overdue", count(now.reply_overdue));
      markSilence(row, silence("queue", scope));
    }
    this.table.keep(shown);
    this.table.section.hidden = shown.size === 0;
    this.arrange(() => 0);
  }
}
