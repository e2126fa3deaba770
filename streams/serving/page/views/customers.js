// Customers: ratings, contact reasons, complaints and thanks, self-service, and repeat contacts.

import { Files } from "../detail/files.js";
import { grid, make, replaceWhenChanged } from "../dom.js";
import { shown } from "../names.js";
import { placeOf } from "../options.js";
import { channelRank } from "../rows.js";
import { NOTHING, count, coverage, dayOf, figure, known, kpi, label, meaning, monthOf, named, parts, percent, word } from "../text.js";
import { unread } from "../unread.js";

const ASK_MS = 10_000;
const RATINGS = ["csat", "csat_top2", "nps", "survey_response_rate", "gratitude_rate", "complaints", "complaints_within_day_rate"];
// Figures by category, each with the KPI of its contacts.
const BY_CATEGORY = { complaints: "complaints", thanks: "gratitude_rate" };
const OTHERS = "(other)";
const ALONE = ["self_service_rate", "containment_rate"];
const KINDS = ["total", "business", "site", "department", "queue", "channel"];
// The most categories, days, months and places shown: files have all.
const CATEGORIES = 20;
const DAYS = 14;
const MONTHS = 6;
const PLACES = 12;

let open = null;

const rank = (each) => KINDS.indexOf(each.scope_kind);
const before = (a, b) => rank(a) - rank(b) || a.scope.localeCompare(b.scope) || channelRank(a.channel) - channelRank(b.channel);
const keyOf = (each) => `${each.scope_kind}:${each.scope}`;
const scopeName = (each) => (each.scope_kind === "total" ? named("scope", "total") : shown(each.scope));
const kindName = (each) => (each.scope_kind === "total" ? "" : named("scope", each.scope_kind));
const channelName = (each) => (each.channel ? named("channel", each.channel) : "");
const headings = (kpis) => kpis.map((id) => [id, label(id), meaning(id)]);

// The reason of an unknown figure.
const why = (id, { unknown }) => word(`unknown.${["not_reported", "too_few"].includes(unknown[id]) ? unknown[id] : id}`);

function cell(id, each, mark = "") {
  const of = each.figures[id];
  if (!known(of?.value)) return { text: NOTHING, detail: why(id, each), className: "unknown" };
  const counted = kpi(id).unit === "ratio" ? parts(of) : known(of.denominator) ? word("customers.of", { n: count(of.denominator) }) : "";
  return { text: figure(id, of.value) + mark, detail: [counted, coverage(of)].filter(Boolean).join(" · ") };
}

class CustomersView {
  constructor(root, context) {
    this.context = context;
    const head = make(root, "div", "choices");
    const choice = make(head, "label", "", `${word("customers.scope")} `);
    this.scope = make(choice, "select");
    this.scope.addEventListener("change", () => {
      context.choose({ of: this.scope.value });
      this.draw();
    });
    Object.assign(this, { asOf: "", coming: [], windows: [] });
    new Files(head, context, {
      query: () => [["window", "day"], ["window", "customers_day"], ["window", "customers_month"], ...[...RATINGS, ...ALONE, ...this.coming, "contacts_by_category"].map((id) => ["kpi", id])],
      name: () => `customers-${this.asOf}`,
    });
    this.places = Object.fromEntries(["about", "complaints", "thanks", "said", "alone", "back", "months"].map((id) => [id, make(root, "section", id)]));
  }

  async load() {
    const data = await this.context.ask("api/v1/customers");
    this.asOf = (data.as_of ?? "").slice(0, 10);
    this.unread = unread(data);
    this.windows = data.windows.sort(before);
    this.coming = [...new Set(this.windows.filter(({ window }) => window !== "day").flatMap(({ figures }) => Object.keys(figures)))];
    this.draw();
  }

  draw() {
    const scopes = new Map(this.windows.map((each) => [keyOf(each), each]));
    const of = scopes.has(this.context.asked("of")) ? this.context.asked("of") : ([...scopes.keys()][0] ?? "");
    replaceWhenChanged(this.scope, [...scopes.keys()], () => {
      for (const [key, each] of scopes) this.scope.append(new Option([kindName(each), scopeName(each)].filter(Boolean).join(" "), key));
    });
    this.scope.value = of;
    const days = this.windows.filter(({ window }) => window === "day");
    const here = this.windows.filter((each) => keyOf(each) === of);
    const today = here.filter(({ window }) => window === "day");
    this.about(today);
    for (const id of Object.keys(BY_CATEGORY)) this.byCategory(id, today, days.filter((each) => each.scope_kind === "queue" && isWithin(each, of)));
    this.table("said", days, RATINGS);
    this.table("alone", days, ALONE);
    this.dated("back", here.filter(({ window }) => window === "customers_day"), DAYS, dayOf);
    this.dated("months", here.filter(({ window }) => window === "customers_month"), MONTHS, monthOf);
  }

  section(id, signature, some, draw) {
    replaceWhenChanged(this.places[id], [signature, this.unread], (place) => {
      make(place, "h3", "", word(`customers.${id}`));
      if (some) draw(place);
      else make(place, "p", "none", this.unread || word(`customers.${id}_none`));
    });
  }

  // Categories over all channels: each contact has one channel and one category.
  about(days) {
    const sums = new Map();
    for (const each of days) for (const [name, n] of Object.entries(each.contacts_by_category)) sums.set(name, (sums.get(name) ?? 0) + n);
    const all = [...sums.values()].reduce((sum, n) => sum + n, 0);
    const largest = [...sums].sort(([a, n], [b, m]) => m - n || a.localeCompare(b));
    this.section("about", largest, largest.length > 0, (place) => {
      make(place, "p", "counted", word("customers.about_of", { n: count(all) }));
      const rows = largest.slice(0, CATEGORIES).map(([name, n]) => [{ element: bar(shown(name), n / largest[0][1]) }, count(n), percent(n / all)]);
      grid(place, word("customers.about"), [["name", word("customers.category")], ["contacts", word("customers.contacts")], ["share", word("customers.share")]], rows, "few-columns");
    });
  }

