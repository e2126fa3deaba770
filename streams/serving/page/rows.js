// The rows of each table: queues, teams and the backlog of the reply channels.

import { mayOpen } from "./behind.js";
import { own, shown } from "./names.js";
import { shownColumns } from "./columns.js";
import { USUAL_COLUMNS, heat, isChosen, isTeamChosen, narrowed, order, orderBy, pins, togglePin, wall } from "./options.js";
import { NOTHING, UNASSIGNED, brief, count, coverage, duration, figure, isOfNow, known, kpi, label, language, meaning, named, parts, percent, setAttribute, setClass, setText, span, target as targetText, withinSeconds, word } from "./text.js";
import { Table } from "./tables.js";

// Below this many contacts a service level is shown without a verdict: one contact would decide it.
export const JUDGED_FROM = 5;
// Rows are reordered no more often than this, to stay readable.
const REORDER_MS = 10_000;
const BACKLOG = ["untouched", "in_progress", "waiting_on_customer", "on_hold"];
const LEVEL = "service_level_live";
const MOST_ON_WALLS = 7;

// Channels with immediate waits first.
const CHANNELS = ["voice", "video", "callback", "chat", "sms", "social", "mail", "web_form", "ticket"];
// Sessions with a bot or in a FAQ have no waits and no agents.
export const isSelfService = (channel) => channel === "bot" || channel === "faq";
const SELF_SERVICE = ["self_service_rate", "containment_rate"];
export const channelRank = (channel) => (CHANNELS.includes(channel) ? CHANNELS.indexOf(channel) : CHANNELS.length);

export const longestWait = (now, asOf) => aging(now?.waiting === 0 ? null : now?.waiting_since, now, asOf);

function aging(since, now, asOf) {
  if (!known(since)) return null;
  return Math.max(0, Math.max(asOf ?? 0, Date.parse(now.as_of)) - Date.parse(since)) / 1000;
}

// On the business clock ages stop while it is closed: the server sends the open hours.
function oldest(now, asOf) {
  const grows = now.backlog_oldest_grows;
  if (!grows) return aging(now.backlog_oldest_since, now, asOf);
  const open = grows.map(([begin, end]) => Math.max(0, Math.min(Date.parse(end), asOf ?? 0) - Date.parse(begin)));
  return open.reduce((sum, ms) => sum + ms / 1000, now.backlog_oldest_seconds);
}

// A figure of now by its KPI; null where unknown.
export function figureNow(id, now, asOf) {
  if (id === "longest_wait") return longestWait(now, asOf);
  return (id === "backlog_oldest" ? oldest(now, asOf) : now[id]) ?? null;
}

function verdict(level, target) {
  if (!known(level?.value) || !known(target) || (level.denominator ?? 0) < JUDGED_FROM) return null;
  return level.value < target ? "missed" : "met";
}

// Queues may have their own service levels, unlike the total: combined they are the sum of their parts.
function together(one, other) {
  if (!known(other?.denominator) || !known(one?.denominator)) return other ?? one;
  const [numerator, denominator] = [one.numerator + other.numerator, one.denominator + other.denominator];
  return { numerator, denominator, value: denominator > 0 ? numerator / denominator : null };
}

// The sums of some queues of one channel; null where none of them reports a figure.
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

// Marks a row whose source is silent: its figures may be outdated and get no verdict.
export function markSilence(row, silence) {
  setClass(row.element, "silent", silence !== "");
  setText(row.silent, silence);
}

// The service level of the same contacts by the second definition, small.
function showBeside(cell, window, definitions) {
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
  const text = definitions.find(({ definition }) => definition === name)?.[`text_${language}`] ?? "";
  setAttribute(cell.beside, "title", name === null ? "" : word("beside_meaning", { name: shown(name), parts: parts(level) || NOTHING, first, text: text && language === "en" ? `${text} ` : text }));
}

// "target 80 % in 20 s": the target of a service level, and its threshold.
export function goalOf(target, threshold) {
  if (!known(threshold)) return known(target) ? word("target", { value: targetText(target) }) : "";
  const time = withinSeconds(threshold);
  return known(target) ? word("target.within", { value: targetText(target), time }) : word("within", { time });
}

export class Ranked {
  constructor(table) {
    this.table = table;
    this.sorted = "";
    this.at = -REORDER_MS;
  }

  arrange(compare, by = "") {
    const signature = JSON.stringify([[...this.table.rows.keys()].sort(), [...pins], by]);
    if (signature === this.sorted && performance.now() - this.at < REORDER_MS) return;
    this.sorted = signature;
    this.at = performance.now();
    this.table.arrange(compare, pins);
  }
}

// A queue's figure by its KPI: of now or of the chosen window.
function valueOf(id, { now, window }, asOf) {
  return isOfNow(id) ? { value: now ? figureNow(id, now, asOf) : null } : (window?.kpis[id] ?? null);
}

