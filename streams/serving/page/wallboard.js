// Follows the event stream and shows its figures; ages are relative to the figures' as-of.

import { AlertStrip } from "./alerts.js";
import { minutes, onChange, onTravel } from "./address.js";
import { Choosing, leaveWall } from "./choosing.js";
import { Attention } from "./attention.js";
import { contactsOf, openContacts } from "./behind.js";
import { Broken } from "./broken.js";
import { explain, keepReachable } from "./explain.js";
import { fitColumns } from "./fitting.js";
import { Frame, titleOf } from "./frame.js";
import { own, shown } from "./names.js";
import { department, heat, isChosen, learnPlaces, narrowed, only, paint, placeOf, rotateSeconds, search, site, wall } from "./options.js";
import { HeatMap } from "./map.js";
import { Pager } from "./paging.js";
import { Backlogs, JUDGED_FROM, Queues, Teams, figureNow } from "./rows.js";
import { showSession, whoIsHere } from "./session.js";
import { shorten, showBurning } from "./short.js";
import { Summary } from "./summary.js";
import { Targets } from "./targets.js";
import { age, clock, day, duration, figure, goal, hour, known, label, language, learn, learnZone, named, percent, queueName, setAttribute, setClass, setText, word, zone, zoneName } from "./text.js";
import { Trends } from "./trends.js";
import { unread } from "./unread.js";

const RETRY_MS = 3000;
// The server sends an event every two seconds: after this silence the connection counts as cut.
const CUT_MS = 6000;
const windowName = `trailing_${minutes}m`;
// The requested windows: the chosen one, and those of alerts, whose figures stay current.
const wanted = new Set([windowName]);

const byId = (id) => document.getElementById(id);
const records = new Map();
let targets = {};
let fedBy = {};
// Definitions as text, and their indexes by queue and channel.
let [definitions, judgedBy] = [[], {}];
let header = null;
let receivedAt = 0;
// null: no connection tried yet, so that an opening page does not show a lost one.
let connected = null;
let stream = null;
let strip = null;
let frame = null;
// Reset after each new snapshot of the server.
const followers = [];
let choosing = null;
const broken = new Broken(() => showStatus());
let lastEventAt = 0;
let staleAfter = 10;
let aheadOf = 2;

const asOf = () => (known(header?.as_of) ? Date.parse(header.as_of) : null);

// The server's clock, where known: the viewer's may be wrong.
const serverTime = () => (known(header?.server_time) ? Date.parse(header.server_time) + (performance.now() - receivedAt) : null);

// One entry a scope and channel: its now record, and the newest of the chosen window.
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

// ---- health of the figures

const quarantinedSources = () => Object.entries(header?.sources ?? {}).filter(([, source]) => source.quarantined);
const crowdedSources = () => Object.entries(header?.sources ?? {}).filter(([, source]) => source.beyond_limits);
const silentSources = () => Object.entries(header?.sources ?? {}).filter(([, source]) => source.stale);

// Without a list of its sources, a scope may be fed by any.
function silence(kind, name) {
  const feeding = own(fedBy, `${kind}:${name}`);
  const silent = silentSources().filter(([source]) => !feeding || feeding.includes(source));
  const reasons = silent.map(([source, { last_seen: seen }]) => (seen ? word("silent_since", { sources: shown(source), time: clock(seen) }) : word("silent_sources", { sources: shown(source) })));
  // Only scopes known to need the source: figures of others continue.
  const quarantined = quarantinedSources().filter(([source]) => feeding?.includes(source));
  reasons.push(...quarantined.map(([source, { quarantined }]) => word("quarantined_since", { sources: shown(source), time: clock(quarantined.since) })));
  const still = own(header?.recovering, `${kind}:${name}`);
  return (still ? [word("recovering_since", { time: clock(still) }), ...reasons] : reasons).join(" · ");
}

// Teams with agent states, of a site if one is chosen.
const teamsOf = (place) => [...gather("team").values()].filter(({ scope, now }) => known(now?.agents_by_state) && (place === null || placeOf("team", scope)?.site === place));

// Why sums over agents may be outdated: a source of a team is silent, or without a list of sources any source.
function silenceOfStaff(place) {
  const teams = teamsOf(place).map(({ scope }) => scope);
  const listed = teams.filter((team) => own(fedBy, `team:${team}`));
  const reasons = listed.length ? listed.map((team) => silence("team", team)) : [silence("total", "all")];
  return [...new Set(reasons.filter(Boolean))].join(" · ");
}

// The definitions of a queue's service level on a channel, the deciding one first; empty where unknown.
const judging = (queue, channel) => (own(own(judgedBy, queue) ?? {}, channel) ?? []).map((n) => definitions[n]);

