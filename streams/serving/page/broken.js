// What is broken, in the sentences of the server: which part, since when, what is still right, whom to call. That the server itself is not
// reached only the page can say.

import { wall } from "./options.js";
import { clock, known, language, word } from "./text.js";

const OFTEN_MS = 5_000;
const SELDOM_MS = 30_000;
const RETRY_MS = 1_000;

export class Broken {
  // `changed` is called when something else is to be said.
  constructor(changed) {
    this.changed = changed;
    this.told = null;
    this.of = null;
    this.asked = Number.NEGATIVE_INFINITY;
    this.asking = false;
    this.call = null;
    this.lostAt = null;
  }

  // `trouble` names what the page sees of it, "" for nothing; called again and again.
  look(trouble, lost) {
    if (lost) {
      this.lostAt ??= performance.now();
      return;
    }
    this.lostAt = null;
    const waited = performance.now() - this.asked;
    const due = trouble && this.of !== trouble ? RETRY_MS : trouble || this.told?.faults.length ? OFTEN_MS : SELDOM_MS;
    if (!this.asking && waited >= due) this.ask(trouble);
  }

  async ask(trouble) {
    this.asking = true;
    this.asked = performance.now();
    try {
      const answer = await fetch("api/v1/standing");
      if (!answer.ok) return;
      this.told = await answer.json();
      this.of = trouble;
      this.call = this.told.call_when_unreached ?? null;
      this.changed();
    } catch {
      // The stream tells that the server is gone.
    } finally {
      this.asking = false;
    }
  }

  // What is wrong by code, "" while nothing is, or while it is not known.
  code(trouble) {
    return this.told && this.of === trouble && this.told.code !== "ok" ? this.told.code : "";
  }

  // The sentences to show, and on a page that somebody works at what would say whom to call; null: the server has not told of what is seen, or says that it is nothing.
  sentences(trouble) {
    if (!this.told || this.of !== trouble || this.told.faults.length === 0) return null;
    const told = this.told.faults.map((fault) => fault[`text_${language}`]);
    return this.told.call_missing && !wall ? [...told, word("call.none")] : told;
  }

  // `now` is the server's time as far as known; figures are as of `asOf`.
  cut(serverTime, asOf) {
    const at = serverTime === null ? Date.now() : serverTime - (performance.now() - (this.lostAt ?? performance.now()));
    const said = word("cut", { time: clock(at), as_of: known(asOf) ? clock(asOf) : "–" });
    const call = this.call ? word("call", { call: this.call }) : this.told && !wall ? word("call.none") : "";
    return call ? `${said} ${call}` : said;
  }
}
