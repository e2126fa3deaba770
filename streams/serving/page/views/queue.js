// One queue: its day by interval, the week by hour, today's waits, and the ways out of it.

import { library, picture } from "../charts.js";
import { Course } from "../detail/course.js";
import { Files } from "../detail/files.js";
import { seconds, Waits } from "../detail/waits.js";
import { Week, dayName } from "../detail/week.js";
import { make, replaceWhenChanged } from "../dom.js";
import { shown } from "../names.js";
import { channelRank, isSelfService } from "../rows.js";
import { NOTHING, UNASSIGNED, beginOfDay, count, coverage, duration, hour, isoDay, known, label, language, meaning, named, parts, percent, queueName, setText, target as targetText, word, zoneName } from "../text.js";

const ASK_MS = 20_000;
const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000];

// Contacts without a queue come last.
const byName = (a, b) => (a === UNASSIGNED) - (b === UNASSIGNED) || (a < b ? -1 : 1);

let open = null;

class QueueView {
  constructor(uPlot, root, context) {
    Object.assign(this, { root, context, data: null });
    const choice = make(root, "div", "choices");
    this.queues = this.select(choice, "queue.choose", "of", () => this.attempt());
    this.channels = this.select(choice, "channel", "channel", () => this.draw());
    this.files = new Files(choice, context, {
      query: () => [["window", "interval_15m"], ["window", "day"], ["scope", `queue:${this.queue}`], ["channel", this.channel?.channel ?? ""]],
      name: () => `${this.queue}-${this.channel?.channel ?? ""}-${this.data?.as_of ? isoDay(this.data.as_of) : ""}`.replace(/[^\p{L}\p{N}_.-]+/gu, "_"),
      pictured: () => this.picture(),
    });
    this.status = make(root, "p", "none standing-of-queue");
    this.status.setAttribute("role", "status");
    this.body = make(root, "div", "body");
    this.today = make(this.body, "ul", "today");
    this.judges = make(this.body, "section", "judges");
    const day = make(this.body, "section", "day");
    this.dayName = make(day, "h3", "day-name");
    this.course = new Course(uPlot, day, {
      minutes: 15,
      onOpen: (start) => context.choose({ at: start }),
      allOf: ({ start }) => context.link("earlier", { at: start }),
      contactsOf: ({ start }) => (context.may("contacts") ? context.link("contacts", { of: this.queue, channel: this.channel.channel, kpi: "service_level", span: "interval_15m", at: start }) : null),
    });
    this.course.opened = context.asked("at");
    this.week = new Week(make(this.body, "section", "week"), {
      onDay: (start) => this.choose(start),
      onHour: (start, at) => {
        this.choose(start);
        const of = this.channel.intervals.filter((each) => Date.parse(each.start) >= at && Date.parse(each.start) < at + HOUR_MS);
        this.course.open((of.find((each) => each.offered > 0) ?? of[0])?.start ?? null);
      },
    });
    this.waits = new Waits(uPlot, make(this.body, "section", "waits"));
  }

  select(place, text, name, then) {
    const labelled = make(place, "label", "", `${word(text)} `);
    const made = make(labelled, "select", name);
    made.addEventListener("change", () => {
      this.context.choose({ [name]: made.value, at: null, day: null });
      this.course.opened = null;
      then();
    });
    return made;
  }

  offer(select, values, text, chosen) {
    replaceWhenChanged(select, values, () => {
      for (const value of values) make(select, "option", "", text(value)).value = value;
    });
    if (select.value !== chosen && values.includes(chosen)) select.value = chosen;
  }

  get queue() {
    return this.context.asked("of") ?? this.context.askedAll("queue")[0] ?? this.names[0] ?? null;
  }

  get channel() {
    const found = this.data?.channels ?? [];
    return found.find(({ channel }) => channel === this.context.asked("channel")) ?? found[0] ?? null;
  }

