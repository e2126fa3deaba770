// Firing alerts: rule, scope, figure and threshold, duration, and acknowledgement. Changes are announced to screen readers.

import { lead } from "./behind.js";
import { shown } from "./names.js";

const SHOWN = 6;
const SEVERITIES = ["critical", "warning"];
// A wall has one line, in which alerts rotate.
const TURN_MS = 6_000;

function element(parent, name, className) {
  const made = parent.appendChild(document.createElement(name));
  made.className = className;
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Needs no attention: it is acknowledged or silenced.
export const isQuiet = (alert) => Boolean(alert.acknowledged || alert.silenced);

// The actor's name; without logins a text that names the missing login.
export const who = ({ name }, word) => (known(name) ? shown(name) : word("actor.unnamed"));
export const taken = (id, { name }, word) => (known(name) ? word(`${id}_by`, { name: shown(name) }) : word(`${id}_unnamed`));

const known = (value) => value !== null && value !== undefined;
const beyond = (condition, value, limit) => (known(condition.below) ? value < limit : value > limit);

// `tools`: texts and formats of the page, current figures, links to the contacts behind an alert, and `asOf` in milliseconds, null without figures.
export class List {
  constructor(parent, tools) {
    this.list = element(parent, "ul", "");
    this.tools = tools;
    this.items = new Map();
  }

  show(alerts) {
    const keys = new Set(alerts.map(([key]) => key));
    for (const [key, item] of this.items) {
      if (!keys.has(key)) {
        item.remove();
        this.items.delete(key);
      }
    }
    alerts.forEach(([key, alert], place) => {
      const item = this.items.get(key) ?? this.make(key);
      item.className = [alert.severity, isQuiet(alert) ? "quiet" : ""].filter(Boolean).join(" ");
      const texts = this.texts(alert);
      texts.forEach((text, n) => setText(item.children[n].firstElementChild ?? item.children[n], text));
      item.children[2].title = this.tools.where(alert);
      lead(item.children[3].firstChild, this.tools.contacts(alert), `${texts[3]} – ${this.tools.word("contacts.behind")}`, this.tools.word("contacts.behind"));
      // Moved only where the order differs, so that the others stay readable.
      if (this.list.children[place] !== item) this.list.insertBefore(item, this.list.children[place] ?? null);
    });
  }

  texts(alert) {
    const { word, age, asOf, where, describe } = this.tools;
    const lasted = asOf() === null ? "" : word("alert.for", { age: age(Math.max(0, asOf() - Date.parse(alert.since)) / 1000) });
    return [word(`alert.${alert.severity}`), shown(alert.rule), where(alert), describe(alert), lasted, this.tools.seen(alert)];
  }

  make(key) {
    const item = element(this.list, "li", "");
    for (const name of ["severity", "rule", "where", "figure", "lasted", "seen"]) element(item, "span", name);
    element(item.children[3], "a", "");
    this.items.set(key, item);
    return item;
  }
}

export class AlertStrip {
  constructor(strip, news, tools, { wall = false, turning = true, onFired = () => {} } = {}) {
    this.strip = strip;
    this.news = news;
    this.wall = wall;
    this.alerts = null;
    this.turn = 0;
    this.onFired = onFired;
    this.tools = { ...tools, where: (alert) => this.where(alert), describe: (alert) => this.describe(alert), seen: (alert) => this.seen(alert) };
    this.list = new List(strip, this.tools);
    this.none = element(strip, "p", "none");
    this.more = element(strip, "button", "more");
    this.more.type = "button";
    this.more.addEventListener("click", () => this.open());
    this.dialog = this.makeDialog();
    strip.setAttribute("aria-label", tools.word("alerts"));
    if (wall && turning) setInterval(() => this.next(), TURN_MS);
  }

  makeDialog() {
    const { word } = this.tools;
    const dialog = element(document.body, "dialog", "all-alerts");
    dialog.setAttribute("aria-label", word("alerts"));
    dialog.addEventListener("click", ({ target }) => target.closest("a[href]") && dialog.close());
    const close = element(dialog, "button", "close");
    Object.assign(close, { type: "button", textContent: word("close") });
    close.addEventListener("click", () => dialog.close());
    this.all = new List(dialog, this.tools);
    this.all.list.tabIndex = 0;
    return dialog;
  }

  open() {
    this.dialog.showModal();
    this.show();
  }

  next() {
    if (this.dialog.open) return;
    this.turn += 1;
    this.show();
  }

  follow(stream) {
    stream.addEventListener("alerts", (event) => this.take(JSON.parse(event.data)));
  }

  take({ whole, firing, ended }) {
    const before = this.alerts;
    if (firing === null) {
      this.alerts = null;
    } else {
      this.alerts = new Map(whole || before === null ? [] : before);
      for (const key of ended) this.alerts.delete(key);
      for (const [key, alert] of Object.entries(firing)) this.alerts.set(key, alert);
      if (before !== null) this.announce(before);
    }
    this.show();
  }

  // The strip itself is no live region: its ages change all the time.
  announce(before) {
    const { word } = this.tools;
    const line = (head, alert) => `${head}: ${shown(alert.rule)}, ${this.where(alert)}`;
    const fired = [...this.alerts].filter(([key, alert]) => before.get(key)?.alert_id !== alert.alert_id).map(([, alert]) => alert);
    const over = [...before].filter(([key]) => !this.alerts.has(key)).map(([, alert]) => line(word("alert.cleared"), alert));
    const news = [...fired.map((alert) => line(word(`alert.${alert.severity}`), alert)), ...over];
    if (news.length) setText(this.news, news.join(". "));
    const loud = fired.filter((alert) => !isQuiet(alert)).sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
    if (loud.length) this.onFired(loud.map((alert) => `${this.where(alert)}: ${this.describe(alert)}`));
  }

  // Alerts that need attention first, then by severity, then the oldest.
  get sorted() {
    const rank = ([, alert]) => SEVERITIES.indexOf(alert.severity) + (isQuiet(alert) ? SEVERITIES.length : 0);
    return [...(this.alerts ?? [])].sort((a, b) => rank(a) - rank(b) || Date.parse(a[1].since) - Date.parse(b[1].since));
  }

  show() {
    const { word } = this.tools;
    const all = this.sorted;
    const at = all.length ? this.turn % all.length : 0;
    this.list.show(this.wall ? all.slice(at, at + 1) : all.slice(0, SHOWN));
    if (this.dialog.open) this.all.show(all);
    if (this.dialog.open && all.length === 0) this.dialog.close();
    const hidden = this.wall ? all.length < 2 : all.length <= SHOWN;
    this.more.hidden = hidden;
    setText(this.more, this.wall ? word("page_of", { n: at + 1, all: all.length }) : hidden ? "" : word("alert.more", { n: all.length - SHOWN }));
    this.more.setAttribute("aria-label", `${word("alert.show_all")} (${all.length})`);
    setText(this.none, this.wall && all.length === 0 && this.alerts !== null ? word("alert.none") : "");
    // A wall reserves the space: rows stay where they are when an alert fires.
    this.strip.hidden = all.length === 0 && !this.wall;
  }

  // Each current figure; where none is received, the figure at the alert's last change, with its time.
  describe(alert) {
    const { word } = this.tools;
    const figures = (alert.conditions ?? [alert]).map((condition) => this.valueOf(alert, condition));
    // Once, after the last condition: the alert clears as one.
    const ends = this.ending(alert, figures);
    const texts = figures.map((each, n) => this.condition(alert, each, n === figures.length - 1 ? ends : ""));
    const text = texts.join(alert.combined ? word(`alert.${alert.combined}`) : "");
    const own = alert.message?.[this.tools.language];
    return own ? `${this.filled(own, alert)} – ${text}` : text;
  }

  valueOf(alert, condition) {
    const current = alert.expected_at ? null : this.tools.now({ ...alert, kpi: condition.kpi, window: condition.window });
    const value = current === null ? condition.value : current;
    const isPast = !alert.expected_at && known(value) && !beyond(condition, value, condition.below ?? condition.above);
    return { condition, value, isPast, isOld: current === null && !alert.expected_at };
  }

  // When an alert clears whose figures have recovered, or have too few contacts; else "".
  ending(alert, figures) {
    const { word, duration, asOf, goal, isSilent } = this.tools;
    if (alert.expected_at) return "";
    const isFew = ({ condition }) => (condition.denominator ?? 0) < condition.minimum_contacts;
    const isBad = (each) => known(each.value) && !isFew(each) && (!each.isPast || beyond(each.condition, each.value, each.condition.clear_at));
    if (alert.combined === "any" ? figures.some(isBad) : figures.every(isBad)) {
      const short = figures.find((each) => each.isPast && isBad(each));
      return short ? word("alert.clears_at", { value: goal(short.condition.kpi, short.condition.clear_at) }) : "";
    }
    const since = alert.recovering_since ?? null;
    if (since === null) return isSilent() ? word("alert.held") : "";
    const left = asOf() === null ? 0 : (Date.parse(since) - asOf()) / 1000 + alert.clear_for_seconds;
    const clears = left > 0 ? word("alert.clears_in", { age: duration(left) }) : word("alert.clears_now");
    return figures.some(isFew) ? `${word("alert.too_few_contacts")} · ${clears}` : clears;
  }

  condition(alert, { condition, value, isPast, isOld }, ends) {
    const { word, figure, label, clock, goal, targetOf, hour } = this.tools;
    const side = known(condition.below) ? "below" : "above";
    const threshold = condition[side];
    const isTarget = condition.kpi.startsWith("service_level") && alert.scope_kind === "queue" && targetOf(alert.scope) === threshold;
    // With "any", only the first breached condition is known to have been breached.
    const wasBeyond = alert.combined !== "any" || (condition.kpi === alert.kpi && condition.window === alert.window);
    const past = wasBeyond ? (isTarget ? "target.was" : `was_${side}`) : `not_${side}`;
    const name = isPast ? past : isTarget ? `target${alert.expected_at ? ".expected" : ""}` : side;
    const parts = [word(`alert.${name}`, { value: goal(condition.kpi, threshold) })];
    if (alert.expected_at) parts.unshift(word("alert.expected", { time: hour(alert.expected_at) }));
    else if (isOld) parts.push(word("alert.at", { time: clock(alert.as_of) }));
    if (ends) parts.push(ends);
    // Figures of now have it in their names.
    const id = isPast && !isOld && condition.window !== null ? "alert.says_now" : "alert.says";
    return word(id, { kpi: label(condition.kpi.replace(/_live$/, ""), alert.channel), value: figure(condition.kpi, value, threshold), condition: parts.join(" · ") });
  }

  // The configured message; the server has checked its blanks.
  filled(template, alert) {
    const { word, figure, label, goal, named, now } = this.tools;
    const threshold = alert.below ?? alert.above;
    const current = alert.expected_at ? null : now(alert);
    const blanks = {
      rule: shown(alert.rule),
      severity: word(`alert.${alert.severity}`),
      scope: alert.scope_kind === "total" ? word("scope.total") : shown(alert.scope),
      channel: alert.channel === null ? "" : named("channel", alert.channel),
      kpi: label(alert.kpi, alert.channel),
      value: figure(alert.kpi, current === null ? alert.value : current, threshold),
      threshold: goal(alert.kpi, threshold),
    };
    return template.replace(/\{(\w+)\}/g, (_, name) => blanks[name] ?? "");
  }

  // Acknowledgement, silence and escalation.
  seen(alert) {
    const { word, hour } = this.tools;
    const texts = [];
    if (alert.acknowledged) texts.push(taken("alert.acknowledged", alert.acknowledged.by, word));
    if (alert.silenced) texts.push(word("alert.silenced_until", { time: hour(alert.silenced.until) }));
    if ((alert.told ?? []).some(({ event }) => event === "escalated") && !alert.acknowledged) texts.push(word("alert.escalated"));
    return texts.join(" · ");
  }

  where(alert) {
    const { word, named, queueName } = this.tools;
    const scope = alert.scope_kind === "total" ? word("scope.total") : alert.scope_kind === "queue" ? queueName(alert.scope) : `${word(`scope.${alert.scope_kind}`)} ${shown(alert.scope)}`;
    return alert.channel === null ? scope : `${scope} · ${named("channel", alert.channel)}`;
  }
}
