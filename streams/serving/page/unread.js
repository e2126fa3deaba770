// The text in place of "there is none" while the server has not read the topics of figures.

import { known, percent, word } from "./text.js";

// `answer` is an answer of the API, or its problem details; "" once figures have been read.
export function unread(answer) {
  const isUnread = answer?.ready === false || (answer?.ready === undefined && answer?.figures_reading !== undefined);
  if (!isUnread) return "";
  const { figures_reading: reading } = answer;
  if (!known(reading)) return word("unread");
  return [word("unread.reading"), known(reading.share) ? word("reading.share", { value: percent(reading.share, 0) }) : ""].filter(Boolean).join(" · ");
}
