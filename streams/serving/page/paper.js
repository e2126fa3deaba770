// Whether the page is being laid out for paper: there all rows are shown, not those of a turn, and charts are drawn in its colors.

const print = matchMedia("print");

export const onPaper = () => print.matches;

// `task` is called at once when the page goes to paper and when it is back; returns what ends that.
export function whenOnPaper(task) {
  print.addEventListener("change", task);
  return () => print.removeEventListener("change", task);
}
