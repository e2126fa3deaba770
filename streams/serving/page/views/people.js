// The state of each agent, its reason and duration; agents too long in a state come first.

import { make, replaceWhenChanged } from "../dom.js";
import { shown } from "../names.js";
import { ReadingLine } from "../reading.js";
import { SortedTable } from "../sorting.js";
import { NOTHING, capitalize, clock, count, duration, hour, known, label, language, meaning, named, percent, setAttribute, setClass, setText, word } from "../text.js";
import { unread } from "../unread.js";

const ASK_MS = 5_000;
// While events are being read.
const SOON_MS = 1_000;
// The day so far is long, and changes slowly.
const STRIPS_MS = 30_000;
const STATES = ["handling", "wrap_up", "idle", "available", "unavailable", "stale", "offline"];
const SHAPES = { handling: "●", wrap_up: "◐", idle: "○", available: "◌", unavailable: "■", stale: "?", offline: "–" };
// The height of a state in the strip of the day, so that it is readable without color.
const HEIGHTS = { handling: 100, wrap_up: 75, idle: 45, available: 30, unavailable: 15 };
const TOO_LONG = "too_long";
const GROUPS = ["team", "queue", "state"];

let open = null;

const why = (person) => person.reason ?? (person.state === "unavailable" || person.state === "offline" ? person.word : null);

// The page's text for a usual reason, else the platform's name.
function reasonText(reason) {
  if (!known(reason)) return "";
  const id = `reason.${reason.trim().toLowerCase().replaceAll(/[ -]/g, "_")}`;
  const found = word(id);
  return found === id ? shown(reason) : found;
}

// Queue and channel of an agent's contact; with the number of several.
const workText = ({ queue, channel }, number) =>
  [known(queue) ? shown(queue) : "", named("channel", channel), number > 1 ? `×${count(number)}` : ""].filter(Boolean).join(" · ");

function works(person) {
  if (["offline", "stale"].includes(person.state)) return [];
  const found = new Map();
  for (const each of person.at_work ?? []) {
    const key = `${each.queue} ${each.channel}`;
    found.set(key, [each, (found.get(key)?.[1] ?? 0) + 1]);
  }
  return [...found.values()].map(([each, number]) => workText(each, number));
}

const atQueues = (person) => (person.at_work ?? []).map(({ queue }) => queue).filter(known);
const queuesOf = (person) => [...new Set([...(person.queues ?? []), ...atQueues(person)])];
// The groups of an agent: one for each of several queues.
const groupsOf = {
  team: (person) => [person.team],
  queue: (person) => (queuesOf(person).length ? queuesOf(person) : [null]),
  state: (person) => [person.state],
};

// The day as layers of one picture, one a state, in its height.
function layers(strip, begin, end) {
  const at = (start) => `${((100 * (Date.parse(start) - begin)) / (end - begin)).toFixed(3)}%`;
  return Object.keys(HEIGHTS).flatMap((state) => {
    const stops = strip.flatMap((each, n) => {
      const color = each.state === state ? `var(--${state})` : "transparent";
      return [`${color} ${at(each.start)}`, `${color} ${n + 1 < strip.length ? at(strip[n + 1].start) : "100%"}`];
    });
    if (!strip.some((each) => each.state === state)) return [];
    const before = `transparent ${at(strip[0].start)}`;
    return [{ image: `linear-gradient(to right, ${before}, ${stops.join(", ")})`, size: `100% ${HEIGHTS[state]}%` }];
  });
}

// The total time of each state as text.
function times(strip, end) {
  const sums = new Map();
  strip.forEach((each, n) => {
    if (!each.state) return;
    const until = n + 1 < strip.length ? Date.parse(strip[n + 1].start) : end;
    const name = each.state === "unavailable" && each.reason ? reasonText(each.reason) : named("state", each.state);
    sums.set(name, (sums.get(name) ?? 0) + (until - Date.parse(each.start)) / 1000);
  });
  return [...sums].map(([name, seconds]) => `${name} ${duration(seconds)}`).join(" · ");
}

