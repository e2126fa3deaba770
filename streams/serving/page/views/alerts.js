// The alerts view: firing alerts by rule with their acknowledgements, silences, and the history.

import { List, taken, who } from "../alerts.js";
import { offerAttention } from "../attention.js";
import { button, make, replaceWhenChanged } from "../dom.js";
import { shown } from "../names.js";
import { count, day, figure, known, named, queueName, setText, span, when, word } from "../text.js";

const HISTORY_MS = 10_000;
// The numbers of past alerts to load.
const STEPS = [20, 100, 1000];
const HOURS = [0.5, 1, 2, 4, 8, 24];
const NOTE = 300;

let open = null;

const scopeOf = ({ scope_kind: kind, scope }) => `${kind}:${scope}`;
const scopeText = (scope) => {
  const [kind, ...rest] = scope.split(":");
  return kind === "total" ? word("scope.total") : `${word(`scope.${kind}`)} ${queueName(rest.join(":"))}`;
};

// Alerts of one rule, each with its actions.
class Group {
  constructor(parent, rule, view) {
    Object.assign(this, { rule, view, alerts: [] });
    this.element = make(parent, "section", "group");
    const head = make(this.element, "h3");
    this.title = make(head, "b");
    this.silent = make(head, "small");
    this.actions = make(head, "span", "actions");
    if (view.may) {
      this.all = button(this.actions, "", () => view.acknowledge(this.untaken));
      button(this.actions, word("silence.make"), () => view.silence(this.alerts[0][1], { everywhere: true }));
    }
    this.list = new Managed(this.element, view);
  }

  get untaken() {
    return this.alerts.map(([, alert]) => alert).filter((alert) => !alert.acknowledged);
  }

  show(alerts) {
    this.alerts = alerts;
    setText(this.title, `${shown(this.rule)} (${count(alerts.length)})`);
    this.list.show(alerts);
    if (!this.all) return;
    this.all.hidden = this.untaken.length < 2;
    setText(this.all, word("acknowledge.all", { n: count(this.untaken.length) }));
  }
}

class Managed extends List {
  constructor(parent, view) {
    super(parent, view.context.strip.tools);
    this.view = view;
    this.own = new Map();
  }

  show(alerts) {
    for (const [key, alert] of alerts) this.own.set(key, alert);
    super.show(alerts);
    for (const [key, alert] of alerts) {
      const item = this.items.get(key);
      const [take] = item.querySelectorAll("button");
      if (take) take.hidden = Boolean(alert.acknowledged);
      setText(item.querySelector(".cause"), this.view.context.silence(alert.scope_kind, alert.scope));
      setText(item.querySelector(".note"), [alert.acknowledged?.note ? shown(alert.acknowledged.note) : "", alert.silenced ? shown(alert.silenced.reason) : ""].filter(Boolean).join(" · "));
    }
  }

  make(key) {
    const item = super.make(key);
    make(item, "span", "note");
    make(item, "span", "cause");
    if (this.view.may) {
      const actions = make(item, "span", "actions");
      button(actions, word("acknowledge"), () => this.view.acknowledge([this.own.get(key)]));
      button(actions, word("silence.make"), () => this.view.silence(this.own.get(key)));
    }
    return item;
  }
}

class AlertsView {
  constructor(root, context) {
    Object.assign(this, { root, context, may: context.may("alerts"), groups: new Map(), limit: STEPS[0], changed: 0 });
    this.status = make(root, "p", "said");
    this.status.setAttribute("role", "status");
    this.none = make(root, "p", "none", word("alert.none"));
    this.firing = make(root, "div", "firing all-alerts");
    this.firing.setAttribute("role", "region");
    this.firing.setAttribute("aria-label", word("alerts.firing"));
    offerAttention(root, context.attention, context.choose);
    this.silences = this.section("silences");
    this.history = this.section("history");
    this.dialog = make(root, "dialog", "act");
  }

  section(id) {
    const made = make(this.root, "section", id);
    const heading = make(made, "h3", "", word(`alerts.${id}`));
    heading.id = `alerts-${id}`;
    made.setAttribute("aria-labelledby", heading.id);
    return make(made, "div");
  }

