// Whether the page is being printed: then all rows are shown, and charts have colors for paper.

const print = matchMedia("print");

export const onPaper = () => print.matches;

// Calls `task` before and after printing; returns a function that ends this.
export function whenOnPaper(task) {
  print.addEventListener("change", task);
  return () => print.removeEventListener("change", task);
}
