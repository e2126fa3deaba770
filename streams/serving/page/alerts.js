// The strip of firing alerts: which rule, where, what figure and since how long. What fires and ends is told to screen readers.

import { shown } from "./names.js";

const SHOWN = 6;
const SEVERITIES = ["critical", "warning"];

function element(parent, name, className) {
  const made = parent.appendChild(document.createElement(name));
  made.className = className;
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export class AlertStrip {
  // `tools` are words and formats of the page, and `asOf` the instant of its figures in milliseconds, null before there are any.
  constructor(strip, news, tools) {
    this.strip = strip;
    this.list = element(strip, "ul", "");
    this.more = element(strip, "p", "more");
    this.news = news;
    this.tools = tools;
    this.alerts = null;
    this.items = new Map();
    strip.setAttribute("aria-label", tools.word("alerts"));
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
    const said = [];
    for (const [key, alert] of this.alerts) {
      if (before.get(key)?.alert_id !== alert.alert_id) said.push(`${word(`alert.${alert.severity}`)}: ${shown(alert.rule)}, ${this.where(alert)}`);
    }
    for (const [key, alert] of before) {
      if (!this.alerts.has(key)) said.push(`${word("alert.cleared")}: ${shown(alert.rule)}, ${this.where(alert)}`);
    }
    if (said.length) setText(this.news, said.join(". "));
  }

  show() {
    const { word, figure, age, asOf } = this.tools;
    const rank = ([, alert]) => SEVERITIES.indexOf(alert.severity);
    const all = [...(this.alerts ?? [])].sort((a, b) => rank(a) - rank(b) || Date.parse(a[1].since) - Date.parse(b[1].since));
    const first = new Map(all.slice(0, SHOWN));
    for (const [key, item] of this.items) {
      if (!first.has(key)) {
        item.remove();
        this.items.delete(key);
      }
    }
    for (const [key, alert] of first) {
      const item = this.items.get(key) ?? this.make(key);
      item.className = alert.severity;
      const threshold = alert.below === null ? word("alert.above", { value: figure(alert.kpi, alert.above) }) : word("alert.below", { value: figure(alert.kpi, alert.below) });
      const lasted = asOf() === null ? "" : word("alert.for", { age: age(Math.max(0, asOf() - Date.parse(alert.since)) / 1000) });
      // The figure is that of the last change: of an alert that is about to clear it is within the threshold again.
      const standing = (alert.recovering_since ?? null) === null ? `${figure(alert.kpi, alert.value)} ${threshold}` : `${figure(alert.kpi, alert.value)} · ${word("alert.clearing")}`;
      const texts = [word(`alert.${alert.severity}`), shown(alert.rule), this.where(alert), standing, lasted];
      texts.forEach((text, n) => setText(item.children[n], text));
      item.title = this.tools.label(alert.kpi);
      // Moved only where the order differs: what stands still can be read.
      const place = [...first.keys()].indexOf(key);
      if (this.list.children[place] !== item) this.list.insertBefore(item, this.list.children[place] ?? null);
    }
    setText(this.more, all.length > SHOWN ? word("alert.more", { n: all.length - SHOWN }) : "");
    this.strip.hidden = all.length === 0;
  }

  make(key) {
    const item = element(this.list, "li", "");
    for (const name of ["severity", "rule", "where", "figure", "lasted"]) element(item, "span", name);
    this.items.set(key, item);
    return item;
  }

  where(alert) {
    const { word, named } = this.tools;
    const scope = alert.scope_kind === "total" ? word("scope.total") : alert.scope_kind === "queue" ? shown(alert.scope) : `${word(`scope.${alert.scope_kind}`)} ${shown(alert.scope)}`;
    return alert.channel === null ? scope : `${scope} · ${named("channel", alert.channel)}`;
  }
}
