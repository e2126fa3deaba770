// Shows what is being read from Kafka, since when and how far.

import { make } from "./dom.js";
import { clock, day, known, percent, setText, word } from "./text.js";

const KINDS = ["agent", "contact", "customer"];

export class ReadingLine {
  // `kind`: the events that are read, until the first answer names them. It is shown at once.
  constructor(place, kind) {
    this.kind = kind;
    this.element = make(place, "p", "reading");
    this.text = make(this.element, "span");
    this.text.setAttribute("role", "status");
    this.bar = make(this.element, "progress");
    this.bar.max = 1;
    this.bar.setAttribute("aria-label", word("reading.progress"));
    // Screen readers must not announce the duration each second.
    this.taken = make(this.element, "span", "taken");
    this.taken.setAttribute("aria-hidden", "true");
    this.show({ topic: "", since: null, share: null });
  }

  // `reading` as in the API; null once all is read.
  show(reading) {
    this.element.hidden = reading === null;
    if (reading === null) return;
    const kind = KINDS.find((each) => reading.topic.endsWith(`${each}-events.v1`)) ?? this.kind;
    const since = known(reading.since) ? word("reading.since", { time: `${day(reading.since)} ${clock(reading.since)}` }) : "";
    const share = known(reading.share) ? word("reading.share", { value: percent(reading.share, 0) }) : "";
    setText(this.text, [word(`reading.${kind}`), since, share].filter(Boolean).join(" · "));
    if (known(reading.share)) this.bar.value = reading.share;
    else this.bar.removeAttribute("value");
  }
}
