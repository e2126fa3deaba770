// Today's targets: how many queues attain theirs, what would restore the others, and the totals.

import { Files } from "../detail/files.js";
import { seconds as inSeconds } from "../detail/waits.js";
import { grid, make, replaceWhenChanged } from "../dom.js";
import { shown } from "../names.js";
import { JUDGED_FROM, channelRank, isSelfService } from "../rows.js";
import { count, coverage, figure, goal, known, label, named, parts, percent, queueName, setText, target as targetText, word } from "../text.js";
import { unread } from "../unread.js";

const ASK_MS = 10_000;
const LARGER = ["site", "department", "business"];

let open = null;

// "17 more in a row within 20 s restore 80 %": what restores the target, or the margin left.
export function way(day) {
  if (!known(day.target)) return { text: word("goals.no_target"), className: "plain" };
  const target = targetText(day.target);
  if (day.met === null) return { text: word("goals.not_yet"), className: "plain" };
  if (day.met) {
    if (day.contacts_to_spare === null) return { text: "✓", className: "met" };
    return { text: day.contacts_to_spare > 0 ? word("goals.spare", { n: count(day.contacts_to_spare), target }) : word("goals.no_spare", { target }), className: "met" };
  }
  if (day.contacts_to_restore === null) return { text: word("goals.never", { target }), className: "missed" };
  const n = count(day.contacts_to_restore);
  const seconds = known(day.threshold_seconds) ? inSeconds(day.threshold_seconds) : null;
  return { text: seconds ? word("goals.restore", { n, seconds, target }) : word("goals.restore_in_time", { n, target }), className: "missed" };
}

const kindOf = (day) => (day.met === null ? "" : (day.service_level?.denominator ?? 0) < JUDGED_FROM ? "few" : day.met ? "met" : "missed");
// Channel → contacts offered in all queues.
function sumsOf(queues) {
  const sums = new Map();
  for (const { channel, offered } of queues) sums.set(channel, (sums.get(channel) ?? 0) + (offered ?? 0));
  return sums;
}

const SHAPES = { met: "✓ ", missed: "▼ ", few: "", "": "" };

class GoalsView {
  constructor(root, context) {
    Object.assign(this, { root, context });
    const head = make(root, "div", "choices");
    this.status = make(head, "strong", "attained");
    this.status.setAttribute("role", "status");
    this.asOf = "";
    new Files(head, context, {
      query: () => [["window", "day"], ...["queue", "site", "department", "business", "total"].map((kind) => ["scope_kind", kind]), ...["offered", "answered", "abandoned", "answer_rate", "abandon_rate", "service_level", "asa", "aht"].map((kpi) => ["kpi", kpi])],
      name: () => `today-${this.asOf}`,
    });
    this.places = Object.fromEntries(["everything", "by_queue", "larger", "other"].map((id) => [id, make(root, "section", id)]));
  }

  async load() {
    const [today, targets] = await Promise.all([this.context.ask("api/v1/today"), this.context.ask("api/v1/targets")]);
    this.asOf = (today.as_of ?? "").slice(0, 10);
    // Before figures are read there are no targets.
    this.unread = unread(today) || unread(targets);
    this.draw(today.days, this.unread ? [] : targets.targets.filter((each) => !each.of_queue));
  }

  draw(days, targets) {
    days.sort((a, b) => channelRank(a.channel) - channelRank(b.channel) || a.scope.localeCompare(b.scope));
    const queues = days.filter((each) => each.scope_kind === "queue");
    const judged = queues.filter((each) => kindOf(each) === "met" || kindOf(each) === "missed");
    setText(this.status, judged.length ? word("goals.attained", { n: judged.filter((each) => each.met).length, all: judged.length }) : `– ${this.unread || word("goals.none")}`);
    // Missed ones first, the farthest from their target at the top.
    const short = (each) => (each.met === false ? (each.contacts_to_restore ?? Number.POSITIVE_INFINITY) : -1);
    this.table("everything", days.filter((each) => each.scope_kind === "total" && !isSelfService(each.channel)), (each) => named("channel", each.channel), () => "", sumsOf(queues));
    this.table("by_queue", [...queues].sort((a, b) => short(b) - short(a)), (each) => queueName(each.scope), (each) => named("channel", each.channel));
    this.table("larger", days.filter((each) => LARGER.includes(each.scope_kind)), (each) => shown(each.scope), (each) => `${named("scope", each.scope_kind)} · ${named("channel", each.channel)}`);
    replaceWhenChanged(this.places.other, targets, (place) => drawTargets(place, targets));
    this.places.other.hidden = targets.length === 0;
  }

