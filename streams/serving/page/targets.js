// The targets of figures and their attainment: polled, and shown as a table.

import { own, shown } from "./names.js";
import { isChosen, narrowed, order } from "./options.js";
import { JUDGED_FROM, markSilence, Ranked } from "./rows.js";
import { Table } from "./tables.js";
import { NOTHING, coverage, day, dayOf, figure, kpi, known, label, meaning, monthOf, named, parts, percent, points, queueName, setAttribute, setClass, span, target as targetText, word } from "./text.js";

const ASK_MS = 5_000;
const VERDICTS = { stretch_met: "met", met: "met", on_track: "met", missed: "missed", behind: "missed" };
const WORST_FIRST = ["missed", "behind", "open", "unknown", "on_track", "met", "stretch_met"];

// In the order of the configuration.
const keyOf = (each, n) => [`${n}`.padStart(4, "0"), each.kpi, each.scope_kind, each.scope, each.channel ?? "", each.window ?? ""].join("\u0000");
const numberOf = (text) => Number.parseInt(text.replace(/\D/g, ""), 10);

// A value of the target's figure; differences of shares are in points, never in percent.
function value(id, number) {
  if (!known(number)) return NOTHING;
  const { unit } = kpi(id);
  if (unit === "ratio") return targetText(number);
  return unit === "seconds" ? span(number) : figure(id, number);
}

// A small difference is never shown as 0.
const LEAST = { ratio: 0.001, seconds: 1 };
function difference(id, number) {
  const { unit } = kpi(id);
  const [far, least] = [Math.abs(number), own(LEAST, unit) ?? 0.01];
  const text = (size) => (unit === "ratio" ? points(size) : value(id, size));
  return far > 0 && far < least ? `< ${text(least)}` : text(far);
}

// Whether the figure is a share of contacts, whose numbers are shown.
const counted = (of) => kpi(of.kpi).unit === "ratio" && kpi(of.kpi).denominator_unit === "contacts";

function goal({ kpi: id, target, stretch, low, high }) {
  if (known(target)) return [word("target", { value: value(id, target) }), known(stretch) ? word("target.stretch", { value: value(id, stretch) }) : ""].filter(Boolean).join(" · ");
  if (known(low) && known(high)) return word("target", { value: word("target.band", { low: value(id, low), high: value(id, high) }) });
  return known(low) ? word("target.at_least", { value: value(id, low) }) : word("target.at_most", { value: value(id, high) });
}

// The limit that rounding must not cross.
function limitOf({ target, low, high, figure: of }) {
  if (known(target) || !known(of.value)) return target;
  return known(low) && known(high) ? (Math.abs(of.value - low) < Math.abs(of.value - high) ? low : high) : (low ?? high);
}

function windowOf({ kpi: id, window, window_start: start }) {
  if (window === null) return "";
  // Figures that are final late are of a past day or month.
  if (window === "customers_month") return start ? monthOf(start) : "";
  if (window === "customers_day" || (window === "day" && kpi(id).horizon)) return start ? dayOf(start) : "";
  if (window === "day") return word("windows.today");
  return word(window.startsWith("trailing") ? "alert.last" : "windows.last_interval", { n: numberOf(window) });
}

function place(each) {
  const { scope_kind: kind, scope, channel } = each;
  const name = kind === "total" ? word("scope.total") : kind === "queue" ? queueName(scope) : `${word(`scope.${kind}`)} ${shown(scope)}`;
  return [name, channel === null ? "" : named("channel", channel), windowOf(each)].filter(Boolean).join(" · ");
}

function howFar({ kpi: id, progress, margin, standing }) {
  if (["on_track", "behind"].includes(standing)) return word(`target.${standing}_by`, { value: difference(id, progress.ahead) });
  return known(margin) && margin < 0 ? word("target.short_by", { value: difference(id, margin) }) : "";
}

function projection({ progress, met }) {
  if (!progress || met) return "";
  return known(progress.projected_at) ? word("target.projected", { date: day(progress.projected_at) }) : word("target.not_projected");
}

// A share of few contacts is shown without a verdict: one contact would decide it.
function verdict({ kpi: id, figure: of, standing }) {
  const few = kpi(id).denominator_unit === "contacts" && (of.denominator ?? 0) < JUDGED_FROM;
  return few ? null : own(VERDICTS, standing);
}

export class Targets extends Ranked {
  constructor(onNews) {
    const attainment = "target_attainment";
    super(
      new Table(
        "targets",
        [
          ["name", word("target.of"), ""],
          ["achieved", word("target.achieved"), ""],
          [attainment, label(attainment), meaning(attainment)],
          ["verdict", word("target.standing"), word("target.standing_meaning", { n: JUDGED_FROM })],
          ["due", word("target.due"), ""],
        ],
        { bars: [attainment] },
      ),
    );
    this.held = [];
    this.ranks = new Map();
    this.onNews = onNews;
  }

  follow() {
    this.ask();
    setInterval(() => this.ask(), ASK_MS);
  }

  async ask() {
    try {
      const answer = await fetch("api/v1/targets");
      if (!answer.ok) return;
      const data = await answer.json();
      // Before figures are read there are no targets.
      if (data.ready === false) return;
      // Those of queues' service levels are shown with the queues.
      this.held = data.targets.filter((each) => !each.of_queue);
      this.onNews();
    } catch {
      // The page's mark shows the lost connection.
    }
  }

  // The server has sent a new snapshot.
  reset() {
    this.ask();
  }

  show({ silence }) {
    const { table } = this;
    const shown = new Set();
    this.ranks.clear();
    for (const [n, each] of this.held.entries()) {
      if (narrowed() && !(each.scope_kind === "queue" && isChosen(each.scope))) continue;
      const key = keyOf(each, n);
      shown.add(key);
      const row = table.row(key, label(each.kpi, each.channel), place(each));
      const silent = silence(each.scope_kind, each.scope);
      const judgment = silent ? null : verdict(each);
      table.show(row, "achieved", figure(each.kpi, each.figure.value, limitOf(each)), [goal(each), counted(each) ? parts(each.figure) : "", coverage(each.figure)].filter(Boolean).join(" · "));
      table.fill(table.show(row, "target_attainment", percent(each.attainment.value)), each.attainment.value, 1);
      const cell = table.show(row, "verdict", word(`standing.${each.standing}`), howFar(each));
      setClass(cell.element, "unknown", each.standing === "unknown");
      for (const name of ["met", "missed"]) setClass(cell.element, name, judgment === name);
      setAttribute(cell.shape, "role", "presentation");
      table.show(row, "due", each.due === null ? NOTHING : day(each.due), projection(each));
      markSilence(row, silent);
      this.ranks.set(row, judgment === null ? WORST_FIRST.indexOf("unknown") : WORST_FIRST.indexOf(each.standing));
    }
    table.keep(shown);
    table.section.hidden = shown.size === 0;
    this.arrange((a, b) => (order.id === "worst" ? this.ranks.get(a) - this.ranks.get(b) : 0));
  }
}