function figuresAge() {
  // The server's age at receipt plus elapsed time: the viewer's clock may be wrong.
  if (!known(header?.age_seconds)) return null;
  return header.age_seconds + (performance.now() - receivedAt) / 1000;
}

// Recent ages of figures with their times: where as-of moves faster than the clock, a backlog is being counted.
const AGES_MS = 6_000;
const ages = [];
function catchingUp(old) {
  const now = performance.now();
  ages.push([now, old]);
  while (ages[0][0] < now - AGES_MS) ages.shift();
  const [since, before] = ages[0];
  return before - old > (now - since) / 1000 && now - since > 500;
}

function showStatus() {
  const at = header?.as_of;
  setText(byId("as-of"), known(at) ? word("as_of", { time: clock(at) }) : word("no_as_of"));
  setAttribute(byId("as-of"), "datetime", at ?? "");
  // Paper needs the date too.
  setAttribute(byId("as-of"), "data-day", known(at) ? day(at) : "");
  const inZone = zoneName(known(at) ? at : (serverTime() ?? Date.now()));
  setText(byId("zone"), zone === null ? word("zone.browser", { zone: inZone }) : inZone);
  const old = figuresAge();
  const loading = connected === null || (connected && header?.ready === false);
  const lost = !connected || header?.connected === false;
  // Partitions without a live worker are missing in figures, however new they look. Rows of queues without roll-up show it themselves.
  const stalled = header?.standing_still ?? {};
  const halted = header?.stale === true && "queue-panes.v1" in stalled;
  const uncounted = "contact-events.v1" in stalled || "agent-events.v1" in stalled;
  // Figures from the future: a clock is wrong, and their age is unknown.
  const ahead = old !== null && old < -aheadOf;
  const sources = Object.keys(header?.sources ?? {});
  const allSilent = sources.length > 0 && silentSources().length === sources.length;
  const stale = lost || loading || old === null || ahead || old > staleAfter || halted || uncounted || allSilent;
  const catching = old !== null && catchingUp(old);
  let mark = word("live");
  const silent = silentSources().map(([name]) => shown(name));
  const quarantined = quarantinedSources().map(([name]) => shown(name));
  const still = Object.keys(header?.recovering ?? {}).filter((scope) => scope.startsWith("queue:")).length;
  const cut = connected === false;
  // The symptoms on this page; the server explains them.
  const trouble = stale || silent.length || quarantined.length || still ? JSON.stringify([loading, lost, old === null, halted, uncounted, ahead, still > 0, silent, quarantined]) : "";
  // Before the first connection there are no symptoms.
  if (connected !== null) broken.poll(trouble, cut);
  const code = broken.code(trouble);
  const share = header?.figures_reading?.share;
  if (loading) mark = code === "kafka_not_reached" || code === "topics_missing" ? word(`mark.${code}`) : [word("loading"), known(share) ? percent(share, 0) : ""].filter(Boolean).join(" · ");
  else if (lost) mark = word(cut ? "disconnected" : "mark.kafka_lost");
  else if (old === null) mark = word("no_as_of");
  else if (halted) mark = word(code === "worker_restoring" ? "mark.worker_restoring" : "standing_still");
  else if (uncounted) mark = word("partly_standing_still");
  else if (ahead) mark = word("ahead", { age: age(-old) });
  else if (allSilent && old <= staleAfter) mark = word("mark.all_silent");
  else if (stale) mark = word(catching ? "catching_up" : "stale", { age: age(old) });
  setText(byId("mark"), mark);
  setClass(document.body, "stale", stale);
  if (strip) showTitle(strip, stale && !loading, mark);
  const seen = [still ? word("recovering", { count: still }) : "", silent.length ? word("silent_sources", { sources: silent.join(", ") }) : "", quarantined.length ? word("quarantined_sources", { sources: quarantined.join(", ") }) : ""];
  const texts = cut ? [broken.cut(serverTime(), at)] : (broken.sentences(trouble) ?? seen);
  const crowded = crowdedSources().map(([name]) => shown(name));
  if (crowded.length) texts.push(word("beyond_limits", { sources: crowded.join(", ") }));
  byId("silent").hidden = texts.every((text) => text === "");
  setText(byId("silent"), texts.filter((text) => text !== "").join(texts === seen ? " · " : "\n"));
}

// ---- the page

