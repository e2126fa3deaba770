// All queues in one past interval: totals by channel first, then queues, the farthest below their targets first.

import { button, grid, make, replaceWhenChanged } from "../dom.js";
import { shown } from "../names.js";
import { isChosen } from "../options.js";
import { JUDGED_FROM, channelRank, isSelfService } from "../rows.js";
import { UNASSIGNED, count, coverage, day, duration, hour, isSameDay, known, label, named, parts, percent, setText, spanOf, target as targetText, word } from "../text.js";
import { unread } from "../unread.js";

const ASK_MS = 20_000;
const SHAPES = { met: "✓ ", missed: "▼ ", few: "", plain: "" };

let open = null;

function kindOf({ service_level: level, target }) {
  if (!known(level?.value) || !known(target)) return "plain";
  return level.denominator < JUDGED_FROM ? "few" : level.value < target ? "missed" : "met";
}

class EarlierView {
  constructor(root, context) {
    Object.assign(this, { root, context, data: null });
    const choices = make(root, "p", "choices");
    this.before = button(choices, "‹", () => this.step(-1), "before");
    this.list = make(make(choices, "label", "", `${word("queue.interval")} `), "select");
    this.list.addEventListener("change", () => this.choose(this.list.value));
    this.after = button(choices, "›", () => this.step(1), "after");
    for (const [each, name] of [[this.before, "before"], [this.after, "after"]]) each.setAttribute("aria-label", (each.title = word(`earlier.${name}`)));
    this.title = make(root, "p", "span");
    this.title.setAttribute("role", "status");
    this.everything = make(root, "section", "everything");
    this.queues = make(root, "section", "by_queue");
    make(root, "p", "none", word("earlier.meaning"));
  }

  get at() {
    return this.data?.starts.indexOf(this.data.start) ?? -1;
  }

  step(by) {
    const start = this.data?.starts[this.at + by];
    if (start) this.choose(start);
  }

  choose(start) {
    this.context.choose({ at: start });
    // A failure is shown by the next poll.
    this.load().catch(() => {});
  }

  async load() {
    const at = this.context.asked("at");
    const asked = (this.asking = at);
    const data = await this.context.ask(`api/v1/earlier${at ? `?${new URLSearchParams({ at })}` : ""}`);
    if (this.asking !== asked) return;
    this.data = data;
    this.draw();
  }

  draw() {
    const { start, end, starts, scopes, as_of: asOf } = this.data;
    // The newest first: it is used most.
    replaceWhenChanged(this.list, starts, () => {
      this.list.append(...starts.toReversed().map((each) => new Option(asOf && isSameDay(each, asOf) ? hour(each) : `${day(each)} ${hour(each)}`, each)));
    });
    this.list.value = start ?? "";
    this.before.disabled = this.at <= 0;
    this.after.disabled = this.at < 0 || this.at === starts.length - 1;
    const suffix = asOf && Date.parse(end) > Date.parse(asOf) ? "so_far" : scopes.every((each) => each.final) ? "" : "not_final";
    setText(this.title, start ? `${day(start)} ${spanOf({ start, end })}${suffix && ` (${word(`queue.${suffix}`)})`}` : unread(this.data) || word(starts.length ? "earlier.none" : "trend.none"));
    const sorted = scopes.toSorted((a, b) => channelRank(a.channel) - channelRank(b.channel) || a.scope.localeCompare(b.scope));
    this.table("everything", sorted.filter((each) => each.scope_kind === "total" && !isSelfService(each.channel)), (each) => ({ text: named("channel", each.channel) }));
    const gap = (each) => (kindOf(each) === "plain" ? 1 : each.service_level.value - each.target);
    const queues = sorted.filter((each) => each.scope_kind === "queue" && each.scope !== UNASSIGNED && isChosen(each.scope));
    this.table("by_queue", queues.toSorted((a, b) => gap(a) - gap(b)), (each) => ({ element: this.link(each), detail: named("channel", each.channel) }));
  }

  table(id, rows, name) {
    const place = id === "everything" ? this.everything : this.queues;
    place.hidden = rows.length === 0;
    replaceWhenChanged(place, rows, () => {
      make(place, "h3", "", word(`goals.${id}`));
      const headings = [["name", word(id === "everything" ? "channel" : "scope.queue")], ...["offered", "answered", "abandoned", "answer_rate", "service_level"].map((kpi) => [kpi, label(kpi)]), ["target", word("target.label")], ["asa", label("asa")], ["aht", label("aht")]];
      grid(place, word(`goals.${id}`), headings, rows.map((each) => [
        name(each),
        count(each.offered), count(each.answered), count(each.abandoned),
        { text: percent(each.answer_rate?.value), detail: parts(each.answer_rate) },
        { text: `${SHAPES[kindOf(each)]}${percent(each.service_level?.value, 1, each.target)}`, detail: [parts(each.service_level), coverage(each.service_level)].filter(Boolean).join(" · "), className: kindOf(each) },
        known(each.target) ? targetText(each.target) : "–",
        duration(each.asa_seconds), duration(each.aht_seconds),
      ]));
    });
  }

  link(each) {
    const made = Object.assign(document.createElement("a"), { textContent: shown(each.scope) });
    made.href = this.context.link("queue", { of: each.scope, channel: each.channel, at: each.start });
    return made;
  }
}

export function show(root, context) {
  open = new EarlierView(root, context);
  return context.every(ASK_MS, () => open?.load());
}

export function close() {
  open = null;
}
