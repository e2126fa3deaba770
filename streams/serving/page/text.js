// Texts of the catalogue and values as text. Null is "–", never 0.

import { own, shown } from "./names.js";

export const NOTHING = "–";

const asked = new URLSearchParams(location.search).get("lang");
export const language = asked === "ja" ? "ja" : "en";
export const locale = language === "ja" ? "ja-JP" : "en-GB";

let words = {};
let kpis = new Map();

export function learn(catalogue) {
  words = catalogue.words[language];
  kpis = new Map(catalogue.kpis.map((kpi) => [kpi.id, kpi]));
  learnZone(catalogue.zone);
}

export const word = (id, blanks = {}) => (own(words, id) ?? id).replace(/\{(\w+)\}/g, (_, name) => own(blanks, name) ?? "");
export const named = (kind, id) => own(words, `${kind}.${id}`) ?? shown(`${id}`);
const capitalized = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);
// Japanese may have a separate name for calls; as Kpi.name in streams/catalogue/model.py.
const CALLS = ["voice", "callback"];
export function label(id, channel = null) {
  const found = kpis.get(id);
  return capitalized((language === "ja" && CALLS.includes(channel) ? found?.ja_calls : null) ?? found?.[language] ?? id);
}
// Written contacts without a queue, which have only a backlog.
export const UNASSIGNED = "(unassigned)";
export const queueName = (name) => (name === UNASSIGNED ? word("backlog.unassigned") : shown(name));
export function placeName(kind, name) {
  if (kind === "total") return word("scope.total");
  return kind === "queue" ? queueName(name) : `${word(`scope.${kind}`)} ${shown(name)}`;
}
// Short headings, to be read from afar.
export const brief = (id) => own(words, `brief.${id}`) ?? label(id);
export const kpi = (id) => kpis.get(id) ?? {};
// KPIs of a queue and channel, trailing or now.
const ofQueues = ({ subject, dimensions, windows, split_by: split }) =>
  subject === "contacts" && dimensions.includes("queue") && !split && (windows.includes("trailing") || windows.includes("now"));
export const kpisOfQueues = () => [...kpis.values()].filter(ofQueues).map(({ id }) => id);
export const isOfNow = (id) => kpis.get(id)?.windows.includes("now") ?? false;
export const meaning = (id) => kpis.get(id)?.[`meaning_${language}`] ?? "";

const integers = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const tenths = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
export const known = (value) => value !== null && value !== undefined;
export const count = (value) => (known(value) ? integers.format(value) : NOTHING);

// Rounded half up, but never onto or across a limit, 0 % or 100 %: 79.96 % has not reached 80 %. As streams/catalogue/percent.py.
export function percent(value, digits = 1, limit = null) {
  if (!known(value)) return NOTHING;
  const steps = 100 * 10 ** digits;
  let shownSteps = Math.floor(value * steps + 0.5 + 1e-9);
  for (const each of [0, 1, limit].filter(known)) {
    if (value < each) shownSteps = Math.min(shownSteps, Math.ceil(each * steps - 1e-9) - 1);
    else if (value > each) shownSteps = Math.max(shownSteps, Math.floor(each * steps + 1e-9) + 1);
  }
  return `${(shownSteps / 10 ** digits).toFixed(digits)}${language === "ja" ? "%" : " %"}`;
}

export const target = (value) => percent(value, Number.isInteger(Math.round(value * 1000) / 10) ? 0 : 1);