// The parts of a share, or the measured part of a time.
function detailOf(id, of) {
  if (!known(of?.value) && kpi(id).unit === "ratio") return "";
  return kpi(id).unit === "ratio" ? parts(of) : coverage(of);
}

// The talk time, where the handle time is unknown.
function onlyTalk(window) {
  const { aht, att } = window?.kpis ?? {};
  return !known(aht?.value) && known(att?.value) ? word("aht.talk", { value: duration(att.value) }) : "";
}

export class Queues extends Ranked {
  constructor(trends) {
    const pin = (name) => {
      togglePin(name);
      this.sort();
    };
    // A wall has no controls.
    super(new Table("queues", [], { bars: [LEVEL], onPin: pin, onSort: wall ? null : (id) => this.orderBy(id), unsorted: ["trend"], foot: true }));
    this.trends = trends;
    this.gaps = new Map();
    this.values = new Map();
    this.columns = [];
  }

  // Applies the columns of the address.
  choose() {
    // More cannot be read from afar.
    const ids = heat ? USUAL_COLUMNS : shownColumns().slice(0, wall ? MOST_ON_WALLS : undefined);
    if (`${ids}` === `${this.columns}`) return;
    this.columns = ids;
    // All rows are recreated, not sorted yet.
    this.sorted = "";
    const heading = wall ? brief : label;
    // Beside the figure of decided contacts, the live one needs its own name.
    const named = (id) => heading(id === LEVEL && !ids.includes("service_level") ? "service_level" : id);
    const headings = ids.map((id) =>
      id === "trend" ? [id, wall ? word("brief.trend") : word("trend"), word("trend_meaning", { n: JUDGED_FROM })] : [id, named(id), `${label(id)} – ${meaning(id)}`],
    );
    this.table.head([["name", word("scope.queue"), ""], ...headings]);
    const wide = ids.filter((id) => [LEVEL, "trend"].includes(id));
    const { style } = this.table.table;
    setClass(this.table.table, "chosen", `${ids}` !== `${USUAL_COLUMNS}`);
    const [level, trend, plain] = [Number(wide.includes(LEVEL)), Number(wide.includes("trend")), Math.max(1, ids.length - wide.length)];
    for (const [name, value] of Object.entries({ level, trend, plain, share: `${Math.min(16, (80 - 23 * level - 15 * trend) / plain).toFixed(2)}%` })) style.setProperty(`--${name}`, value);
  }

  rank(row) {
    return this.gaps.get(row)?.gap ?? 1;
  }

  // Unknown figures come last, in either direction.
  compare(a, b) {
    if (order.id === "worst") return this.rank(a) - this.rank(b);
    const [one, other] = [a, b].map((row) => this.values.get(row)?.get(order.id) ?? null);
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return order.up ? one - other : other - one;
  }

  orderBy(id) {
    orderBy(id);
    this.sort();
  }

  sort() {
    this.table.sorted(order.id, order.up || order.id === "name");
    const plain = order.id === "name" && !order.up ? () => 0 : (a, b) => this.compare(a, b);
    this.arrange(plain, JSON.stringify(order));
  }

  // Returns how many queues have a verdict, how many of these miss their target, and how many have none because a source is silent.
  show({ gather, targets, asOf, silence, judging }) {
    this.judging = judging;
    this.choose();
    const shown = new Set();
    const judged = { all: 0, missed: 0, unknown: 0 };
    const [sums, of] = [new Map(), new Map()];
    this.gaps.clear();
    this.values.clear();
    for (const [key, entry] of gather("queue")) {
      const { scope, channel, window } = entry;
      if (channel === null || scope === UNASSIGNED || !isChosen(scope) || this.isEmpty(entry, asOf)) continue;
      const row = this.table.row(key, scope, named("channel", channel));
      row.channel = channel;
      Object.assign(row.element.dataset, { queue: scope, channel });
      row.element.toggleAttribute("data-contacts", mayOpen("queue", scope));
      shown.add(key);
      of.set(channel, [...(of.get(channel) ?? []), entry]);
      const target = own(targets, scope);
      const levels = [window?.kpis[LEVEL], window?.kpis.service_level];
      const silent = silence("queue", scope);
      const judgment = this.showRow(row, entry, levels, target, asOf, silent);
      if (silent && verdict(levels[0], target) !== null) judged.unknown += 1;
      if (judgment !== null) judged.all += 1;
      if (judgment === "missed") judged.missed += 1;
      if (this.columns.includes("trend")) this.trends.draw(this.table.cell(row, "trend"), this.trends.of(scope, channel), target);
      sums.set(channel, levels.map((level, n) => together(sums.get(channel)?.[n], level)));
    }
    this.showTotals(gather("total"), of, sums, asOf, shown, silence);
    this.table.keep(shown);
    this.sort();
    return judged;
  }