class PeopleView {
  constructor(root, context) {
    Object.assign(this, { root, context, data: null, strips: null, stripsAt: 0, timer: 0 });
    this.reading = new ReadingLine(root, "agent");
    context.signal.addEventListener("abort", () => clearTimeout(this.timer));
    const choices = make(root, "p", "choices");
    this.search = make(make(choices, "label", "", `${word("search")} `), "input");
    Object.assign(this.search, { type: "search", value: context.asked("person") ?? "", maxLength: 100, autocomplete: "off", spellcheck: false });
    this.search.addEventListener("input", () => this.choose({ person: this.search.value.trim() || null }));
    this.site = this.select(choices, "scope.site", "site");
    this.team = this.select(choices, "scope.team", "team");
    this.queue = this.select(choices, "scope.queue", "serving");
    this.group = this.select(choices, "people.group", "group");
    this.asOf = make(choices, "span", "as-of none");
    this.chips = make(root, "div", "chips");
    this.chips.setAttribute("role", "group");
    this.chips.setAttribute("aria-label", word("people.state"));
    this.none = make(root, "p", "none");
    this.none.setAttribute("role", "status");
    this.place = make(root, "div", "wide");
    this.table = new SortedTable(this.place, word("view.people"), this.columns(), {
      order: context.asked("by"),
      onOrder: (order) => context.choose({ by: order }),
    });
    this.legend = make(root, "p", "legend");
    for (const state of Object.keys(HEIGHTS)) {
      const entry = make(this.legend, "span", "entry");
      const mark = make(entry, "i");
      mark.style.height = `${HEIGHTS[state] / 100}em`;
      mark.style.background = `var(--${state})`;
      entry.append(named("state", state));
    }
    this.sites = make(root, "p", "none sites");
    this.place.hidden = this.legend.hidden = true;
  }

  select(place, text, name) {
    const labelled = make(place, "label", "", `${word(text)} `);
    const made = make(labelled, "select");
    made.addEventListener("change", () => this.choose({ [name]: made.value || null }));
    return made;
  }

  columns() {
    return [
      {
        id: "name", text: capitalize(word("by.agent")), of: ({ person }) => person,
        fill: (cell, { person, team }) => {
          setText(cell.value, shown(person));
          setText(cell.detail, known(team) ? shown(team) : "");
        },
      },
      {
        id: "state", text: word("people.state"), of: ({ state }) => STATES.indexOf(state),
        fill: (cell, person) => {
          setText(cell.value, `${SHAPES[person.state]} ${named("state", person.state)}`);
          setText(cell.detail, reasonText(why(person)));
          setAttribute(cell, "title", known(person.word) ? word("people.word", { word: shown(person.word) }) : "");
        },
      },
      {
        id: "time", text: word("people.time"), title: word("people.time_meaning"), of: ({ seconds }) => seconds, first: "down",
        fill: (cell, { seconds, limit_seconds: limit, too_long: long, since }) => {
          setClass(cell, "missed", long);
          setText(cell.value, `${long ? "▲ " : ""}${duration(seconds)}`);
          setText(cell.detail, long ? word("people.too_long", { limit: duration(limit) }) : known(limit) ? word("people.limit", { limit: duration(limit) }) : "");
          setAttribute(cell, "title", word("people.since", { time: clock(since) }));
        },
      },
      {
        id: "queues", text: word("scope.queue"), of: (person) => works(person)[0] ?? (person.queues?.length ? person.queues.join() : null),
        fill: (cell, person) => {
          const [now, { queues, skills, at_work: work }] = [works(person), person];
          const serves = queues?.length ? queues.map(shown).join(", ") : "";
          setText(cell.value, now.join(", ") || serves || NOTHING);
          const more = [now.length && serves ? word("people.serves", { queues: serves }) : "", skills?.length ? word("people.skills", { skills: skills.map(shown).join(", ") }) : ""];
          setText(cell.detail, more.filter(Boolean).join(" · "));
          setAttribute(cell, "title", now.length ? word("people.at_work") : queues === null ? word(work === null ? "people.no_contacts" : "people.no_queues") : "");
          setClass(cell, "unknown", !now.length && !serves);
        },
      },
      {
        id: "occupancy", text: label("occupancy"), title: meaning("occupancy"), of: ({ occupancy }) => occupancy?.value ?? null, first: "down",
        fill: (cell, { occupancy }) => {
          setText(cell.value, percent(occupancy?.value));
          setClass(cell, "unknown", !known(occupancy?.value));
          setAttribute(cell, "title", occupancy === null ? this.noDay : "");
        },
      },
      {
        id: "handled", text: label("handled"), title: meaning("handled"), of: ({ handled }) => handled, first: "down",
        fill: (cell, { handled }) => {
          setText(cell.value, count(handled));
          setClass(cell, "unknown", !known(handled));
          setAttribute(cell, "title", handled === null ? this.noDay : "");
        },
      },
      { id: "day", text: word("people.day"), fill: (cell, { strip }) => this.drawStrip(cell, strip ?? []) },
    ];
  }

