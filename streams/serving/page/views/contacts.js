// Contacts by id: callers to call back, and those behind a figure of a queue.

import { mayOpen } from "../behind.js";
import { grid, make, replaceWhenChanged } from "../dom.js";
import { shown } from "../names.js";
import { ReadingLine } from "../reading.js";
import { channelRank } from "../rows.js";
import { SortedTable } from "../sorting.js";
import { NOTHING, age, clock, count, duration, known, label, language, named, placeName, queueName, setAttribute, setClass, setText, when, word } from "../text.js";
import { unread } from "../unread.js";

const ASK_MS = 10_000;
// While events are being read.
const SOON_MS = 1_000;
const ORDERS = ["newest", "longest"];
const HOURS = [1, 2, 4, 8, 24];
const USUAL_HOURS = 8;
const WINDOWS = ["trailing_5m", "trailing_15m", "trailing_30m", "trailing_60m", "day"];
const KPIS = ["offered", "answered", "abandoned", "service_level", "service_level_live", "abandon_rate", "answer_rate", "asa", "aht", "waiting"];
const OF_NOW = ["waiting", "longest_wait"];
// Below this a listed wait is explained.
const SHORT_SECONDS = 5;
// The prefix of wider scopes in the list of queues.
const WIDER = "\u0000";
// Before the server reports what it reads.
const NO_READING = { topic: "", since: null, share: null };
const ROLES = ["not_counted", "undecided", "missed", "met"];

let open = null;

const windowText = (name) => (name === "day" ? word("queue.today") : word("contacts.last", { time: word("window.trailing", { n: name.replace(/\D/g, "") }) }));
const outcomeOf = ({ outcome }) => (known(outcome) ? named("outcome", outcome) : NOTHING);
// The verdict in the names of a figure's parts.
const partOf = ({ parts }) => ROLES.filter((role) => parts.some((part) => part.endsWith(role))).map((role) => word(`part.${role}`)).join(", ");