  // `sums`: channel → the sum of its queues, which may exceed the row.
  table(id, days, name, more = () => "", sums = new Map()) {
    const place = this.places[id];
    place.hidden = days.length === 0;
    const inQueues = (each) => (known(each.offered) && (sums.get(each.channel) ?? 0) > each.offered ? word("goals.in_queues", { n: count(sums.get(each.channel)) }) : "");
    replaceWhenChanged(place, [days, days.map(inQueues)], () => {
      make(place, "h3", "", word(`goals.${id}`));
      const headings = [["name", word("queue.choose")], ["offered", label("offered")], ["abandoned", label("abandoned")], ["answer_rate", label("answer_rate")], ["service_level", label("service_level")], ["target", word("goals.target")], ["way", word("goals.way")]];
      if (id === "everything") headings[0][1] = word("channel");
      if (id === "larger") headings[0][1] = word("goals.scope");
      grid(place, word(`goals.${id}`), headings, days.map((each) => [
        { element: this.name(each, name(each)), detail: more(each) },
        { text: count(each.offered), detail: inQueues(each) },
        count(each.abandoned),
        { text: percent(each.answer_rate?.value), detail: parts(each.answer_rate) },
        { text: `${SHAPES[kindOf(each)]}${percent(each.service_level?.value, 1, each.target)}`, detail: [parts(each.service_level), coverage(each.service_level)].filter(Boolean).join(" · "), className: kindOf(each) },
        { text: known(each.target) ? targetText(each.target) : "–", detail: known(each.threshold_seconds) ? word("within", { time: inSeconds(each.threshold_seconds) }) : "" },
        kindOf(each) === "few" ? { ...way(each), className: "plain" } : way(each),
      ]));
      if (days.some((each) => inQueues(each) !== "")) make(place, "p", "meaning", word("goals.once"));
    });
  }

  name(each, text) {
    if (each.scope_kind !== "queue") return Object.assign(document.createElement("b"), { textContent: text });
    const link = Object.assign(document.createElement("a"), { textContent: text });
    link.href = this.context.link("queue", { of: each.scope, channel: each.channel });
    return link;
  }
}

function drawTargets(place, targets) {
  make(place, "h3", "", word("goals.other"));
  const where = (each) => [each.scope_kind === "total" ? named("scope", "total") : `${named("scope", each.scope_kind)} ${shown(each.scope)}`, each.channel ? named("channel", each.channel) : ""].filter(Boolean).join(" · ");
  const asked = (each) => (known(each.target) ? goal(each.kpi, each.target) : word("target.band", { low: goal(each.kpi, each.low), high: goal(each.kpi, each.high) }));
  const good = (each) => (["met", "stretch_met", "on_track"].includes(each.standing) ? "met" : ["missed", "behind"].includes(each.standing) ? "missed" : "");
  grid(place, word("goals.other"), [["name", word("target.of")], ["achieved", word("target.achieved")], ["target", word("target.label")], ["way", word("target.standing")]], targets.map((each) => [
    { text: label(each.kpi, each.channel), detail: where(each) },
    { text: figure(each.kpi, each.figure.value), detail: parts(each.figure) },
    asked(each),
    { text: `${SHAPES[good(each)]}${word(`standing.${each.standing}`)}`, className: good(each) },
  ]));
}

export function show(root, context) {
  open = new GoalsView(root, context);
  return context.every(ASK_MS, () => open?.load());
}

export function close() {
  open = null;
}
