// The tiles above the tables: one a channel, calls first, and figures without a channel. A tile never mixes channels.

import { contactsOf, lead } from "./behind.js";
import { balance } from "./dom.js";
import { wall } from "./options.js";
import { channelRank, isSelfService, longestWait } from "./rows.js";
import { brief, count, duration, known, label, meaning, named, setClass, setText, word } from "./text.js";

function make(parent, name, className, text = "") {
  const made = parent.appendChild(document.createElement(name));
  made.className = className;
  made.textContent = text;
  return made;
}

// The least width of a tile, in rem.
const TILE_WIDTH = 17;

export class Summary {
  constructor(list) {
    this.list = list;
    this.balance = wall ? () => {} : balance(list, TILE_WIDTH);
    this.channels = new Map();
    this.below = this.tile("below", word("queues_below"), [["", word("queues_below_meaning")]])[0];
    this.unknown = make(this.below.closest(".part"), "small", "");
    this.free = this.tile("free", word("free_agents"), [["", word("free_agents_meaning")]])[0];
    this.silent = make(this.free.closest("li"), "span", "silent-mark");
  }

  // Creates a tile and returns the elements of its figures.
  tile(className, heading, figures) {
    const item = make(this.list, "li", `${className} explained`);
    if (!wall) item.tabIndex = 0;
    make(item, "span", "heading", heading);
    const parts = make(item, "span", "parts");
    return figures.map(([text, title]) => {
      const part = make(parts, "span", "part");
      part.title = text ? `${text} – ${title}` : title;
      const place = make(make(part, "b", ""), "a", "");
      if (text) make(part, "small", "", text);
      return place;
    });
  }

  // `nows` are records of now about contacts, `place` is their common scope as [kind, name]; `silence` states why the number of free agents may be outdated.
  show(nows, judged, free, silence, asOf, place) {
    setText(this.below, judged.all ? `${count(judged.missed)} / ${count(judged.all)}` : "–");
    const item = this.below.closest("li");
    setClass(item, "missed", judged.missed > 0);
    // Queues without a verdict may be below: no all-clear then.
    setText(this.unknown, judged.unknown ? word("queues_unknown", { n: count(judged.unknown) }) : "");
    setClass(item, "met", judged.all > 0 && judged.missed === 0 && judged.unknown === 0);
    setText(this.free, count(free));
    setClass(this.free.closest("li"), "silent", silence !== "");
    setText(this.silent, silence);
    // A bot or a FAQ has no waits and no agents.
    const found = [...new Set(nows.map((now) => now.channel))].filter((channel) => !isSelfService(channel)).sort((a, b) => channelRank(a) - channelRank(b) || a.localeCompare(b));
    for (const channel of [...this.channels.keys()].filter((each) => !found.includes(each))) {
      this.channels.get(channel)[0].closest("li").remove();
      this.channels.delete(channel);
    }
    found.forEach((channel, n) => {
      if (!this.channels.has(channel)) {
        const ids = ["waiting", "longest_wait", "in_progress"];
        this.channels.set(channel, this.tile("channel", named("channel", channel), ids.map((id) => [brief(id), meaning(id)])));
      }
      const places = this.channels.get(channel);
      const tile = places[0].closest("li");
      if (this.list.children[n + 1] !== tile) this.list.insertBefore(tile, this.list.children[n + 1]);
      const mine = nows.filter((now) => now.channel === channel);
      const sum = (id) => (mine.some((now) => known(now[id])) ? mine.reduce((all, now) => all + (now[id] ?? 0), 0) : null);
      const waits = mine.map((now) => longestWait(now, asOf)).filter(known);
      setText(places[0], count(sum("waiting")));
      setText(places[1], duration(waits.length ? Math.max(...waits) : null));
      setText(places[2], count(sum("in_progress")));
      const [kind, name] = mine.length === 1 ? [mine[0].scope_kind, mine[0].scope] : (place ?? []);
      ["waiting", "longest_wait"].forEach((id, n) => {
        const text = `${named("channel", channel)} · ${label(id, channel)} ${places[n].textContent} – ${word("contacts.behind")}`;
        lead(places[n], contactsOf(kind, name, channel, id), text, word("contacts.behind"));
      });
    });
    this.balance();
  }
}
