// Quality of the figures: sources with a sentence each, dead letters, events that counted nothing, and partial measurements.

import { Files } from "../detail/files.js";
import { grid, make, replaceWhenChanged } from "../dom.js";
import { shown } from "../names.js";
import { NOTHING, age, count, known, label, language, named, percent, queueName, setText, when, word } from "../text.js";
import { unread } from "../unread.js";

const ASK_MS = 10_000;
const SHAPES = { heard: "● ", silent: "▲ ", never_heard: "▲ ", quarantined: "■ " };

let open = null;

const where = (each) => `${each.scope_kind === "total" ? named("scope", "total") : `${named("scope", each.scope_kind)} ${queueName(each.scope)}`} · ${named("channel", each.channel)}`;

class QualityView {
  constructor(root, context) {
    this.context = context;
    const head = make(root, "div", "choices");
    this.complete = make(head, "span", "complete");
    new Files(head, context, { query: () => [["window", "day"], ["kpi", "events_uncounted"]], name: () => "events-uncounted" });
    this.places = Object.fromEntries(["sources", "dead", "uncounted", "coverage"].map((id) => [id, make(root, "section", id)]));
  }

  async load() {
    const [sources, today] = await Promise.all([this.context.ask("api/v1/sources"), this.context.ask("api/v1/today")]);
    this.unread = unread(sources) || unread(today);
    this.draw(sources, today.days);
  }

  draw({ health, dead_letters: dead, complete_through: through, server_time: now }, days) {
    setText(this.complete, through ? word("quality.complete", { time: when(through, now) }) : this.unread || word("quality.incomplete"));
    // Ages change with every poll: redrawn only where the health differs.
    this.section("sources", health, (place) => {
      if (!health.length) make(place, "p", "none", this.unread || word("quality.no_sources"));
      else drawSources(place, health, now);
    });
    this.section("dead", [dead], (place) => drawDead(place, dead));
    // Events without a queue are in the total alone; a view without it shows its queues.
    const totals = days.filter((each) => each.scope_kind === "total");
    const counted = totals.length ? totals : days.filter((each) => each.scope_kind === "queue");
    const lost = counted.flatMap((each) => Object.entries(each.events_uncounted).map(([reason, number]) => ({ each, reason, number }))).sort((a, b) => b.number - a.number);
    this.section("uncounted", lost, (place) => {
      if (!lost.length) make(place, "p", "none", this.unread || word("quality.uncounted_none"));
      else grid(place, word("quality.uncounted"), [["name", word("quality.reason")], ["events", word("quality.events")], ["where", word("quality.where")]], lost.map(({ each, reason, number }) => [{ text: named("uncounted", reason), detail: reason }, count(number), where(each)]));
    });
    const queues = days.filter((each) => each.scope_kind === "queue");
    const partly = queues.flatMap((each) => Object.entries(each.coverage).map(([kpi, value]) => ({ each, kpi, value }))).sort((a, b) => a.value - b.value || a.each.scope.localeCompare(b.each.scope));
    this.section("coverage", partly, (place) => {
      if (!partly.length) make(place, "p", "none", this.unread || word("quality.coverage_none"));
      else grid(place, word("quality.coverage"), [["name", word("target.of")], ["measured", word("quality.measured")], ["where", word("quality.where")]], partly.map(({ each, kpi, value }) => [label(kpi), percent(value, 0), where(each)]));
    });
  }

  section(id, signature, draw) {
    replaceWhenChanged(this.places[id], [signature, this.unread], (place) => {
      make(place, "h3", "", word(`quality.${id}`));
      draw(place);
    });
  }
}

function drawSources(place, health, now) {
  const headings = [["name", word("quality.source")], ["state", word("quality.standing")], ["heard", word("quality.last_heard")], ["said", word("quality.in_words")]];
  grid(place, word("quality.sources"), headings, health.map((each) => [
    { text: shown(each.source), detail: each.feeds.map((scope) => shown(scope.slice(scope.indexOf(":") + 1))).join(", ") },
    { text: `${SHAPES[each.code]}${word(`quality.${each.code}`)}`, className: `is-${each.code}` },
    { text: each.last_seen ? when(each.last_seen, now) : NOTHING, detail: known(each.silent_seconds) ? word("quality.ago", { age: age(each.silent_seconds) }) : "" },
    each[`text_${language}`],
  ]));
  make(place, "p", "none", `${word("quality.last_heard")}: ${word("quality.last_heard_meaning")}`);
}

function drawDead(place, dead) {
  if (!dead) {
    make(place, "p", "none", word("quality.dead_unknown"));
    return;
  }
  const most = (n) => (n === 0 ? "0" : word("quality.at_most", { n: count(n) }));
  const headings = [["name", word("quality.topic")], ["hour", word("quality.last_hour")], ["all", word("quality.last_day")], ["held", word("quality.held")]];
  grid(place, word("quality.dead"), headings, Object.entries(dead).map(([topic, each]) => [topic, most(each.last_hour), most(each.last_day), most(each.held)]));
  make(place, "p", "none", word("quality.dead_help"));
}

export function show(root, context) {
  open = new QualityView(root, context);
  return context.every(ASK_MS, () => open?.load());
}

export function close() {
  open = null;
}