  // A bot or a FAQ has figures only in its own columns.
  isEmpty(entry, asOf) {
    return isSelfService(entry.channel) && !this.columns.some((id) => SELF_SERVICE.includes(id) && known(valueOf(id, entry, asOf)?.value));
  }

  // One row a channel, calls first: the sums of the queues on a restricted page, and for viewers who may not see the total.
  showTotals(entries, of, sums, asOf, shown, silence) {
    const totals = narrowed() ? [] : [...entries.values()].filter((entry) => entry.channel !== null && !this.isEmpty(entry, asOf));
    const found = totals.length ? totals : [...of].filter(([, parts]) => parts.length > 1).map(([channel, parts]) => ({ channel, ...sumOf(parts) }));
    for (const entry of found.sort((a, b) => channelRank(a.channel) - channelRank(b.channel))) {
      const key = `total\u0000${entry.channel}`;
      const row = this.table.row(key, `${word("scope.total")} · ${named("channel", entry.channel)}`, "", { total: true });
      row.channel = entry.channel;
      shown.add(key);
      this.showRow(row, entry, sums.get(entry.channel) ?? [], null, asOf, "");
      // A total is outdated where all of its queues are silent.
      const parts = of.get(entry.channel) ?? [];
      setClass(row.element, "silent", parts.length > 0 && parts.every(({ scope }) => silence("queue", scope) !== ""));
      this.table.foot.append(row.element);
    }
  }

  showRow(row, entry, levels, target, asOf, silent) {
    const { table } = this;
    const judgment = silent ? null : verdict(levels[0], target);
    this.gaps.set(row, { gap: known(verdict(levels[0], target)) ? levels[0].value - target : null });
    const values = new Map();
    this.values.set(row, values);
    for (const id of this.columns) {
      if (id === LEVEL) this.showLevel(row, entry, levels, target, judgment);
      else if (id === "trend") table.cell(row, id);
      else {
        const of = valueOf(id, entry, asOf);
        const talk = id === "aht" ? onlyTalk(entry.window) : "";
        const cell = table.show(row, id, figure(id, of?.value), talk || detailOf(id, of));
        if (id === "aht") setAttribute(cell.element, "title", talk && word("aht.unknown"));
        values.set(id, of?.value ?? null);
      }
    }
    if (!this.columns.includes(order.id)) values.set(order.id, valueOf(order.id, entry, asOf)?.value ?? null);
    if (known(levels[0]?.value)) values.set(LEVEL, levels[0].value);
    markSilence(row, silent);
    return judgment;
  }

  showLevel(row, { scope, channel, window }, [level, decided], target, judgment) {
    const { table } = this;
    // Queues of a total may differ.
    const definitions = row.total ? [] : this.judging(scope, channel);
    const detail = [parts(level), goalOf(target, definitions[0]?.threshold_seconds)];
    if (known(decided?.value) && decided.value !== level?.value) detail.push(word("decided", { value: percent(decided.value, 1, target) }));
    const cell = table.show(row, LEVEL, percent(level?.value, 1, target), detail.filter(Boolean).join(" · "));
    table.fill(cell, level?.value, target);
    if (!row.total) showBeside(cell, window, definitions);
    setAttribute(cell.value, "title", definitions.length ? definitions[0][`text_${language}`] : "");
    for (const name of ["met", "missed"]) setClass(cell.element, name, judgment === name);
    setAttribute(cell.shape, "role", judgment ? "img" : "presentation");
    setAttribute(cell.shape, "aria-label", judgment ? word(judgment) : "");
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
    for (const kind of narrowed() ? ["team"] : ["team", "total"]) {
      for (const [key, { scope, channel, now, window }] of gather(kind)) {
        const total = kind === "total";
        if (channel !== null || (!total && !isTeamChosen(scope))) continue;
        const row = this.table.row(`${kind}\u0000${key}`, total ? word("scope.total") : scope, "", { total });
        shown.add(`${kind}\u0000${key}`);
        const occupancy = window?.kpis.occupancy ?? null;
        const cell = this.table.show(row, "occupancy", percent(occupancy?.value), coverage(occupancy));
        this.table.fill(cell, occupancy?.value);
        const agents = now?.agents_by_state ?? null;
        // A missing state has no agents: 0, not unknown.
        for (const state of this.states) this.table.show(row, state, agents ? count(own(agents, state) ?? 0) : "–");
        markSilence(row, total ? "" : silence("team", scope));
      }
    }
    this.table.keep(shown);
    this.table.section.hidden = narrowed() && shown.size === 0;
    this.arrange(() => 0);
  }
}

// Unresolved messages and tickets; only reply channels have any.
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
      if (!values.some(known) || !isChosen(scope)) continue;
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