  drawStrip(cell, strip) {
    cell.value.hidden = true;
    const picture = (cell.picture ??= make(cell, "span", "strip"));
    picture.setAttribute("role", "img");
    const drawn = layers(strip, this.begin, this.end);
    picture.style.backgroundImage = drawn.map(({ image }) => image).join(", ");
    picture.style.backgroundSize = drawn.map(({ size }) => size).join(", ");
    const text = times(strip, this.end) || NOTHING;
    setAttribute(picture, "aria-label", text);
    setAttribute(cell, "title", text);
  }

  // The reason why an agent has no figures of the day.
  get noDay() {
    return word(this.data.days_known === false ? "people.days_unread" : "people.no_day");
  }

  choose(changes) {
    this.context.choose(changes);
    this.draw();
  }

  async load() {
    clearTimeout(this.timer);
    const first = this.data === null;
    const withStrips = first || (this.data.reading === null && (!this.strips || performance.now() - this.stripsAt >= STRIPS_MS));
    try {
      const data = await this.context.ask(`api/v1/people?strip=${withStrips}`);
      if (withStrips && data.reading === null) {
        this.stripsAt = performance.now();
        this.strips = new Map(data.people.map(({ person, strip }) => [person, strip]));
      }
      for (const each of data.people) each.strip = this.strips?.get(each.person);
      this.data = data;
    } catch (error) {
      if (first) this.reading.show(null);
      // The last data stays, with its as-of: the page's mark shows the lost connection.
      if (first || error.name === "AbortError" || [403, 404].includes(error.status)) throw error;
      return;
    }
    this.draw();
    if (this.data.reading !== null || !this.strips) this.timer = setTimeout(() => this.load().catch(() => {}), this.data.reading === null ? 0 : SOON_MS);
  }

  offer(select, values, chosen, { none = word("all"), text = shown } = {}) {
    const all = chosen && !values.includes(chosen) ? [...values, chosen] : values;
    replaceWhenChanged(select, all, () => {
      select.append(new Option(none, ""), ...all.map((each) => new Option(text(each), each)));
    });
    select.parentElement.hidden = all.length === 0;
    if (select.value !== (chosen ?? "")) select.value = chosen ?? "";
  }

  draw() {
    const { data, context } = this;
    if (!data) return;
    const [site, team, queue, state, group] = ["site", "team", "serving", "state", "group"].map((name) => context.asked(name));
    const search = (context.asked("person") ?? "").toLocaleLowerCase();
    const people = data.people;
    const grouped = GROUPS.find((each) => each === group) ?? null;
    this.offer(this.site, [...new Set([...data.sites.map((each) => each.site), ...people.map((each) => each.site).filter(known)])].sort(), site);
    this.offer(this.team, [...new Set(people.map((each) => each.team).filter(known))].sort(), team);
    this.offer(this.queue, [...new Set(people.flatMap(queuesOf))].sort(), queue);
    this.offer(this.group, GROUPS, grouped, { none: NOTHING, text: (each) => word(each === "state" ? "people.state" : `scope.${each}`) });
    this.reading.show(data.reading);
    this.drawSites(data, site);
    const found = people.filter(
      (each) =>
        (!site || each.site === site) &&
        (!team || each.team === team) &&
        (!queue || queuesOf(each).includes(queue)) &&
        (!search || each.person.toLocaleLowerCase().includes(search)),
    );
    // While events are being read, states are outdated.
    this.chips.hidden = data.reading !== null;
    this.drawChips(found, state);
    const rows = data.reading !== null ? [] : found.filter((each) => (state === TOO_LONG ? each.too_long : state ? each.state === state : each.state !== "offline"));
    // Agents too long in a state first, the longest at the top.
    const rank = (each) => (each.too_long ? -1 : STATES.indexOf(each.state));
    rows.sort((a, b) => rank(a) - rank(b) || b.seconds - a.seconds);
    this.end = Date.parse(data.people_as_of);
    const starts = people.flatMap(({ strip }) => (strip?.length ? [Date.parse(strip[0].start)] : []));
    this.begin = Math.min(...starts, this.end - 1);
    const heading = this.table.headings.get("day");
    setText(heading, word("people.day_span", { from: hour(this.begin), to: hour(this.end) }));
    this.showRows(rows, grouped);
    this.place.hidden = this.legend.hidden = rows.length === 0;
    setText(this.none, rows.length || data.reading !== null ? "" : people.length ? word("people.none_such") : (known(data.people_as_of) ? "" : unread(data)) || word("people.none"));
    setText(this.asOf, known(data.people_as_of) && data.reading === null ? word("as_of", { time: clock(data.people_as_of) }) : "");
  }

