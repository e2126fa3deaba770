// Shows one view at a time, the one that the address names. The overview and the walls are the page itself; others are modules, imported when first shown.

import { address, asked, askedAll, change, followLinks, onChange, onTravel, travel } from "./address.js";
import { learnRights } from "./behind.js";
import { Navigation } from "./navigation.js";
import { whoIsHere } from "./session.js";
import { capitalize, setText, word } from "./text.js";
import { unread } from "./unread.js";
import { VIEWS } from "./views.js";

const RETRY_MS = 3000;

// What the API refused, and why.
export class Refusal extends Error {
  // `unread`: that what was asked for has not been read yet, "" where that is not why.
  constructor(status, message, unread = "") {
    super(message);
    this.status = status;
    this.unread = unread;
  }
}

async function ask(path, options) {
  const answer = await fetch(path, { headers: { Accept: "application/json" }, ...options }).catch((error) => {
    throw options.signal.aborted ? error : new Refusal(0, word("disconnected"));
  });
  if (answer.status === 401) whoIsHere();
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const told = await answer.json().catch(() => ({}));
  throw new Refusal(answer.status, told.detail ?? told.title ?? `${answer.status}`, unread(told));
}

function style(id) {
  const href = `views/${id}.css`;
  if (document.querySelector(`link[href="${href}"]`)) return null;
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  document.head.append(link);
  // A view without its colors is still a view.
  return new Promise((done) => {
    for (const name of ["load", "error"]) link.addEventListener(name, done);
  });
}

// The overview has no name in the address: it is what old addresses mean.
const chosen = (id) => ({ view: id === VIEWS[0].id ? null : id });

export const titleOf = (id) => capitalize(word(`view.${id}`));

export class Frame {
  // `live` are the figures of the page: gather, targets, asOf and silence. `after` is called with the view that is shown from now on.
  constructor(nav, main, live, after) {
    Object.assign(this, { nav, main, live, after });
    this.rights = null;
    this.shown = null;
    this.tasks = new Set();
    this.anew = new Set();
    main.hidden = !this.current.page;
  }

  get current() {
    return VIEWS.find(({ id }) => id === asked("view")) ?? VIEWS[0];
  }

  may(right) {
    return this.rights?.includes(right) ?? false;
  }

  async begin() {
    let here = await whoIsHere();
    while (!here) {
      await new Promise((done) => setTimeout(done, RETRY_MS));
      here = await whoIsHere();
    }
    this.rights = here.rights;
    learnRights(here);
    const seen = VIEWS.filter(({ right }) => this.may(right));
    this.navigation = new Navigation(this.nav, seen.map((each) => [each, titleOf(each.id)]));
    onChange(() => this.point());
    onTravel(() => this.show({ focus: true }));
    followLinks();
    await this.show();
    return here;
  }

  // Where the links lead, after the address has changed.
  point() {
    this.navigation?.point(this.current.id, (id) => address(chosen(id), { common: true }));
  }

  // The live figures have changed.
  news() {
    for (const task of this.tasks) task();
  }

  // The server has told everything anew, as it does when its configuration has changed, when it is back, and when it has read figures at last.
  told() {
    for (const task of this.anew) task();
  }

  // `focus`: whoever has gone there by key or by voice goes on from its heading.
  async show({ focus = false } = {}) {
    this.close();
    this.point();
    const { id, right, page, css } = this.current;
    this.main.hidden = !page;
    this.after(this.current);
    if (page) return;
    // It takes the place of the page's own, which is hidden.
    const root = document.createElement("main");
    root.className = `view ${id}`;
    const heading = root.appendChild(document.createElement("h2"));
    Object.assign(heading, { id: "view-title", textContent: titleOf(id), tabIndex: -1 });
    root.setAttribute("aria-labelledby", heading.id);
    const standing = root.appendChild(document.createElement("p"));
    standing.className = "none";
    standing.setAttribute("role", "status");
    this.main.after(root);
    if (focus) heading.focus();
    const open = (this.shown = { root, standing, closing: new AbortController(), module: null });
    if (!this.may(right)) {
      setText(standing, word("view.denied"));
      return;
    }
    setText(standing, word("loading"));
    root.setAttribute("aria-busy", "true");
    await this.attempt(open, async () => {
      const [module] = await Promise.all([import(`./views/${id}.js`), css ? style(id) : null]);
      if (this.shown !== open) return;
      open.module = module;
      return module.show(root, this.context(open));
    });
    root.removeAttribute("aria-busy");
  }

  // What a view does and may fail is said in its place, until it succeeds. Returns what is said: what the first look within `show` said stays.
  async attempt(open, task) {
    let said = "";
    try {
      const within = await task();
      if (typeof within === "string") said = within;
    } catch (error) {
      if (open.closing.signal.aborted) return "";
      if (!(error instanceof Refusal)) console.error(error);
      said = error.unread || word("view.failed", { reason: error.message });
    }
    setText(open.standing, said);
    return said;
  }

  close() {
    if (!this.shown) return;
    const { root, closing, module } = this.shown;
    this.shown = null;
    this.tasks.clear();
    this.anew.clear();
    closing.abort();
    module?.close?.();
    root.remove();
  }

  context(open) {
    const { signal } = open.closing;
    return {
      ...this.live,
      signal,
      asked,
      askedAll,
      choose: change,
      link: (id, changes = {}) => address({ ...chosen(id), ...changes }, { common: true }),
      open: (id, changes = {}) => travel(address({ ...chosen(id), ...changes }, { common: true })),
      may: (right) => this.may(right),
      ask: (path, options = {}) => ask(path, { signal, ...options }),
      every: (ms, task) => {
        this.anew.add(() => this.attempt(open, task));
        const timer = setInterval(() => this.attempt(open, task), ms);
        signal.addEventListener("abort", () => clearInterval(timer));
        return this.attempt(open, task);
      },
      onAnew: (task) => this.anew.add(() => this.attempt(open, task)),
      onNews: (task) => {
        this.tasks.add(task);
        task();
      },
    };
  }
}
