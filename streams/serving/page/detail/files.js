// Files: CSV and Excel from the server, a picture of the charts, and print.

import { save } from "../charts.js";
import { button, make } from "../dom.js";
import { language, setText, word } from "../text.js";

export class Files {
  // `query()` returns the export parameters, `name()` the file name; `pictured()` the picture, null where there is none.
  constructor(place, context, { query, name, pictured = null }) {
    Object.assign(this, { context, query, name });
    const row = make(place, "div", "files");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", word("queue.files"));
    if (context.may("export")) for (const form of ["csv", "xlsx"]) button(row, word(`queue.${form}`), () => this.fetch(form), form).title = word("queue.times_utc");
    if (pictured) button(row, word("queue.png"), () => pictured().then((blob) => save(blob, `${name()}.png`)), "png");
    button(row, word("queue.print"), () => print(), "print");
    this.status = make(row, "span", "none");
    this.status.setAttribute("role", "status");
  }

  async fetch(form) {
    setText(this.status, "");
    const asked = new URLSearchParams([...this.query(), ["format", form], ["lang", language], ...(form === "csv" ? [["bom", "true"]] : [])]);
    try {
      const answer = await fetch(`api/v1/export?${asked}`, { signal: this.context.signal });
      if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? `${answer.status}`);
      save(await answer.blob(), `${this.name()}.${form}`);
    } catch (error) {
      if (error.name !== "AbortError") setText(this.status, word("queue.not_saved", { why: error.message }));
    }
  }
}