  showRows(rows, grouped) {
    if (!grouped) {
      this.table.show(rows.map((each) => [each.person, each]));
      return;
    }
    const members = new Map();
    for (const each of rows) {
      for (const name of groupsOf[grouped](each)) members.set(name, [...(members.get(name) ?? []), each]);
    }
    // Unknown ones come last.
    const place = (name) => (name === null ? Infinity : grouped === "state" ? STATES.indexOf(name) : 0);
    const names = [...members.keys()].sort((a, b) => place(a) - place(b) || `${a}`.localeCompare(`${b}`));
    const text = (name) => (name === null ? word("people.group_none") : grouped === "state" ? `${SHAPES[name]} ${named("state", name)}` : shown(name));
    const long = (name) => members.get(name).filter((each) => each.too_long).length;
    this.table.show(
      names.flatMap((name) => members.get(name).map((each) => [`${name}\n${each.person}`, each, `${name}`])),
      names.map((name) => [`${name}`, [`${text(name)} ${count(members.get(name).length)}`, long(name) ? `▲ ${count(long(name))}` : ""].filter(Boolean).join(" · ")]),
    );
  }

  // The sites that are shown, and those that the configuration hides.
  drawSites({ sites, people }, chosen) {
    const names = (on) => sites.filter((each) => each.individual_figures === on).map(({ site }) => shown(site)).join(", ");
    const [shownSites, off] = [names(true), names(false)];
    const chosenOff = sites.some((each) => each.site === chosen && !each.individual_figures);
    const parts = [
      chosenOff ? word("people.site_off", { site: shown(chosen) }) : "",
      shownSites ? word("people.sites_on", { sites: shownSites }) : "",
      off ? word("people.sites_off", { sites: off }) : "",
      off || people.length === 0 ? word("people.switch_on") : "",
    ];
    setText(this.sites, parts.filter(Boolean).join(language === "ja" ? "" : " "));
  }

  drawChips(people, chosen) {
    const number = (state) => people.filter((each) => (state === TOO_LONG ? each.too_long : each.state === state)).length;
    const offered = [TOO_LONG, ...STATES].filter((state) => state === TOO_LONG || state === chosen || number(state));
    replaceWhenChanged(this.chips, offered, () => {
      this.buttons = new Map(
        offered.map((state) => {
          const made = make(this.chips, "button", state === TOO_LONG ? "urgent" : "");
          made.type = "button";
          made.append(state === TOO_LONG ? `▲ ${word("people.long")}` : `${SHAPES[state]} ${named("state", state)}`);
          made.addEventListener("click", () => this.choose({ state: this.context.asked("state") === state ? null : state }));
          return [state, { made, number: make(made, "b") }];
        }),
      );
    });
    for (const [state, { made, number: place }] of this.buttons) {
      setText(place, count(number(state)));
      setClass(made, "zero", number(state) === 0);
      setAttribute(made, "aria-pressed", `${state === chosen}`);
    }
  }
}

export function show(root, context) {
  open = new PeopleView(root, context);
  return context.every(ASK_MS, () => open?.load());
}

export function close() {
  open = null;
}