  // Firing alerts come from the page's event stream.
  show() {
    const all = this.context.strip.sorted;
    this.none.hidden = all.length > 0 || this.context.strip.alerts === null;
    const rules = new Map();
    for (const each of all) rules.set(each[1].rule, [...(rules.get(each[1].rule) ?? []), each]);
    for (const [rule, group] of this.groups) {
      if (rules.has(rule)) continue;
      group.element.remove();
      this.groups.delete(rule);
    }
    [...rules].forEach(([rule, alerts], place) => {
      if (!this.groups.has(rule)) this.groups.set(rule, new Group(this.firing, rule, this));
      const group = this.groups.get(rule);
      group.show(alerts);
      if (this.firing.children[place] !== group.element) this.firing.insertBefore(group.element, this.firing.children[place] ?? null);
    });
    // The history is reloaded when an alert fires, clears, or is acknowledged or silenced.
    const signature = all.map(([, { alert_id: id, acknowledged, silenced }]) => `${id}${Boolean(acknowledged)}${silenced?.silence_id ?? ""}`).join();
    if (this.signature !== undefined && this.signature !== signature) this.load().catch(() => {});
    this.signature = signature;
  }

  async load() {
    const [{ silences }, { history, server_time: now }] = await Promise.all([this.context.ask("api/v1/silences"), this.context.ask(`api/v1/alerts/history?limit=${this.limit}`)]);
    this.now = now;
    replaceWhenChanged(this.silences, [silences, day(now)], (place) => this.drawSilences(place, silences));
    replaceWhenChanged(this.history, [history, this.limit, day(now)], (place) => this.drawHistory(place, history));
  }

  drawSilences(place, silences) {
    if (!silences?.length) {
      make(place, "p", "none", word(silences === null ? "alerts.unknown" : "silence.none"));
      return;
    }
    const list = make(place, "ul");
    for (const silence of silences) {
      const item = make(list, "li");
      make(item, "b", "", this.about(silence));
      make(item, "span", "", word("silence.until", { time: this.when(silence.until) }));
      make(item, "span", "note", shown(silence.reason));
      make(item, "span", "quiet", who(silence.by, word));
      if (this.may) button(item, word("silence.end"), () => this.act(() => this.context.ask(`api/v1/silences/${encodeURIComponent(silence.silence_id)}`, { method: "DELETE" }), word("silence.ended")));
    }
  }

  about({ rule, scope }) {
    if (rule === null) return word("silence.scope", { scope: scopeText(scope) });
    return scope === null ? word("silence.rule", { rule: shown(rule) }) : word("silence.both", { rule: shown(rule), scope: scopeText(scope) });
  }

  drawHistory(place, history) {
    if (!history?.length) {
      make(place, "p", "none", word(history === null ? "alerts.unknown" : "alerts.no_history"));
      return;
    }
    const list = make(place, "ol");
    for (const alert of history) {
      const item = make(list, "li", alert.severity);
      const head = make(item, "p", "head");
      make(head, "span", "severity", word(`alert.${alert.severity}`));
      make(head, "b", "", this.context.strip.where(alert));
      make(head, "span", "", shown(alert.rule));
      make(head, "span", "quiet", this.lasted(alert));
      const events = make(item, "ol", "events");
      for (const event of alert.events) {
        const line = make(events, "li", event.event);
        make(line, "time", "", this.when(event.at)).dateTime = event.at;
        make(line, "span", "", this.event(event, alert));
      }
    }
    const next = STEPS.find((each) => each > this.limit);
    if (history.length >= this.limit && next) {
      button(place, word("alerts.more", { n: count(next) }), () => {
        this.limit = next;
        this.load().catch((error) => this.fail(error));
      });
    }
  }

  when(time) {
    return when(time, this.now);
  }

  // From the begin of the breach until the alert cleared, all as of the figures, like the events below.
  lasted({ since, cleared_at: cleared, duration_seconds: seconds }) {
    if (!known(seconds)) return `${word("alert.since", { time: this.when(since) })} · ${word("alerts.still")}`;
    return word("alerts.lasted", { since: this.when(since), until: this.when(cleared), duration: span(seconds) });
  }