  get names() {
    return [...new Set([...this.context.gather("queue").values()].filter(({ channel }) => channel !== null).map(({ scope }) => scope))].sort(byName);
  }

  // Shows why there is no data.
  showStatus(text) {
    replaceWhenChanged(this.status, text, (place) => {
      if (text) place.append(Object.assign(document.createElement("b"), { textContent: NOTHING }), ` ${text}`);
    });
  }

  // Loads the queue of the address; a failure is shown by the next poll.
  attempt() {
    this.load().catch(() => {});
  }

  // Queues arrive with the figures: the first is shown once it is known.
  news() {
    const { queue } = this;
    this.offer(this.queues, [...new Set([...this.names, ...(queue ? [queue] : [])])].sort(byName), queueName, queue);
    if (queue && queue !== this.tried) this.attempt();
  }

  async load() {
    const { queue } = this;
    if (!queue) {
      this.showStatus(this.context.unread() || word(this.context.asOf() === null ? "loading" : "no_queues"));
      return;
    }
    this.asking = this.tried = queue;
    try {
      const data = await this.context.ask(`api/v1/intervals?${new URLSearchParams({ queue })}`);
      if (this.asking !== queue) return;
      data.channels.sort((a, b) => channelRank(a.channel) - channelRank(b.channel));
      this.data = data;
      this.showStatus("");
    } catch (error) {
      // The frame shows other failures, and the last data stays.
      if (error.status !== 404) {
        this.body.hidden = !this.data;
        throw error;
      }
      this.data = null;
      this.showStatus(word("queue.gone"));
    } finally {
      if (this.asking === queue) this.asking = null;
    }
    this.draw();
  }

  draw() {
    const { channel, data } = this;
    this.body.hidden = !channel;
    this.offer(this.queues, [...new Set([...this.names, this.queue])].filter(Boolean).sort(byName), queueName, this.queue);
    const names = data?.channels.map((each) => each.channel) ?? [];
    this.offer(this.channels, names, (each) => named("channel", each), channel?.channel);
    this.channels.parentElement.hidden = names.length < 2;
    if (!channel) {
      if (data) this.showStatus(word("queue.nothing_today"));
      return;
    }
    const own = isSelfService(channel.channel);
    for (const part of [this.judges, ...this.body.querySelectorAll(":scope > :is(.day, .week, .waits)")]) part.hidden = own;
    if (own) {
      this.drawSelfService(channel);
      return;
    }
    this.drawToday(channel);
    this.drawJudges(channel);
    const now = Date.parse(data.as_of);
    const dayStart = this.dayStart;
    const chosen = this.chosen(dayStart);
    const staff = new Map((data.staff?.intervals ?? []).map((each) => [each.start, each.actual]));
    const day = channel.intervals
      .filter(({ start }) => Date.parse(start) >= chosen && Date.parse(start) < chosen + DAY_MS)
      .map((each) => ({ ...each, staff: staff.get(each.start) ?? null }));
    setText(this.dayName, `${dayName(chosen)}${chosen === dayStart ? ` · ${word("queue.today")}` : ""}`);
    this.course.show({ channel, day, now, target: channel.target, staffName: this.staffName, staffKnown: staff.size > 0 });
    this.week.show({ intervals: channel.intervals, target: channel.target, dayStart, chosen, now });
    this.waits.show(channel);
  }

  get staffName() {
    const staff = this.data?.staff;
    return word("queue.staff_at_work", { scope: !staff || staff.scope_kind === "total" ? word("queue.staff_all") : shown(staff.scope) });
  }

  get dayStart() {
    const { today } = this.channel;
    return today ? Date.parse(today.start) : beginOfDay(this.data.as_of);
  }

  chosen(dayStart) {
    const back = Number.parseInt(this.context.asked("day") ?? "0", 10);
    return dayStart - (back > 0 && back < 7 ? back : 0) * DAY_MS;
  }

