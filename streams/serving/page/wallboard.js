// Shows the figures of the event stream. Null is shown as "–", never as 0; every time is taken from the figures' own as-of.

import { AlertStrip } from "./alerts.js";

const NOTHING = "–";
const WINDOWS = [5, 15, 30, 60];
// Below this many contacts a service level is shown without color: one contact would decide it.
const COLOR_FROM = 5;
// Shown with a bar.
const RATIOS = new Set(["service_level", "occupancy"]);
const RETRY_MS = 3000;

const query = new URLSearchParams(location.search);
const language = query.get("lang") === "ja" ? "ja" : "en";
const minutes = WINDOWS.find((n) => `${n}` === (query.get("window") ?? "").replace(/^trailing_/, "").replace(/m$/, "")) ?? 15;
const windowName = `trailing_${minutes}m`;

const byId = (id) => document.getElementById(id);
const records = new Map();
let words = {};
let kpis = new Map();
let targets = {};
let states = [];
let header = null;
let heardAt = 0;
let connected = false;
let staleAfter = 10;

const word = (id, blanks = {}) => (words[id] ?? id).replace(/\{(\w+)\}/g, (_, name) => blanks[name] ?? "");
const named = (kind, id) => words[`${kind}.${id}`] ?? id;
const capitalized = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);
const label = (id) => capitalized(kpis.get(id)[language]);

// ---- values as text

const locale = language === "ja" ? "ja-JP" : "en-GB";
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const known = (value) => value !== null && value !== undefined;
const count = (value) => (known(value) ? whole.format(value) : NOTHING);

function percent(value, digits = 1) {
  if (!known(value)) return NOTHING;
  // Cut, not rounded: 79.96 % has not reached 80 %.
  const scale = 10 ** digits;
  return `${(Math.floor(value * 100 * scale + 1e-9) / scale).toFixed(digits)}${language === "ja" ? "%" : " %"}`;
}