  // Counts by category over all channels, each with its queues and channels.
  byCategory(id, days, queues) {
    const sums = new Map();
    const add = (name, n) => n && sums.set(name, (sums.get(name) ?? 0) + n);
    for (const each of days) for (const [name, n] of ofCategory(id, each)) add(name, n);
    const all = [...sums.values()].reduce((sum, n) => sum + n, 0);
    // Contacts without a category come last.
    const largest = [...sums].sort(([a, n], [b, m]) => Number(a === "") - Number(b === "") || m - n || a.localeCompare(b));
    const most = Math.max(...sums.values());
    const found = new Map(largest.map(([name]) => [name, queues.map((each) => [each, new Map(ofCategory(id, each)).get(name) ?? 0]).filter(([, n]) => n)]));
    const signature = [largest, [...found].map(([name, places]) => [name, places.map(([{ scope, channel }, n]) => [scope, channel, n])])];
    this.section(id, signature, all > 0, (place) => {
      const without = sums.get("") ?? 0;
      const counted = [word(`customers.${id}_of`, { n: count(all) }), without ? word("customers.no_category_of", { n: count(without) }) : ""];
      make(place, "p", "counted", counted.filter(Boolean).join(" · "));
      const shownRows = [...largest.filter(([name]) => name).slice(0, CATEGORIES), ...largest.filter(([name]) => !name)];
      const rows = shownRows.map(([name, n]) => [
        { element: bar(name ? shown(name) : word("customers.no_category"), n / most) }, count(n), percent(n / all),
        { element: this.behind(BY_CATEGORY[id], name, found.get(name).toSorted(([, n], [, m]) => m - n)) },
      ]);
      const may = this.context.may("contacts");
      const headings = [["name", word("customers.category")], ["contacts", word("customers.contacts")], ["share", word("customers.share")], ["places", word(may ? "customers.behind" : "customers.places")]];
      grid(place, word(`customers.${id}`), headings, rows);
    });
  }

  behind(kpiId, name, places) {
    const list = document.createElement("span");
    list.className = "parts";
    for (const [each, n] of places.slice(0, PLACES)) {
      const text = `${scopeName(each)} · ${channelName(each)} ${count(n)}`;
      // The collective category has no contacts of its own.
      if (this.context.may("contacts") && name !== OTHERS) make(list, "a", "", text).href = this.context.link("contacts", { of: each.scope, channel: each.channel, kpi: kpiId, span: "day", label: name });
      else make(list, "span", "", text);
    }
    if (places.length > PLACES) make(list, "span", "", word("customers.further", { n: count(places.length - PLACES) }));
    return list;
  }

  table(id, days, kpis) {
    const found = days.filter(({ figures }) => kpis.some((each) => each in figures));
    const columns = kpis.filter((each) => found.some(({ figures, unknown }) => each in figures || each in unknown));
    this.section(id, found, found.length > 0, (place) => {
      const rows = found.map((each) => [{ text: scopeName(each), detail: [kindName(each), channelName(each)].filter(Boolean).join(" · ") }, ...columns.map((kpiId) => this.opened(kpiId, each))]);
      grid(place, word(`customers.${id}`), [["name", word("customers.where")], ...headings(columns)], rows);
    });
  }

  // Complaints of a queue link to their contacts.
  opened(kpiId, each) {
    const made = cell(kpiId, each);
    if (kpiId !== "complaints" || each.scope_kind !== "queue" || made.text === NOTHING || !this.context.may("contacts")) return made;
    const link = document.createElement("a");
    link.href = this.context.link("contacts", { of: each.scope, channel: each.channel, kpi: kpiId, span: "day" });
    make(link, "b", "", made.text);
    return { ...made, element: link };
  }

  dated(id, windows, most, nameOf) {
    const found = windows.sort((a, b) => b.start.localeCompare(a.start) || channelRank(a.channel) - channelRank(b.channel)).slice(0, most);
    const columns = [...new Set(found.flatMap(({ figures, unknown }) => [...Object.keys(figures), ...Object.keys(unknown)]))];
    this.section(id, found, found.length > 0, (place) => {
      const rows = found.map((each) => [{ text: nameOf(each.start), detail: channelName(each) }, ...columns.map((kpiId) => cell(kpiId, each, each.final ? "" : "*"))]);
      grid(place, word(`customers.${id}`), [["name", word(id === "months" ? "customers.month" : "queue.day")], ...headings(columns)], rows);
      if (found.some(({ final }) => !final)) make(place, "p", "none", word("customers.settling"));
    });
  }
}

const ofCategory = (id, each) => [...Object.entries(each[`${id}_by_category`]), ["", each[`${id}_without_category`]]];

// Whether a queue belongs to a scope, given as KIND:NAME.
function isWithin({ scope, channel }, of) {
  const [kind, name] = [of.slice(0, of.indexOf(":")), of.slice(of.indexOf(":") + 1)];
  if (kind === "total") return true;
  if (kind === "queue" || kind === "channel") return name === (kind === "queue" ? scope : channel);
  return placeOf("queue", scope)?.[kind] === name;
}

function bar(name, share) {
  const made = document.createElement("span");
  made.className = "part";
  made.style.setProperty("--share", share);
  make(made, "b", "", name);
  return made;
}

export function show(root, context) {
  open = new CustomersView(root, context);
  return context.every(ASK_MS, () => open?.load());
}

export function close() {
  open = null;
}
