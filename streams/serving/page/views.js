// The views of the page, in the order of the navigation, group by group.
//
// To plug in a view:
// 1. Write views/ID.js. It exports `show(root, context)`, which fills the element `root` (its heading is there already) and may be async,
//    and `close()`, which ends what `context` has not ended by itself. Styles stand in views/ID.css, if `css: true`, each rule under `.view.ID`.
// 2. Add one line here, in its `group` (`views.GROUP` in words.py is what that is called): `right` is the right it needs (streams/access/rights.py). The navigation shows it to who has that right somewhere.
// 3. Add its title as `view.ID` to streams/catalogue/words.py, as all words of the page; `word(id)` of text.js says them.
// `context` (frame.js says more):
//   asked(name), askedAll(name)   what the address says; names of a view's own are dropped when it is left
//   choose({name: value})         writes it there; null deletes, a list gives several
//   link(id, {name: value})       the address of a view, for <a href>: it opens without loading the page anew; open(id, {...}) goes there
//   may(right)                    whether who looks has a right somewhere
//   ask(path, options)            JSON of the API, a promise; rejects with a Refusal {status, message} of frame.js
//   every(ms, task)               now and again until the view is closed, and when the server has told everything anew; what `task` or `show`
//                                 rejects with stands below the heading; returns a promise that the first time is over
//   onNews(task)                  whenever figures have changed, at most as often as the page is drawn
//   onAnew(task)                  when the server has told everything anew, as after a change of its configuration
//   gather(kind), targets(), asOf(), silence(kind, name), silenceOfStaff()   the live figures, as wallboard.js has them
//   judging(queue, channel)       the definitions of its service level in words, the first of which decides; [] where that is not known
//   unread()                      what is to be said in place of "there is none" while the server has not read figures; unread.js says it of an answer
//   strip, attention, serverTime()   the alerts that fire, what calls for attention to them, and the server's clock
//   signal                        is aborted when the view is closed: for fetch and addEventListener
// The import is made when the view is first shown. axe and the tests of sizes (tests/serving/test_accessibility.py and test_sizes.py) run over every view of this list.

export const VIEWS = [
  { id: "overview", group: "now", right: "figures", page: true },
  { id: "queue", group: "now", right: "figures", css: true },
  { id: "wall", group: "now", right: "figures", page: true },
  { id: "map", group: "now", right: "figures", page: true },
  { id: "board", group: "now", right: "figures", css: true },
  { id: "people", group: "floor", right: "people", css: true },
  { id: "contacts", group: "floor", right: "contacts", css: true },
  { id: "goals", group: "analysis", right: "figures", css: true },
  { id: "earlier", group: "analysis", right: "figures", css: true },
  { id: "outlook", group: "analysis", right: "figures", css: true },
  { id: "customers", group: "analysis", right: "figures", css: true },
  { id: "alerts", group: "watch", right: "figures", css: true },
  { id: "quality", group: "watch", right: "figures", css: true },
];