export function duration(seconds) {
  if (!known(seconds)) return NOTHING;
  const all = Math.round(seconds);
  const two = (n) => `${n}`.padStart(2, "0");
  const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// A threshold as text.
export const withinSeconds = (seconds) => (seconds < 60 ? word("seconds", { n: seconds }) : duration(seconds));

export function age(seconds) {
  const units = [["days", 86400], ["hours", 3600], ["minutes", 60], ["seconds", 1]];
  const [unit, length] = units.find(([, n]) => seconds >= n) ?? ["seconds", 1];
  return word(unit, { n: integers.format(Math.max(0, Math.floor(seconds / length))) });
}

// For durations of days: 412:07:31 is unreadable.
export function span(seconds) {
  if (!known(seconds) || seconds < 86400) return duration(seconds);
  const hours = Math.floor(seconds / 3600);
  return [["days", Math.floor(hours / 24)], ["hours", hours % 24]].map(([unit, n]) => word(unit, { n: integers.format(n) })).join(language === "ja" ? "" : " ");
}

// `limit`: its target or threshold.
export function figure(id, value, limit = null) {
  const unit = kpis.get(id)?.unit;
  if (unit === "ratio") return percent(value, 1, limit);
  return unit === "seconds" ? duration(value) : known(value) ? decimal.format(value) : NOTHING;
}

// A target as text: 90 %, not 90.0 %.
export const goal = (id, value) => (kpis.get(id)?.unit === "ratio" ? target(value) : figure(id, value));

// A difference of two shares.
export const points = (value) => word("points", { n: tenths.format(value * 100) });

// ---- instants, in milliseconds or as in the API, shown in the zone of the configuration, as in the server's sentences. Null: this browser
// does not know that zone and uses its own.
export let zone = null;
const FORMS = {
  day: { day: "numeric", month: "short", year: "numeric" },
  weekday: { weekday: "short", day: "numeric", month: "short" },
  month: { month: "short", year: "numeric" },
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  hour: { hour: "2-digit", minute: "2-digit" },
};
const formats = new Map();

export function learnZone(name) {
  try {
    new Intl.DateTimeFormat(locale, { timeZone: name });
    zone = name ?? null;
  } catch {
    zone = null;
  }
  formats.clear();
}

// All instants are formatted here.
function written(form, time, timeZone = zone ?? undefined) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return NOTHING;
  const name = `${form} ${timeZone}`;
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat(locale, { ...FORMS[form], timeZone }));
  return formats.get(name).format(at);
}

// Local time in milliseconds, as if it were UTC.
function onTheWall(time) {
  const form = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23", timeZone: zone ?? undefined };
  if (!formats.has("wall")) formats.set("wall", new Intl.DateTimeFormat("en-u-ca-gregory-nu-latn", form));
  const { year, month: of, day: date, hour: h, minute, second } = Object.fromEntries(formats.get("wall").formatToParts(new Date(time)).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(year, of - 1, date, h, minute, second);
}

// The zone of all shown times, with its UTC offset at an instant.
export function zoneName(time) {
  const at = new Date(time).getTime();
  const minutes = Math.round((onTheWall(at) - at) / 60_000);
  const two = (n) => `${n}`.padStart(2, "0");
  const [h, m] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const offset = minutes === 0 ? "UTC" : `UTC${minutes < 0 ? "-" : "+"}${two(h)}${m ? `:${two(m)}` : ""}`;
  const name = zone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return /^(?!Etc\/)\w+\/./.test(name) ? `${name.replaceAll("_", " ")} (${offset})` : offset;
}

// A calendar date is the same in every zone.
export const day = (time) => (`${time}`.length === 10 ? written("day", `${time}T00:00Z`, "UTC") : written("day", time));
export const month = (time) => written("month", time);
export const weekday = (time) => written("weekday", time);
export const isSameDay = (one, other) => day(one) === day(other);
// The begin of its day, unless the clock changed since.
export const beginOfDay = (time) => {
  const [at, wall] = [new Date(time).getTime(), onTheWall(time)];
  return Math.floor(at / 1000) * 1000 - (wall % 86_400_000);
};
export const isoDay = (time) => new Date(onTheWall(time)).toISOString().slice(0, 10);
// Of what begins at midnight of its scope, which may be the day before in the zone of the page.
const later = (start, hours) => new Date(Date.parse(start) + hours * 3_600_000).toISOString();
export const dayOf = (start) => day(later(start, 12));
export const monthOf = (start) => month(later(start, 15 * 24));
export const clock = (time) => written("clock", time);
export const hour = (time) => written("hour", time);
// With the date, unless it is today's.
export const when = (time, now) => (isSameDay(time, now) ? clock(time) : `${day(time)} ${clock(time)}`);
export const spanOf = ({ start, end }) => word("dip.title", { from: hour(start), to: hour(end) });

export const parts = (of) => (of && known(of.denominator) ? `${count(of.numerator)} / ${count(of.denominator)}` : "");
export const coverage = (of) => (of && known(of.coverage) && of.coverage < 0.995 ? word("measured", { value: percent(of.coverage, 0) }) : "");

export const capitalize = capitalized;

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setClass(element, name, on) {
  if (element.classList.contains(name) !== on) element.classList.toggle(name, on);
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
