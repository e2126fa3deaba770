// What is said in place of "there is none" while the server has not read the topics of figures: until then it is not known what there is.

import { known, percent, word } from "./text.js";

// `told` is an answer of the API, or what it says in place of one; "" once figures have been read.
export function unread(told) {
  const isUnread = told?.ready === false || (told?.ready === undefined && told?.figures_reading !== undefined);
  if (!isUnread) return "";
  const { figures_reading: reading } = told;
  if (!known(reading)) return word("unread");
  return [word("unread.reading"), known(reading.share) ? word("reading.share", { value: percent(reading.share, 0) }) : ""].filter(Boolean).join(" · ");
}
