// Problems, in the sentences of the server: which part, since when, what still works, whom to call. Only the page can report that the server
// is not reached.

import { wall } from "./options.js";
import { clock, known, language, word } from "./text.js";

const OFTEN_MS = 5_000;
const SELDOM_MS = 30_000;
const RETRY_MS = 1_000;

export class Broken {
  // `changed` is called when the texts have changed.
  constructor(changed) {
    this.changed = changed;
    this.status = null;
    this.of = null;
    this.asked = Number.NEGATIVE_INFINITY;
    this.asking = false;
    this.call = null;
    this.lostAt = null;
  }

  // `trouble` names the symptoms that the page sees, "" for none; called periodically.
  poll(trouble, lost) {
    if (lost) {
      this.lostAt ??= performance.now();
      return;
    }
    this.lostAt = null;
    const waited = performance.now() - this.asked;
    const due = trouble && this.of !== trouble ? RETRY_MS : trouble || this.status?.faults.length ? OFTEN_MS : SELDOM_MS;
    if (!this.asking && waited >= due) this.ask(trouble);
  }

  async ask(trouble) {
    this.asking = true;
    this.asked = performance.now();
    try {
      const answer = await fetch("api/v1/standing");
      if (!answer.ok) return;
      this.status = await answer.json();
      this.of = trouble;
      this.call = this.status.call_when_unreached ?? null;
      this.changed();
    } catch {
      // The event stream shows that the server is gone.
    } finally {
      this.asking = false;
    }
  }

  // The code of the problem, "" while there is none or it is unknown.
  code(trouble) {
    return this.status && this.of === trouble && this.status.code !== "ok" ? this.status.code : "";
  }

  // The sentences to show, and except on walls a hint that no contact is configured; null: the server has not reported on these symptoms, or sees no problem.
  sentences(trouble) {
    if (!this.status || this.of !== trouble || this.status.faults.length === 0) return null;
    const texts = this.status.faults.map((fault) => fault[`text_${language}`]);
    return this.status.call_missing && !wall ? [...texts, word("call.none")] : texts;
  }

  // `now` is the server's time as far as known; figures are as of `asOf`.
  cut(serverTime, asOf) {
    const at = serverTime === null ? Date.now() : serverTime - (performance.now() - (this.lostAt ?? performance.now()));
    const text = word("cut", { time: clock(at), as_of: known(asOf) ? clock(asOf) : "–" });
    const call = this.call ? word("call", { call: this.call }) : this.status && !wall ? word("call.none") : "";
    return call ? `${text} ${call}` : text;
  }
}