function showSummary(summary, judged) {
  // A restricted page, or a view without the total, sums its queues; else the total, which counts each agent once.
  const total = [...gather("total").values()];
  const few = narrowed() || !total.some(({ channel }) => channel !== null);
  const entries = few ? [...gather("queue").values()].filter(({ scope }) => isChosen(scope)) : total;
  const nows = entries.filter(({ channel }) => channel !== null).map(({ now }) => now).filter((now) => now);
  const staffOf = (places) => places.map(({ now }) => now?.agents_by_state).filter(known);
  const sites = [...gather("site").values()].filter(({ scope }) => scope === site);
  const scopes = site === null ? total : sites;
  const staff = scopes.length > 0 ? staffOf(scopes).slice(0, 1) : staffOf(teamsOf(site));
  const free = staff.length ? staff.reduce((sum, { idle, available }) => sum + (idle ?? 0) + (available ?? 0), 0) : null;
  summary.show(nows, judged, free, silenceOfStaff(site), asOf(), placeOfAll());
}

// The common scope of the chosen queues, if any.
function placeOfAll() {
  if (only.size || search || (site === null) === (department === null)) return null;
  return site === null ? ["department", department] : ["site", site];
}

// An alert's current figure; null where no record has it.
function current({ kpi, scope_kind: kind, scope, channel, window }) {
  for (const record of records.values()) {
    if (record.scope_kind !== kind || record.scope !== scope || (record.channel ?? null) !== channel) continue;
    if (window === null && record.kind === "now") return figureNow(kpi, record, asOf());
    if (window !== null && record.window === window) return record.kpis[kpi]?.value ?? null;
  }
  return null;
}

// The address of the contacts behind an alert; null for expectations, and where there are none or the viewer may not see them.
const contactsBehind = ({ kpi, scope_kind: kind, scope, channel, window, expected_at: expected }) => (expected ? null : contactsOf(kind, scope, channel, kpi, window));

// The tab's title shows the main problem.
function showTitle(strip, stale, mark) {
  const all = strip.sorted;
  const [worst] = all;
  const text = stale ? `▲ ${mark}` : worst ? `▲ ${all.length} · ${strip.where(worst[1])} · ${label(worst[1].kpi.replace(/_live$/, ""))}` : "";
  const { id, page } = frame.current;
  const title = [text, page ? word("wallboard") : titleOf(id), "Contact Streams"].filter(Boolean).join(" – ");
  if (document.title !== title) document.title = title;
}

// The heading on paper, with the chosen queues; other views have their own.
function entitle(page) {
  const heading = document.querySelector("h1");
  const chosen = [...only, site, department, search ? `“${search}”` : null].filter(Boolean).map(shown);
  page ? setAttribute(heading, "data-title", [titleOf(frame.current.id), word("contacts.last", { time: word("window.trailing", { n: minutes }) }), ...chosen].join(" · ")) : heading.removeAttribute("data-title");
}

// On a telephone navigation and options are behind a button.
function offerMenu(button) {
  setText(button, word("menu"));
  const open = (is) => {
    setAttribute(button, "aria-expanded", `${is}`);
    setClass(document.querySelector("header"), "open", is);
  };
  button.addEventListener("click", () => open(button.getAttribute("aria-expanded") !== "true"));
  onTravel(() => open(false));
  addEventListener("keydown", ({ key }) => key === "Escape" && open(false));
}

let draw = () => {};
let drawing = false;

function drawSoon() {
  if (drawing) return;
  drawing = true;
  // A timer, not an animation frame, so that a background tab does not accumulate changes.
  setTimeout(() => {
    drawing = false;
    draw();
  }, 0);
}

// ---- the stream

function take(text, isSnapshot) {
  const message = JSON.parse(text);
  const isReset = header !== null && (isSnapshot || (message.ready && !header.ready));
  if (isSnapshot) {
    records.clear();
    targets = message.targets;
    fedBy = message.fed_by ?? {};
    [definitions, judgedBy] = [message.definitions ?? [], message.judged_by ?? {}];
    learnPlaces(message.places ?? {});
    learnZone(message.zone);
    choosing?.show();
  }
  for (const key of message.removed ?? []) records.delete(key);
  for (const [key, record] of Object.entries(message.records)) records.set(key, record);
  header = message;
  receivedAt = performance.now();
  // A new view loads its own data.
  if (isReset) for (const each of followers) each.reset();
  drawSoon();
}