  event({ event, value, receiver, of, step, by, note, because }, alert) {
    if (event === "fired") return word("event.fired", { value: figure(alert.kpi, value) });
    if (event === "cleared") return word("event.cleared", { value: figure(alert.kpi, value), because: word(`alert.${because ?? "recovered"}`) });
    if (event === "escalated") return word("event.escalated", { receiver: shown(receiver), step });
    if (event === "acknowledged") return [taken("event.acknowledged", by, word), note ? shown(note) : ""].filter(Boolean).join(" – ");
    return word(`event.${event}`, { receiver: shown(receiver), of: word(`event.of.${of}`) });
  }

  acknowledge(alerts) {
    this.ask(word("acknowledge"), alerts.map((alert) => `${this.context.strip.where(alert)} – ${shown(alert.rule)}`).slice(0, 10), (form) => {
      const note = this.field(form, "note", make(document.createElement("div"), "input"));
      note.maxLength = NOTE;
      return () => this.act(async () => {
        // One after the other: the topic accepts few at a time.
        for (const { alert_id: id } of alerts) await this.post(`api/v1/alerts/${encodeURIComponent(id)}/acknowledgement`, note.value ? { note: note.value } : {});
      }, word("acknowledge.done", { n: count(alerts.length) }));
    });
  }

  silence(alert, { everywhere = false } = {}) {
    this.ask(word("silence.make"), [], (form) => {
      const [rule, scope] = [alert.rule, scopeOf(alert)];
      const all = [{ rule, scope }, { rule: null, scope }, { rule, scope: null }];
      const choices = everywhere ? all.toReversed() : all;
      const about = this.field(form, "silence.about", make(document.createElement("div"), "select"));
      choices.forEach((each, n) => about.add(new Option(this.about(each), n)));
      const hours = this.field(form, "silence.for", make(document.createElement("div"), "select"));
      for (const each of HOURS) hours.add(new Option(each < 1 ? word("minutes", { n: 60 * each }) : word("hours", { n: each }), each, each === 1, each === 1));
      const reason = this.field(form, "silence.reason", make(document.createElement("div"), "input"));
      Object.assign(reason, { required: true, maxLength: NOTE });
      return () => {
        // By the server's clock: the viewer's may be wrong.
        const until = new Date((this.context.serverTime() ?? Date.now()) + Number(hours.value) * 3_600_000).toISOString();
        const { rule: of, scope: where } = choices[about.value];
        const body = { ...(of === null ? {} : { rule: of }), ...(where === null ? {} : { scope: where }), until, reason: reason.value };
        return this.act(() => this.post("api/v1/silences", body), word("silence.made"));
      };
    });
  }

  field(form, name, input) {
    const label = make(form, "label", "", `${word(name)} `);
    label.append(input);
    return input;
  }

  // A dialog with fields; `fill` adds them and returns the action on submit.
  ask(title, lines, fill) {
    this.dialog.replaceChildren();
    const form = make(this.dialog, "form");
    const heading = make(form, "h3", "", title);
    heading.id = "act-title";
    this.dialog.setAttribute("aria-labelledby", heading.id);
    for (const line of lines) make(form, "p", "", line);
    const done = fill(form);
    const actions = make(form, "p", "actions");
    Object.assign(make(actions, "button", "", title), { type: "submit" });
    button(actions, word("close"), () => this.dialog.close());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.dialog.close();
      done();
    });
    this.dialog.showModal();
  }

  post(path, body) {
    return this.context.ask(path, { method: "POST", headers: { Accept: "application/json", "Content-Type": "application/json" }, body: JSON.stringify(body) });
  }

  async act(task, success) {
    try {
      await task();
      setText(this.status, success);
      await this.load();
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error) {
    if (error.name !== "AbortError") setText(this.status, word("view.failed", { reason: error.message }));
  }
}

export function show(root, context) {
  open = new AlertsView(root, context);
  context.onNews(() => open?.show());
  return context.every(HISTORY_MS, () => open?.load());
}

export function close() {
  open = null;
}
