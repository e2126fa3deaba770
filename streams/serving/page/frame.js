// Shows the view that the address names. The overview and the walls are the page itself; others are modules, imported when first shown.

import { address, asked, askedAll, change, followLinks, onChange, onTravel, travel } from "./address.js";
import { learnRights } from "./behind.js";
import { Navigation } from "./navigation.js";
import { whoIsHere } from "./session.js";
import { capitalize, setText, word } from "./text.js";
import { unread } from "./unread.js";
import { VIEWS } from "./views.js";

const RETRY_MS = 3000;

// A refusal of the API, with its reason.
export class Refusal extends Error {
  // `unread`: the text that the topics have not been read yet, "" for other reasons.
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
  const problem = await answer.json().catch(() => ({}));
  throw new Refusal(answer.status, problem.detail ?? problem.title ?? `${answer.status}`, unread(problem));
}

function style(id) {
  const href = `views/${id}.css`;
  if (document.querySelector(`link[href="${href}"]`)) return null;
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  document.head.append(link);
  // A view works without its styles.
  return new Promise((done) => {
    for (const name of ["load", "error"]) link.addEventListener(name, done);
  });
}

// The overview has no name in the address, as in old addresses.
const chosen = (id) => ({ view: id === VIEWS[0].id ? null : id });

export const titleOf = (id) => capitalize(word(`view.${id}`));

export class Frame {
  // `live` are the figures of the page: gather, targets, asOf and silence. `after` is called with each view that is shown.
  constructor(nav, main, live, after) {
    Object.assign(this, { nav, main, live, after });
    this.rights = null;
    this.shown = null;
    this.tasks = new Set();
    this.resetTasks = new Set();
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

  // Updates the links after the address has changed.
  point() {
    this.navigation?.point(this.current.id, (id) => address(chosen(id), { common: true }));
  }

  // The live figures have changed.
  news() {
    for (const task of this.tasks) task();
  }

  // Called when the server has sent a new snapshot: after a change of its configuration, a reconnect, or when it has read the figures.
  reset() {
    for (const task of this.resetTasks) task();
  }

  // `focus`: moves the focus to its heading, for users of keyboard or voice.
  async show({ focus = false } = {}) {
    this.close();
    this.point();
    const { id, right, page, css } = this.current;
    this.main.hidden = !page;
    this.after(this.current);
    if (page) return;
    // It replaces the page's own, which is hidden.
    const root = document.createElement("main");
    root.className = `view ${id}`;
    const heading = root.appendChild(document.createElement("h2"));
    Object.assign(heading, { id: "view-title", textContent: titleOf(id), tabIndex: -1 });
    root.setAttribute("aria-labelledby", heading.id);
    const status = root.appendChild(document.createElement("p"));
    status.className = "none";
    status.setAttribute("role", "status");
    this.main.after(root);
    if (focus) heading.focus();
    const open = (this.shown = { root, status, closing: new AbortController(), module: null });
    if (!this.may(right)) {
      setText(status, word("view.denied"));
      return;
    }
    setText(status, word("loading"));
    root.setAttribute("aria-busy", "true");
    await this.attempt(open, async () => {
      const [module] = await Promise.all([import(`./views/${id}.js`), css ? style(id) : null]);
      if (this.shown !== open) return;
      open.module = module;
      return module.show(root, this.context(open));
    });
    root.removeAttribute("aria-busy");
  }

  // Runs a task of a view and shows its failure until it succeeds. Returns the text shown, which a view may return again from `show`.
  async attempt(open, task) {
    let text = "";
    try {
      const within = await task();
      if (typeof within === "string") text = within;
    } catch (error) {
      if (open.closing.signal.aborted) return "";
      if (!(error instanceof Refusal)) console.error(error);
      text = error.unread || word("view.failed", { reason: error.message });
    }
    setText(open.status, text);
    return text;
  }

  close() {
    if (!this.shown) return;
    const { root, closing, module } = this.shown;
    this.shown = null;
    this.tasks.clear();
    this.resetTasks.clear();
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
        this.resetTasks.add(() => this.attempt(open, task));
        const timer = setInterval(() => this.attempt(open, task), ms);
        signal.addEventListener("abort", () => clearInterval(timer));
        return this.attempt(open, task);
      },
      onReset: (task) => this.resetTasks.add(() => this.attempt(open, task)),
      onNews: (task) => {
        this.tasks.add(task);
        task();
      },
    };
  }
}
