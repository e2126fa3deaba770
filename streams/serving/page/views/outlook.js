// The next two hours of call queues: expected contacts, required and present agents, service level.

import { grid, make, replaceWhenChanged } from "../dom.js";
import { isChosen } from "../options.js";
import { count, day, duration, hour, known, named, percent, queueName, setText, target as targetText, word } from "../text.js";
import { unread } from "../unread.js";

const ASK_MS = 15_000;

let open = null;

const breached = (each, interval) => known(each.target) && known(interval?.service_level) && interval.service_level < each.target;

// Each mark of the table with its meaning.
function drawLegend(place, minutes) {
  make(place, "h3", "", word("outlook.legend"));
  const list = make(place, "dl");
  const signs = [
    ["required", "12", "outlook.required"],
    ["short", "12", "outlook.short"],
    ["missed", "▼ 12", "outlook.missed"],
    ["forecast", "", "outlook.forecast"],
    ["planned", "", "outlook.planned"],
    ["error", "", "outlook.error"],
  ];
  for (const [name, sign, id] of signs) {
    const line = make(list, "div", name);
    const term = make(line, "dt");
    if (sign) make(term, "b", "", sign);
    const text = name === "missed" ? word("below_target") : word(id);
    make(term, "span", "", text);
    make(line, "dd", "", word(`${id}_meaning`, { n: minutes }));
  }
}

class OutlookView {
  constructor(root, context) {
    Object.assign(this, { root, context });
    this.status = make(root, "p", "breaches");
    this.status.setAttribute("role", "status");
    this.staff = make(root, "p", "staff");
    this.silent = make(root, "p", "silent-mark");
    this.table = make(root, "div", "wide");
    Object.assign(this.table, { tabIndex: 0 });
    this.table.setAttribute("role", "region");
    this.table.setAttribute("aria-label", word("view.outlook"));
    this.legend = make(root, "section", "legend-of-outlook");
  }

  async load() {
    const data = await this.context.ask("api/v1/outlook");
    const { outlook, interval_minutes: minutes } = data;
    const chosen = outlook.filter(({ queue }) => isChosen(queue));
    // By the time of the expected breach, then by name.
    chosen.sort((a, b) => (a.breach_expected_at ?? "~").localeCompare(b.breach_expected_at ?? "~") || a.queue.localeCompare(b.queue));
    const starts = [...new Set(chosen.flatMap(({ intervals }) => intervals.map(({ start }) => start)))].sort();
    const soon = chosen.filter((each) => each.breach_expected_at);
    const from = chosen.map(({ expected_from: from }) => from).filter(known).sort()[0];
    const none = unread(data) || (outlook.length > 0 && chosen.length === 0 ? word("no_queues_chosen") : "");
    if (none) setText(this.status, none);
    else if (starts.length === 0) setText(this.status, from ? word("outlook.none_until", { time: `${day(from)} ${hour(from)}` }) : word("outlook.none"));
    else setText(this.status, soon.length ? word("outlook.breaches", { n: count(soon.length), queue: queueName(soon[0].queue), time: hour(soon[0].breach_expected_at) }) : word("outlook.calm"));
    replaceWhenChanged(this.legend, minutes, (place) => drawLegend(place, minutes));
    replaceWhenChanged(this.table, [chosen, starts], (place) => this.draw(place, chosen, starts, minutes));
  }

  // Present agents of all queues: agents by queue are unknown.
  news() {
    const people = [...this.context.gather("total").values()].map(({ now }) => now?.agents_by_state).find(known);
    const sum = (...states) => states.reduce((all, state) => all + (people[state] ?? 0), 0);
    setText(this.staff, people ? word("outlook.staff", { busy: count(sum("handling", "wrap_up")), free: count(sum("idle", "available")) }) : "");
    setText(this.silent, people ? this.context.silenceOfStaff() : "");
  }

  draw(place, chosen, starts, minutes) {
    if (chosen.length === 0) return;
    const headings = [["name", word("scope.queue")], ["now", word("outlook.now"), word("outlook.now_meaning")], ...starts.map((start) => ["at", hour(start), word("outlook.at_meaning", { n: minutes })]), ["error", word("outlook.error"), word("outlook.error_meaning", { n: minutes })]];
    grid(place, word("view.outlook"), headings, chosen.map((each) => {
      const by = new Map(each.intervals.map((interval) => [interval.start, interval]));
      return [
        { element: this.name(each), detail: [named("channel", each.channel), known(each.target) ? word("outlook.goal", { target: targetText(each.target), time: duration(each.threshold_seconds) }) : ""].filter(Boolean).join(" · ") },
        { text: count(each.agents_now), detail: known(each.aht_seconds) ? `AHT ${duration(each.aht_seconds)}` : "" },
        ...starts.map((start) => this.cell(each, by.get(start))),
        { text: percent(each.past_error, 0), detail: known(each.past_error) ? word("outlook.error_of") : "" },
      ];
    }));
  }

  name(each) {
    const link = Object.assign(document.createElement("a"), { textContent: queueName(each.queue) });
    link.href = this.context.link("queue", { of: each.queue, channel: each.channel });
    return link;
  }

  cell(each, interval) {
    if (!interval) return "–";
    const short = known(each.agents_now) && known(interval.agents_needed) && interval.agents_needed > each.agents_now;
    const isMissed = breached(each, interval);
    const details = [word("outlook.contacts", { n: count(interval.contacts) }), known(interval.service_level) ? percent(interval.service_level, 0, each.target) : ""];
    const className = [isMissed ? "missed" : "", short ? "short" : ""].filter(Boolean).join(" ");
    return { text: `${isMissed ? "▼ " : ""}${count(interval.agents_needed)}`, detail: details.filter(Boolean).join(" · "), className };
  }
}

export function show(root, context) {
  open = new OutlookView(root, context);
  context.onNews(() => open?.news());
  return context.every(ASK_MS, () => open?.load());
}

export function close() {
  open = null;
}