function duration(seconds) {
  if (!known(seconds)) return NOTHING;
  const all = Math.round(seconds);
  const two = (n) => `${n}`.padStart(2, "0");
  const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function age(seconds) {
  const units = [["days", 86400], ["hours", 3600], ["minutes", 60], ["seconds", 1]];
  const [unit, length] = units.find(([, n]) => seconds >= n) ?? ["seconds", 1];
  return word(unit, { n: whole.format(Math.max(0, Math.floor(seconds / length))) });
}

function figure(id, value) {
  const unit = kpis.get(id)?.unit;
  if (unit === "ratio") return percent(value);
  return unit === "seconds" ? duration(value) : known(value) ? decimal.format(value) : NOTHING;
}

// ---- cells: made once, changed only where the text differs

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setClass(element, name, on) {
  if (element.classList.contains(name) !== on) element.classList.toggle(name, on);
}

function cell(row, id, heading) {
  let found = row.cells[id];
  if (!found) {
    const element = document.createElement("td");
    element.dataset.label = heading;
    element.dataset.kpi = id;
    const value = element.appendChild(document.createElement("b"));
    const detail = element.appendChild(document.createElement("small"));
    const bar = RATIOS.has(id) ? element.appendChild(document.createElement("span")) : null;
    if (bar) {
      bar.className = "bar";
      bar.append(document.createElement("i"), document.createElement("u"));
      element.classList.add("ratio");
    }
    row.element.append(element);
    found = row.cells[id] = { element, value, bar, detail };
  }
  return found;
}

function show(row, id, heading, text, detail = "") {
  const made = cell(row, id, heading);
  setText(made.value, text);
  setText(made.detail, detail);
  setClass(made.element, "unknown", text === NOTHING);
  return made;
}

function fillBar(made, value, target) {
  const [fill, mark] = made.bar.children;
  fill.style.width = `${Math.min(100, Math.max(0, (value ?? 0) * 100))}%`;
  mark.hidden = !known(target);
  mark.style.left = `${(target ?? 0) * 100}%`;
}

const parts = (figure) => (figure && known(figure.denominator) ? `${count(figure.numerator)} / ${count(figure.denominator)}` : "");

function coverage(figure) {
  return figure && known(figure.coverage) && figure.coverage < 0.995 ? word("measured", { value: percent(figure.coverage, 0) }) : "";
}

// ---- tables

class Table {
  constructor(id, headings) {
    this.body = byId(id).tBodies[0];
    this.rows = new Map();
    const row = byId(id).tHead.rows[0];
    for (const [text, title, name] of headings) {
      const heading = document.createElement("th");
      heading.scope = "col";
      heading.textContent = text;
      if (title) heading.title = title;
      if (name) heading.className = "name";
      row.append(heading);
    }
  }

  row(key, name, detail) {
    let row = this.rows.get(key);
    if (!row) {
      const element = document.createElement("tr");
      const head = element.appendChild(document.createElement("td"));
      head.className = "name";
      head.append(document.createElement("b"), document.createElement("small"));
      row = { element, cells: {} };
      setText(head.firstChild, name);
      setText(head.lastChild, detail);
      this.rows.set(key, row);
      // Rows stay where they are looked for: in the order of their names.
      const after = [...this.rows.keys()].sort((a, b) => a.localeCompare(b, locale));
      const next = after[after.indexOf(key) + 1];
      this.body.insertBefore(element, next === undefined ? null : this.rows.get(next).element);
    }
    return row;
  }

  keep(keys) {
    for (const [key, row] of this.rows) {
      if (!keys.has(key)) {
        row.element.remove();
        this.rows.delete(key);
      }
    }
  }
}

function longestWait(now) {
  if (!now || !known(now.waiting_since) || now.waiting === 0) return null;
  const asOf = Math.max(Date.parse(header.as_of ?? now.as_of), Date.parse(now.as_of));
  return Math.max(0, asOf - Date.parse(now.waiting_since)) / 1000;
}

// Messages and tickets that are not resolved; only channels that are answered in writing have any.
function backlog(now) {
  const states = ["untouched", "in_progress", "waiting_on_customer", "on_hold"].map((state) => now?.[`backlog_${state}`]);
  return states.every(known) ? word("backlog", { n: count(states.reduce((a, b) => a + b, 0)) }) : "";
}

// One entry a scope and channel: its now record, and of the chosen window the newest.
function gather(kind) {
  const found = new Map();
  for (const record of records.values()) {
    if (record.scope_kind !== kind) continue;
    const key = `${record.scope}\u0000${record.channel ?? ""}`;
    if (!found.has(key)) found.set(key, { scope: record.scope, channel: record.channel, now: null, window: null });
    const entry = found.get(key);
    if (record.kind === "now") entry.now = record;
    else if (record.window === windowName && (!entry.window || record.window_end > entry.window.window_end)) entry.window = record;
  }
  return found;
}

function showQueues(table) {
  const queues = gather("queue");
  for (const [key, { scope, channel, now, window }] of queues) {
    if (channel === null) {
      queues.delete(key);
      continue;
    }
    const row = table.row(key, scope, named("channel", channel));
    const of = (id) => window?.kpis[id] ?? null;
    const level = of("service_level");
    const target = targets[scope] ?? null;
    const detail = [parts(level), known(target) ? word("target", { value: percent(target, Number.isInteger(Math.round(target * 1000) / 10) ? 0 : 1) }) : ""].filter(Boolean).join(" · ");
    const made = show(row, "service_level", label("service_level"), percent(level?.value), detail);
    fillBar(made, level?.value, target);
    const judged = known(level?.value) && known(target) && level.denominator >= COLOR_FROM;
    setClass(made.element, "good", judged && level.value >= target);
    setClass(made.element, "bad", judged && level.value < target);
    made.element.title = judged && level.value < target ? word("below_target") : "";
    show(row, "waiting", label("waiting"), count(now?.waiting), backlog(now));
    show(row, "longest_wait", label("longest_wait"), duration(longestWait(now)));
    show(row, "asa", label("asa"), duration(of("asa")?.value));
    show(row, "aht", label("aht"), duration(of("aht")?.value), coverage(of("aht")));
    show(row, "abandon_rate", label("abandon_rate"), percent(of("abandon_rate")?.value), parts(of("abandon_rate")));
  }
  table.keep(queues);
  byId("no-queues").hidden = queues.size > 0;
  byId("queues").hidden = queues.size === 0;
}

function showTeams(table) {
  const teams = gather("team");
  for (const [key, { scope, now, window }] of teams) {
    const row = table.row(key, scope, "");
    const occupancy = window?.kpis.occupancy ?? null;
    const made = show(row, "occupancy", label("occupancy"), percent(occupancy?.value), coverage(occupancy));
    fillBar(made, occupancy?.value, null);
    // A state that a record does not list has nobody in it; without a record nothing is known.
    for (const state of states) show(row, state, named("state", state), count(now?.agents_by_state ? now.agents_by_state[state] ?? 0 : null));
  }
  table.keep(teams);
  byId("no-teams").hidden = teams.size > 0;
  byId("teams").hidden = teams.size === 0;
}

function showSummary(tiles) {
  const totals = [...gather("total").values()];
  const nows = totals.map(({ now }) => now).filter((now) => now);
  const sum = (values) => (values.some(known) ? values.filter(known).reduce((a, b) => a + b, 0) : null);
  const waits = nows.map(longestWait).filter(known);
  const agents = nows.find((now) => now.agents_by_state)?.agents_by_state ?? null;
  setText(tiles.waiting, count(sum(nows.map((now) => now.waiting))));
  setText(tiles.longest_wait, duration(waits.length ? Math.max(...waits) : null));
  setText(tiles.in_progress, count(sum(nows.map((now) => now.in_progress))));
  setText(tiles.agents, count(agents && (agents.idle ?? 0) + (agents.available ?? 0)));
}

// ---- how far the figures can be trusted

function figuresAge() {
  // The server's clock when it wrote, and our own ticking since: the viewer's clock may be wrong.
  if (!known(header?.age_seconds)) return null;
  return header.age_seconds + (performance.now() - heardAt) / 1000;
}

const asOf = () => (known(header?.as_of) ? Date.parse(header.as_of) : null);

function showStanding() {
  const asOf = header?.as_of;
  const time = known(asOf) ? new Date(asOf).toLocaleTimeString(locale) : null;
  setText(byId("as-of"), time ? word("as_of", { time }) : word("no_as_of"));
  const old = figuresAge();
  const lost = !connected || header?.connected === false;
  const loading = connected && header?.ready === false;
  const stale = lost || loading || old === null || old > staleAfter;
  let mark = word("live");
  if (loading) mark = word("loading");
  else if (lost) mark = word("disconnected");
  else if (old === null) mark = word("no_as_of");
  else if (stale) mark = word("stale", { age: age(old) });
  setText(byId("mark"), mark);
  setClass(document.body, "stale", stale);
  const silent = Object.entries(header?.sources ?? {}).filter(([, source]) => source.stale).map(([name]) => name);
  byId("silent").hidden = silent.length === 0;
  setText(byId("silent"), word("silent_sources", { sources: silent.join(", ") }));
}

// ---- the stream

let draw = () => {};
let strip = null;
let drawing = false;

function drawSoon() {
  if (drawing) return;
  drawing = true;
  // A timer, not an animation frame: a wallboard in a background tab must not pile up changes.
  setTimeout(() => {
    drawing = false;
    draw();
  }, 0);
}

function take(text, whole) {
  const message = JSON.parse(text);
  if (whole) {
    records.clear();
    targets = message.targets;
  }
  for (const key of message.removed ?? []) records.delete(key);
  for (const [key, record] of Object.entries(message.records)) records.set(key, record);
  header = message;
  heardAt = performance.now();
  connected = true;
  drawSoon();
}

function follow() {
  const stream = new EventSource(`api/v1/events?window=${windowName}`);
  stream.addEventListener("snapshot", (event) => take(event.data, true));
  stream.addEventListener("change", (event) => take(event.data, false));
  strip.follow(stream);
  stream.addEventListener("error", () => {
    connected = false;
    showStanding();
    // A refused stream is closed for good; one that broke comes back by itself.
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS);
  });
}