function follow(strip) {
  stream?.close();
  stream = new EventSource(`api/v1/events?${new URLSearchParams([...wanted].map((name) => ["window", name]))}`);
  lastEventAt = performance.now();
  const on = (name, then) =>
    stream.addEventListener(name, (event) => {
      connected = true;
      lastEventAt = performance.now();
      then?.(event);
    });
  on("snapshot", (event) => take(event.data, true));
  on("change", (event) => take(event.data, false));
  on("alive");
  strip.follow(stream);
  stream.addEventListener("alerts", () => {
    const watched = [...(strip.alerts ?? new Map()).values()].flatMap((alert) => alert.conditions ?? [alert]);
    const more = watched.map(({ window }) => window).filter((name) => name?.startsWith("trailing_") && !wanted.has(name));
    if (!more.length) return;
    for (const name of more) wanted.add(name);
    follow(strip);
  });
  stream.addEventListener("error", () => {
    connected = false;
    showStatus();
    // A refused stream stays closed; a broken one reconnects by itself.
    if (stream.readyState !== EventSource.CLOSED) return;
    lastEventAt = performance.now() - CUT_MS + RETRY_MS;
    // Perhaps the session has ended.
    whoIsHere();
  });
}

// A pulled cable closes no connection: after too long a silence it is replaced.
function watch(strip) {
  if (performance.now() - lastEventAt > CUT_MS) {
    connected = false;
    follow(strip);
  }
  showStatus();
}

async function catalogue() {
  for (;;) {
    try {
      const answer = await fetch("api/v1/catalogue");
      if (answer.ok) return await answer.json();
      if (answer.status === 401) await whoIsHere();
    } catch {
      // The server is not up yet.
    }
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

async function begin() {
  paint();
  const data = await catalogue();
  learn(data);
  staleAfter = data.stale_after_seconds;
  aheadOf = data.ahead_seconds;
  document.documentElement.lang = language;
  document.title = `${word("wallboard")} – Contact Streams`;
  choosing = new Choosing(byId("options"));
  onChange(drawSoon);
  if (!wall) explain();
  for (const id of ["queues-title", "teams-title", "backlogs-title", "targets-title"]) setText(byId(id), word(id.replace("-title", "")));
  const trends = new Trends(drawSoon, JUDGED_FROM);
  const [queues, teams, backlogs] = [new Queues(trends), new Teams(data.agent_states), new Backlogs()];
  const goals = new Targets(drawSoon);
  const tables = [queues, teams, backlogs, goals];
  const summary = new Summary(byId("summary"));
  const tools = { word, named, queueName, age, duration, figure, label, asOf, clock, hour, goal, language, now: current, contacts: contactsBehind, isSilent: () => silentSources().length > 0, targetOf: (queue) => own(targets, queue) };
  const attention = new Attention(byId("permit"));
  strip = new AlertStrip(byId("alerts"), byId("alert-news"), tools, { wall, turning: rotateSeconds > 0, onFired: (texts) => attention.call(texts) });
  const map = heat ? new HeatMap(byId("map"), queues) : null;
  const pager = wall ? new Pager(map ? [] : tables.map(({ table }) => table), byId("pages"), rotateSeconds, map) : null;
  if (wall) leaveWall(byId("leave-wall"));
  frame = new Frame(byId("views"), document.querySelector("main"), { gather, targets: () => targets, asOf, silence, unread: () => unread(header), judging, silenceOfStaff: () => silenceOfStaff(null), serverTime, strip, attention }, ({ page }) => {
    setClass(document.documentElement, "module", !page);
    entitle(page);
    drawSoon();
  });
  followers.push(frame, trends, goals);
  onChange(() => entitle(frame.current.page));
  byId("burning").addEventListener("click", () => strip.open());
  offerMenu(byId("menu"));
  draw = () => {
    strip.show();
    showBurning(byId("burning"), strip);
    if (!frame.current.page) {
      showStatus();
      frame.news();
      return;
    }
    const view = { gather, targets, asOf: asOf(), silence, judging };
    const [judged] = tables.map((table) => table.show(view));
    showSummary(summary, judged);
    byId("no-queues").hidden = queues.table.rows.size > 0;
    const notYet = header === null ? word("loading") : unread(header);
    setText(byId("no-queues"), notYet || word(narrowed() ? "no_queues_chosen" : "no_queues"));
    byId("no-teams").hidden = teams.table.rows.size > 0;
    setText(byId("no-teams"), notYet || word("no_teams"));
    showStatus();
    pager?.show();
    if (pager && !map) for (const { table } of tables) if (!table.section.hidden) fitColumns(table.table);
    for (const { table } of tables) shorten(table.table);
    if (!wall) for (const { table } of tables) keepReachable(table.table);
  };
  draw();
  frame.begin().then((here) => {
    showSession(byId("session"), here);
    if (!wall && frame.may("contacts")) openContacts(queues.table.table, word("contacts.show"));
  });
  follow(strip);
  setInterval(() => watch(strip), 1000);
  // A page in the back-forward cache would hold one of the browser's six connections.
  addEventListener("pagehide", () => stream?.close());
  addEventListener("pageshow", ({ persisted }) => persisted && follow(strip));
  trends.follow();
  goals.follow();
}

begin();