  choose(start) {
    const back = Math.round((this.dayStart - start) / DAY_MS);
    this.context.choose({ day: back === 0 ? null : `${back}`, at: null });
    this.course.opened = null;
    this.draw();
  }

  drawToday({ channel, today, target, threshold_seconds: threshold }) {
    replaceWhenChanged(this.today, [channel, today, target, threshold], (place) => {
      if (!today) {
        make(place, "li", "none", word("queue.nothing_today"));
        return;
      }
      const level = today.service_level;
      const missed = known(level?.value) && known(target) && level.value < target;
      const met = known(level?.value) && known(target) && !missed;
      const detail = [parts(level), known(target) ? word("target", { value: targetText(target) }) : "", word("waits.threshold", { value: seconds(threshold) }), coverage(level)];
      const tiles = [
        [label("service_level"), percent(level?.value, 1, target), detail.filter(Boolean).join(" · "), missed ? "missed" : met ? "met" : ""],
        [label("offered"), count(today.offered), ""],
        [label("answered"), count(today.answered), `${label("answer_rate")} ${percent(today.answer_rate?.value)}`],
        [label("abandoned", channel), count(today.abandoned), ""],
        [label("asa"), duration(today.asa_seconds), ""],
        [label("aht"), duration(today.aht_seconds), ""],
      ];
      for (const [name, text, more, kind = ""] of tiles) {
        const tile = make(place, "li", kind);
        make(tile, "span", "heading", name);
        make(tile, "b", text === NOTHING ? "unknown" : "", text);
        make(tile, "small", "", more);
      }
    });
  }

  // A bot has no waits, agents or service level: its own figures replace these tiles.
  drawSelfService({ channel, today, self_service: figures }) {
    replaceWhenChanged(this.today, [channel, today !== null, figures], (place) => {
      for (const [kpi, of] of Object.entries(figures ?? {})) {
        const tile = make(place, "li", "explained");
        tile.title = meaning(kpi);
        make(tile, "span", "heading", label(kpi));
        make(tile, "b", known(of?.value) ? "" : "unknown", percent(of?.value));
        make(tile, "small", "", [parts(of), coverage(of)].filter(Boolean).join(" · "));
      }
      make(place, "li", "none", word(figures ? "queue.self_service" : "queue.self_service_none"));
    });
  }

  // The meaning of "in time", a sentence for each definition, including additional ones.
  drawJudges({ definitions = [] }) {
    replaceWhenChanged(this.judges, definitions, (place) => {
      if (definitions.length === 0) return;
      make(place, "h3", "", word("queue.judged_by"));
      const list = make(place, "dl");
      definitions.forEach((each, n) => {
        const name = each.definition.split("@")[0];
        const called = name === "service_level" ? word("queue.own_definition") : shown(name);
        make(list, "dt", "", definitions.length > 1 ? word(n ? "queue.stands_beside" : "queue.judges", { name: called }) : called);
        make(list, "dd", "", each[`text_${language}`]);
      });
    });
  }

  picture() {
    const title = `${queueName(this.queue)} · ${named("channel", this.channel.channel)} · ${this.dayName.textContent} · ${word("as_of", { time: hour(this.data.as_of) })} · ${zoneName(this.data.as_of)}`;
    return picture(title, [
      { chart: this.course.contacts, name: word("queue.course", { n: 15 }), legend: this.course.legendOfContacts },
      { chart: this.course.effort, name: word("queue.effort", { n: 15 }), legend: this.course.legendOfEffort },
      { chart: this.waits.chart, name: word("waits.title"), legend: this.waits.legendOfWaits },
    ]);
  }

  close() {
    this.course.close();
    this.waits.close();
  }
}

export async function show(root, context) {
  const uPlot = await library();
  if (context.signal.aborted) return;
  open = new QueueView(uPlot, root, context);
  const first = context.every(ASK_MS, () => open?.load());
  context.onNews(() => open?.news());
  return first;
}

export function close() {
  open?.close();
  open = null;
}