async function catalogue() {
  for (;;) {
    try {
      const answer = await fetch("api/v1/catalogue");
      if (answer.ok) return await answer.json();
    } catch {
      // The server is not there yet.
    }
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

function link(changes) {
  const next = new URLSearchParams({ lang: language, window: `${minutes}`, ...changes });
  return `?${next}`;
}

function tile(text, title) {
  const item = byId("summary").appendChild(document.createElement("li"));
  const heading = item.appendChild(document.createElement("span"));
  heading.textContent = text;
  if (title) item.title = title;
  return item.appendChild(document.createElement("b"));
}

async function begin() {
  const told = await catalogue();
  words = told.words[language];
  kpis = new Map(told.kpis.map((kpi) => [kpi.id, kpi]));
  states = told.agent_states;
  staleAfter = told.stale_after_seconds;
  document.documentElement.lang = language;
  document.title = `${word("wallboard")} – Contact Streams`;
  setText(byId("windows"), word("window"));
  for (const n of WINDOWS) {
    const choice = byId("windows").parentElement.appendChild(document.createElement("a"));
    choice.href = link({ window: `${n}` });
    choice.textContent = word("window.trailing", { n });
    if (n === minutes) choice.setAttribute("aria-current", "true");
  }
  const other = language === "ja" ? "en" : "ja";
  Object.assign(byId("language"), { href: link({ lang: other }), lang: other, hreflang: other, textContent: word("other_language") });
  const meaning = (id) => kpis.get(id)[`meaning_${language}`];
  const column = (id) => [label(id), meaning(id)];
  setText(byId("queues-title"), word("queues"));
  setText(byId("teams-title"), word("teams"));
  setText(byId("no-queues"), word("no_queues"));
  setText(byId("no-teams"), word("no_teams"));
  const queues = new Table("queues", [
    [word("scope.queue"), "", true],
    ...["service_level", "waiting", "longest_wait", "asa", "aht", "abandon_rate"].map(column),
  ]);
  const teams = new Table("teams", [[word("scope.team"), "", true], column("occupancy"), ...states.map((state) => [named("state", state), meaning("agents_by_state")])]);
  const tiles = {
    waiting: tile(label("waiting"), meaning("waiting")),
    longest_wait: tile(label("longest_wait"), meaning("longest_wait")),
    in_progress: tile(label("in_progress"), meaning("in_progress")),
    agents: tile(word("free_agents"), word("free_agents_meaning")),
  };
  strip = new AlertStrip(byId("alerts"), byId("alert-news"), { word, named, age, figure, label: (id) => (kpis.has(id) ? label(id) : id), asOf });
  draw = () => {
    strip.show();
    showSummary(tiles);
    showQueues(queues);
    showTeams(teams);
    showStanding();
  };
  showStanding();
  setInterval(showStanding, 1000);
  follow();
}

begin();
