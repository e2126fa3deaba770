// The views of the page, in the order of the navigation, group by group.
//
// To plug in a view:
// 1. Write views/ID.js. It exports `show(root, context)`, which fills the element `root` (its heading is there already) and may be async,
//    and `close()`, which ends what `context` does not. Styles are in views/ID.css, if `css: true`, each rule under `.view.ID`.
// 2. Add one line here, in its `group` (named by `views.GROUP` in words.py): `right` is the right it needs (streams/access/rights.py). The navigation shows it to users with that right somewhere.
// 3. Add its title as `view.ID` to streams/catalogue/words.py, as all texts of the page; `word(id)` of text.js returns them.
// `context` (see frame.js):
//   asked(name), askedAll(name)   parameters of the address; a view's own are dropped when it closes
//   choose({name: value})         sets them; null deletes, a list sets several
//   link(id, {name: value})       the address of a view, for <a href>: it opens without a reload; open(id, {...}) goes there
//   may(right)                    whether the viewer has a right somewhere
//   ask(path, options)            JSON of the API, a promise; rejects with a Refusal {status, message} of frame.js
//   every(ms, task)               periodically until the view is closed, and after each new snapshot of the server; a rejection of `task` or
//                                 `show` is shown below the heading; returns a promise of the first run
//   onNews(task)                  when figures have changed, at most as often as the page is drawn
//   onReset(task)                 after a new snapshot of the server, as after a change of its configuration
//   gather(kind), targets(), asOf(), silence(kind, name), silenceOfStaff()   the live figures, as wallboard.js has them
//   judging(queue, channel)       the definitions of its service level as text, the deciding one first; [] where unknown
//   unread()                      the text in place of "there is none" while the server has not read figures; for an answer see unread.js
//   strip, attention, serverTime()   firing alerts, ways to draw attention to them, and the server's clock
//   signal                        aborted when the view is closed: for fetch and addEventListener
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
