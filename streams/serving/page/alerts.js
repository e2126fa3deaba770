// Firing alerts: which rule, where, what figure against what, since how long, and who sees to it. What fires and ends is told to screen readers.

import { shown } from "./names.js";

const SHOWN = 6;
const SEVERITIES = ["critical", "warning"];
// A wall has one line of them: they take turns there.
const TURN_MS = 6_000;

function element(parent, name, className) {
  const made = parent.appendChild(document.createElement(name));
  made.className = className;
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// No one has to be called by it: somebody sees to it, or it is silenced.
export const isQuiet = (alert) => Boolean(alert.acknowledged || alert.silenced);

export const who = (actor, word) => (actor.name === null || actor.name === undefined ? word("actor.anyone") : shown(actor.name));

// `tools` are words and formats of the page, what a figure is now, and `asOf`, in milliseconds, null before there are any figures.
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
      this.texts(alert).forEach((text, n) => setText(item.children[n], text));
      item.children[2].title = this.tools.where(alert);
      // Moved only where the order differs: what stands still can be read.
      if (this.list.children[place] !== item) this.list.insertBefore(item, this.list.children[place] ?? null);
    });
  }

  texts(alert) {
    const { word, age, asOf, where, says } = this.tools;
    const lasted = asOf() === null ? "" : word("alert.for", { age: age(Math.max(0, asOf() - Date.parse(alert.since)) / 1000) });
    return [word(`alert.${alert.severity}`), shown(alert.rule), where(alert), says(alert), lasted, this.tools.seen(alert)];
  }

  make(key) {
    const item = element(this.list, "li", "");
    for (const name of ["severity", "rule", "where", "figure", "lasted", "seen"]) element(item, "span", name);
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
    this.tools = { ...tools, where: (alert) => this.where(alert), says: (alert) => this.says(alert), seen: (alert) => this.seen(alert) };
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
      if (before !== null) this.tell(before);
    }
    this.show();
  }

  // The strip itself is no live region: its ages change all the time.
  tell(before) {
    const { word } = this.tools;
    const said = (head, alert) => `${head}: ${shown(alert.rule)}, ${this.where(alert)}`;
    const fired = [...this.alerts].filter(([key, alert]) => before.get(key)?.alert_id !== alert.alert_id).map(([, alert]) => alert);
    const over = [...before].filter(([key]) => !this.alerts.has(key)).map(([, alert]) => said(word("alert.cleared"), alert));
    const news = [...fired.map((alert) => said(word(`alert.${alert.severity}`), alert)), ...over];
    if (news.length) setText(this.news, news.join(". "));
    const loud = fired.filter((alert) => !isQuiet(alert)).sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
    if (loud.length) this.onFired(loud.map((alert) => `${this.where(alert)}: ${this.says(alert)}`));
  }

  // What no one sees to first, of that the worst, of these the oldest.
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
    // A wall keeps the place: rows stay where they are when an alert fires.
    this.strip.hidden = all.length === 0 && !this.wall;
  }

  // Each figure as it is now; where nobody tells it, as it was when the alert's state changed, and when that was.
  says(alert) {
    const { word } = this.tools;
    const several = (alert.conditions ?? [alert]).map((each) => this.condition(alert, each));
    const said = several.join(alert.combined ? word(`alert.${alert.combined}`) : "");
    const own = alert.message?.[this.tools.language];
    return own ? `${this.filled(own, alert)} – ${said}` : said;
  }

  condition(alert, told) {
    const { word, figure, label, now, clock, goal, targetOf, hour } = this.tools;
    const current = alert.expected_at ? null : now({ ...alert, kpi: told.kpi, window: told.window });
    const value = current === null ? told.value : current;
    const side = (told.below ?? null) === null ? "above" : "below";
    const threshold = told[side];
    const isTarget = told.kpi.startsWith("service_level") && alert.scope_kind === "queue" && targetOf(alert.scope) === threshold;
    const expected = alert.expected_at ? ".expected" : "";
    const condition = isTarget ? word(`alert.target${expected}`, { value: goal(told.kpi, threshold) }) : word(`alert.${side}`, { value: goal(told.kpi, threshold) });
    const parts = [condition];
    if (alert.recovering_since ?? null) parts.push(word("alert.clearing"));
    if (alert.expected_at) parts.unshift(word("alert.expected", { time: hour(alert.expected_at) }));
    else if (current === null) parts.push(word("alert.at", { time: clock(alert.as_of) }));
    return word("alert.says", { kpi: label(told.kpi.replace(/_live$/, "")), value: figure(told.kpi, value, threshold), condition: parts.join(" · ") });
  }

  // What the configuration has people told; the server has checked its blanks.
  filled(template, alert) {
    const { word, figure, label, goal, named, now } = this.tools;
    const threshold = alert.below ?? alert.above;
    const current = alert.expected_at ? null : now(alert);
    const blanks = {
      rule: shown(alert.rule),
      severity: word(`alert.${alert.severity}`),
      scope: alert.scope_kind === "total" ? word("scope.total") : shown(alert.scope),
      channel: alert.channel === null ? "" : named("channel", alert.channel),
      kpi: label(alert.kpi),
      value: figure(alert.kpi, current === null ? alert.value : current, threshold),
      threshold: goal(alert.kpi, threshold),
    };
    return template.replace(/\{(\w+)\}/g, (_, name) => blanks[name] ?? "");
  }

  // Who sees to it, and what keeps people from being told.
  seen(alert) {
    const { word, hour } = this.tools;
    const said = [];
    if (alert.acknowledged) said.push(word("alert.acknowledged_by", { name: who(alert.acknowledged.by, word) }));
    if (alert.silenced) said.push(word("alert.silenced_until", { time: hour(alert.silenced.until) }));
    if ((alert.told ?? []).some(({ event }) => event === "escalated") && !alert.acknowledged) said.push(word("alert.escalated"));
    return said.join(" · ");
  }

  where(alert) {
    const { word, named } = this.tools;
    const scope = alert.scope_kind === "total" ? word("scope.total") : alert.scope_kind === "queue" ? shown(alert.scope) : `${word(`scope.${alert.scope_kind}`)} ${shown(alert.scope)}`;
    return alert.channel === null ? scope : `${scope} · ${named("channel", alert.channel)}`;
  }
}