// An id with its source, and where configured a link that names its platform.
function fillId(cell, { conversation_id: id, link, platform, source }, queue = null) {
  const signature = JSON.stringify([id, link, platform, source, queue]);
  if (cell.signature === signature) return;
  cell.signature = signature;
  setText(cell.value, shown(id));
  setText(cell.detail, [known(queue) ? queueName(queue) : "", known(source) ? shown(source) : ""].filter(Boolean).join(" · "));
  if (!/^https?:\/\//i.test(link ?? "")) return;
  if (known(source)) cell.detail.append(" · ");
  const text = word("contacts.open", { platform: shown(platform ?? new URL(link).host) });
  const made = make(cell.detail, "a", "", text);
  Object.assign(made, { href: link, target: "_blank", rel: "noopener noreferrer" });
  made.setAttribute("aria-label", `${text}: ${shown(id)}`);
}

function select(place, text, then) {
  const labelled = make(place, "label", "", `${text} `);
  const made = make(labelled, "select");
  made.addEventListener("change", () => then(made.value));
  return made;
}

function offer(made, entries, chosen) {
  const all = !chosen || entries.some(([value]) => value === chosen) ? entries : [...entries, [chosen, chosen]];
  replaceWhenChanged(made, all, () => made.append(...all.map(([value, text]) => new Option(text, value))));
  if (made.value !== (chosen ?? "")) made.value = chosen ?? "";
}

const queuesOf = (context) => [...new Set([...context.gather("queue").values()].filter(({ channel }) => channel !== null).map(({ scope }) => scope))].sort();

class ToCall {
  constructor(place, context) {
    Object.assign(this, { context, place, data: null, timer: 0 });
    context.signal.addEventListener("abort", () => clearTimeout(this.timer));
    make(place, "h3", "", word("contacts.to_call"));
    make(place, "p", "none meant", word("contacts.to_call_meaning"));
    this.reading = new ReadingLine(place, "contact");
    const choices = make(place, "p", "choices");
    this.hours = select(choices, word("contacts.time"), (value) => this.choose({ hours: value }));
    this.queue = select(choices, word("scope.queue"), (value) => this.choose({ gave_up: value || null }));
    this.order = select(choices, word("order"), (value) => {
      this.table.order = { id: null, down: false };
      this.choose({ calls: value === ORDERS[0] ? null : value, by: null });
    });
    this.status = make(choices, "span", "none as-of");
    this.status.setAttribute("role", "status");
    this.wide = make(place, "div", "wide");
    this.table = new SortedTable(this.wide, word("contacts.to_call"), this.columns(), {
      order: context.asked("by"),
      onOrder: (order) => context.choose({ by: order }),
    });
    this.needs = make(place, "p", "none needs");
    // Callers reached since: collapsed, as they may be many.
    this.reached = make(place, "details", "all");
    this.summary = make(this.reached, "summary");
    this.reachedTable = make(this.reached, "div", "wide");
    this.reached.hidden = true;
  }

  columns() {
    return [
      { id: "name", text: word("contacts.contact"), of: ({ conversation_id: id }) => id, fill: fillId },
      {
        id: "queue", text: word("scope.queue"), of: ({ queue }) => queue,
        fill: (cell, { queue, channel }) => {
          setText(cell.value, queueName(queue));
          setText(cell.detail, known(channel) ? named("channel", channel) : "");
        },
      },
      {
        id: "left", text: word("contacts.left"), of: ({ left }) => Date.parse(left), first: "down",
        fill: (cell, { left }) => {
          setText(cell.value, word("contacts.ago", { age: age((this.now - Date.parse(left)) / 1000) }));
          setText(cell.detail, when(left, this.now));
        },
      },
      { id: "waited", text: word("contacts.waited"), of: ({ waited_seconds: waited }) => waited, first: "down", fill: (cell, { waited_seconds: waited }) => setText(cell.value, duration(waited)) },
      {
        id: "times", text: word("contacts.times"), title: word("contacts.times_meaning"), of: ({ times }) => times, first: "down",
        fill: (cell, { times, waits_again: again, first_left: first }) => {
          setText(cell.value, count(times));
          setText(cell.detail, again ? `● ${word("contacts.waits_again")}` : times > 1 && known(first) ? word("contacts.since", { time: when(first, this.now) }) : "");
        },
      },
      {
        id: "customer", text: word("contacts.customer"), title: word("contacts.customer_meaning"), of: ({ customer }) => customer,
        fill: (cell, { customer }) => {
          setText(cell.value, customer ?? NOTHING);
          setClass(cell, "unknown", customer === null);
          setAttribute(cell, "title", customer === null ? word("contacts.no_key") : "");
        },
      },
    ];
  }

  choose(changes) {
    this.context.choose(changes);
    this.load().catch(() => {});
  }

  async load() {
    const { context } = this;
    clearTimeout(this.timer);
    const [hours, queue] = [context.asked("hours") ?? `${USUAL_HOURS}`, context.asked("gave_up")];
    const order = ORDERS.find((each) => each === context.asked("calls")) ?? ORDERS[0];
    offer(this.order, ORDERS.map((each) => [each, word(`contacts.${each}`)]), order);
    offer(this.hours, HOURS.map((n) => [`${n}`, word("contacts.last", { time: word("hours", { n }) })]), hours);
    offer(this.queue, [["", word("all")], ...queuesOf(context).map((name) => [name, queueName(name)])], queue);
    const asked = new URLSearchParams([["hours", hours], ["order", order], ...(queue ? [["queue", queue]] : [])]);
    let data = null;
    try {
      data = await context.ask(`api/v1/abandoned?${asked}`);
    } catch (error) {
      if (!this.data) this.reading.show(null);
      if (!this.data || error.name === "AbortError" || [400, 403, 404].includes(error.status)) throw error;
      return;
    }
    this.data = data;
    this.draw();
    if (data.reading !== null) this.timer = setTimeout(() => this.load().catch(() => {}), SOON_MS);
  }

  draw() {
    const { data } = this;
    this.reading.show(data.reading);
    // While reading, listed callers may have been reached since.
    if (data.reading !== null) {
      this.wide.hidden = true;
      for (const place of [this.status, this.needs]) setText(place, "");
      return;
    }
    this.now = Date.parse(data.abandoned_as_of ?? data.server_time);
    this.table.show(data.abandoned.map((each) => [`${each.source} ${each.conversation_id}`, each]));
    this.wide.hidden = data.abandoned.length === 0;
    const more = data.total - data.abandoned.length;
    const parts = [
      data.total ? word("contacts.number", { n: count(data.total) }) : (known(data.abandoned_as_of) ? "" : unread(data)) || word("contacts.none"),
      known(data.since) ? word("contacts.since", { time: when(data.since, this.now) }) : "",
      known(data.abandoned_as_of) ? word("as_of", { time: clock(data.abandoned_as_of) }) : "",
      more > 0 ? word("contacts.more", { n: count(more) }) : "",
    ];
    setText(this.status, parts.filter(Boolean).join(" · "));
    const unnamed = data.abandoned.filter(({ customer }) => customer === null).length;
    const needs = [
      unnamed ? word("contacts.needs_key", { n: count(unnamed) }) : "",
      data.short_total ? word("contacts.short", { n: count(data.short_total), limit: data.short_abandon_seconds.map(duration).join(" / ") }) : "",
      data.abandoned.some(({ waited_seconds: waited }) => waited < SHORT_SECONDS) ? word("contacts.short_listed", { limit: duration(SHORT_SECONDS) }) : "",
      data.links_known ? "" : word("contacts.links_unknown"),
      data.abandoned.length && data.abandoned.every(({ link }) => link === null) ? word("contacts.needs_links") : "",
    ];
    setText(this.needs, needs.filter(Boolean).join(language === "ja" ? "" : " "));
    this.drawReached(data);
  }

  drawReached({ got_through: reached, got_through_total: total }) {
    this.reached.hidden = total === 0;
    setText(this.summary, word("contacts.reached", { n: count(total) }));
    replaceWhenChanged(this.reachedTable, reached, (place) => {
      const headings = [["name", word("contacts.contact")], ["queue", word("scope.queue")], ["left", word("contacts.left")], ["reached", word("contacts.reached_at")], ["customer", word("contacts.customer"), word("contacts.customer_meaning")]];
      grid(place, word("contacts.reached", { n: count(total) }), headings, reached.map((each) => [
        shown(each.conversation_id), { text: shown(each.queue), detail: known(each.channel) ? named("channel", each.channel) : "" },
        when(each.left, this.now), when(each.reached, this.now), each.customer ?? NOTHING,
      ]), "sorted");
    });
  }
}

class Behind {
  constructor(place, context) {
    Object.assign(this, { context, place, asking: 0, ticking: 0 });
    context.signal.addEventListener("abort", () => clearInterval(this.ticking));
    make(place, "h3", "", word("contacts.behind"));
    const choices = make(place, "p", "choices");
    this.queue = select(choices, word("scope.queue"), (value) => {
      const wider = value.startsWith(WIDER);
      this.choose({ of: wider ? null : value, scope: wider ? value.slice(WIDER.length) : null, channel: null, at: null, label: null });
    });
    this.kpi = select(choices, word("target.of"), (value) => this.choose({ kpi: value, label: null }));
    this.window = select(choices, word("contacts.time"), (value) => this.choose({ span: value, at: null }));
    this.channel = select(choices, word("channel"), (value) => this.choose({ channel: value }));
    const again = make(choices, "button", "again", word("contacts.read"));
    again.type = "button";
    again.addEventListener("click", () => this.load());
    // For figures by label, such as complaints by category.
    this.under = make(place, "p", "choices under");
    this.label = make(this.under, "span");
    const all = make(this.under, "button", "again", word("contacts.all_labels"));
    all.type = "button";
    all.addEventListener("click", () => this.choose({ label: null }));
    this.reading = new ReadingLine(place, "contact");
    this.reading.show(null);
    this.status = make(place, "p", "none");
    this.status.setAttribute("role", "status");
    this.wide = make(place, "div", "wide");
    this.wide.hidden = true;
    this.table = new SortedTable(this.wide, word("contacts.behind"), this.columns(), { order: null, onOrder: () => {} });
  }

  columns() {
    return [
      { id: "name", text: word("contacts.contact"), of: ({ conversation_id: id }) => id, fill: (cell, each) => fillId(cell, each, this.wider ? each.queue : null) },
      {
        id: "outcome", text: word("contacts.outcome"), of: outcomeOf,
        fill: (cell, each) => {
          setText(cell.value, each.outcome === "abandoned" ? `▼ ${outcomeOf(each)}` : outcomeOf(each));
          setText(cell.detail, partOf(each));
          setClass(cell, "missed", each.outcome === "abandoned");
          setClass(cell, "unknown", !known(each.outcome));
        },
      },
      {
        id: "entered", text: word("contacts.entered"), of: ({ entered }) => (known(entered) ? Date.parse(entered) : null), first: "down",
        fill: (cell, { entered }) => {
          setText(cell.value, known(entered) ? when(entered, this.now) : NOTHING);
          setClass(cell, "unknown", !known(entered));
        },
      },
      {
        id: "waited", text: word("contacts.waited"), of: ({ waited_seconds: waited }) => waited, first: "down",
        fill: (cell, { waited_seconds: waited }) => {
          setText(cell.value, duration(waited));
          setClass(cell, "unknown", !known(waited));
        },
      },
    ];
  }

  get chosen() {
    const { context } = this;
    const queue = context.asked("of");
    const wider = context.asked("scope");
    const [kind, ...rest] = wider ? wider.split(":") : ["queue", queue];
    const name = rest.join(":");
    const channels = [...context.gather(kind).values()].filter(({ scope, channel }) => scope === name && channel !== null).map(({ channel }) => channel);
    channels.sort((a, b) => channelRank(a) - channelRank(b));
    return { queue, wider, kpi: context.asked("kpi") ?? "offered", window: context.asked("span") ?? "trailing_15m", channels, channel: context.asked("channel") ?? channels[0] };
  }

  choose(changes) {
    this.context.choose(changes);
    this.load();
  }

  offer() {
    const { queue, wider, kpi, window, channels, channel } = this.chosen;
    offer(this.queue, [["", NOTHING], ...this.widerScopes(wider), ...queuesOf(this.context).map((name) => [name, queueName(name)])], wider ? WIDER + wider : queue);
    offer(this.kpi, [...new Set([...KPIS, kpi])].map((id) => [id, label(id, channel)]), kpi);
    offer(this.window, [...new Set([...WINDOWS, window])].map((name) => [name, windowText(name)]), window);
    this.window.parentElement.hidden = OF_NOW.includes(kpi);
    offer(this.channel, channels.map((name) => [name, named("channel", name)]), channel);
    this.channel.parentElement.hidden = channels.length < 2;
    const under = this.context.asked("label");
    this.under.hidden = under === null;
    setText(this.label, under === null ? "" : word("contacts.under", { kpi: label(kpi, channel), label: under ? shown(under) : word("customers.no_category") }));
  }

  // The total, where the viewer may see it, and the requested scope.
  widerScopes(wider) {
    const all = mayOpen("total", "all") && [...this.context.gather("total").values()].some(({ channel }) => channel !== null);
    const scopes = [...new Set([...(all ? ["total:all"] : []), ...(wider ? [wider] : [])])];
    return scopes.map((scope) => [WIDER + scope, placeName(...scope.split(/:(.*)/s))]);
  }

  // A snapshot: loaded on request only.
  async load() {
    this.offer();
    const { queue, wider, kpi, window, channel } = this.chosen;
    this.wide.hidden = true;
    clearInterval(this.ticking);
    const mine = (this.asking += 1);
    if (!queue && !wider) {
      this.reading.show(null);
      setText(this.status, word("contacts.choose"));
      return;
    }
    setText(this.status, "");
    this.reading.show(NO_READING);
    setText(this.reading.taken, "");
    this.isUnread = false;
    const [at, under] = [this.context.asked("at"), this.context.asked("label")];
    const asked = [wider ? ["scope", wider] : ["queue", queue], ["kpi", kpi], ["limit", "500"], ...(OF_NOW.includes(kpi) ? [] : [["window", window]]), ...(channel ? [["channel", channel]] : []), ...(at ? [["at", at]] : []), ...(under === null ? [] : [["label", under]])];
    this.follow(asked, mine);
    try {
      const data = await this.context.ask(`api/v1/contacts?${new URLSearchParams(asked)}`);
      if (mine === this.asking) this.draw(data);
    } catch (error) {
      this.isUnread = Boolean(error.unread);
      if (mine === this.asking && error.name !== "AbortError") setText(this.status, error.unread || word("view.failed", { reason: error.message }));
    }
    if (mine !== this.asking) return;
    clearInterval(this.ticking);
    this.reading.show(null);
  }

  // Shows the elapsed time and the progress each second.
  follow(asked, mine) {
    const begun = performance.now();
    let asking = false;
    this.ticking = setInterval(async () => {
      setText(this.reading.taken, duration((performance.now() - begun) / 1000));
      if (asking) return;
      asking = true;
      const data = await this.context.ask(`api/v1/contacts/reading?${new URLSearchParams(asked.filter(([name]) => !["limit", "label"].includes(name)))}`).catch(() => null);
      asking = false;
      if (mine === this.asking && !this.reading.element.hidden && data?.reading) this.reading.show(data.reading);
    }, SOON_MS);
  }

  draw(data) {
    this.now = Date.parse(data.contacts_as_of ?? data.window_end);
    this.wider = data.queue === null;
    this.table.show(data.contacts.map((each) => [`${each.source} ${each.conversation_id}`, each]));
    this.wide.hidden = data.contacts.length === 0;
    const more = data.total - data.contacts.length;
    const parts = [
      data.total ? word("contacts.number", { n: count(data.total) }) : word("contacts.empty"),
      known(data.contacts_as_of) ? word("as_of", { time: clock(data.contacts_as_of) }) : "",
      more > 0 ? word("contacts.more", { n: count(more) }) : "",
      data.complete ? "" : word("contacts.incomplete"),
      data.agrees === null ? "" : word(data.agrees ? "contacts.agrees" : "contacts.differs"),
    ];
    setText(this.status, parts.filter(Boolean).join(" · "));
  }
}

export function show(root, context) {
  const places = ["behind", "to-call"].map((id) => make(root, "section", id));
  // A link from a figure shows its contacts first.
  if (!context.asked("of") && !context.asked("scope")) places.reverse().forEach((place) => root.append(place));
  open = { behind: new Behind(root.querySelector(".behind"), context), toCall: new ToCall(root.querySelector(".to-call"), context) };
  // Queues arrive with the figures.
  context.onNews(() => open.behind.offer());
  context.onReset(() => (open?.behind.isUnread ? open.behind.load() : null));
  open.behind.load();
  return context.every(ASK_MS, () => open?.toCall.load());
}

export function close() {
  open = null;
}
