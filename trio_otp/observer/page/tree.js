// The screen Tree: who supervises whom. What is folded shows the worst status below it.

import { attr, h, Keyed, put, redraw } from "./dom.js";
import { named, number, plural, seconds, sign } from "./format.js";
import { pidLink, setStatus } from "./parts.js";
import { go, here } from "./route.js";

const MOST = 1000; // lines
const FEW = 30; // processes below what is unfolded by itself

export class Tree {
  constructor(app) {
    this.app = app;
    this.open = new Set();
    this.met = new Set(); // keys that have been seen before
    this.nodes = new Map();
    this.list = h("ul", { class: "tree", role: "tree", "aria-label": "supervision tree", onkeydown: (event) => this.key(event) });
    this.keyed = new Keyed(this.list, (key) => this.line(key));
    this.note = h("span", { class: "count" });
    this.root = h("div", { class: "screen fill" },
      h("div", { class: "tools" },
        h("button", { onclick: () => this.all(true) }, "unfold all"),
        h("button", { onclick: () => this.all(false) }, "fold all"), this.note),
      h("div", { class: "tree-box" }, this.list));
  }

  enter() {
    this.subscription = this.app.ask(this.question(), (result) => this.show(result));
  }

  leave() {
    this.subscription.stop();
  }

  changed() {
    this.mark();
  }

  question() {
    return { ask: "tree", open: [...this.open], everything: this.everything ?? false, limit: MOST };
  }

  show(result) {
    if (this.unfold(result.nodes)) this.subscription.change(this.question());
    const guides = guide(result.nodes);
    this.lines = result.nodes;
    this.nodes = new Map(result.nodes.map((node) => [node.key, node]));
    this.keyed.order(result.nodes.map((node) => node.key));
    result.nodes.forEach((node) => this.fill(this.keyed.nodes.get(node.key), node, guides.get(node.key)));
    put(this.note, result.more ? `${number(result.more)} more are not shown: fold some` : "");
    this.list.dataset.frames = Number(this.list.dataset.frames ?? 0) + 1;
    this.mark();
  }

  /** Unfold what is new and small at the top; return whether anything was. */
  unfold(nodes) {
    const fresh = nodes.filter((node) => !this.met.has(node.key) && node.has_children);
    for (const node of fresh) {
      this.met.add(node.key);
      if (node.depth === 0 || (node.depth === 1 && (node.below?.count ?? 0) <= FEW)) this.open.add(node.key);
    }
    return fresh.some((node) => this.open.has(node.key) && !node.open);
  }

  line(key) {
    const line = h("li", { role: "treeitem", "data-key": key, tabindex: -1 });
    line.guides = h("span", { class: "guides", "aria-hidden": "true" });
    line.fold = h("button", { class: "fold", tabindex: -1, onclick: () => this.toggle(key) });
    line.name = h("span", { class: "tree-name" });
    line.kind = h("span", { class: "kind" });
    line.state = h("span");
    line.queue = h("span", { class: "tree-queue" });
    line.budget = h("span", { class: "budget" });
    line.append(line.guides, line.fold, line.name, line.kind, line.state, line.queue, line.budget);
    return line;
  }

  fill(line, node, guides) {
    redraw(line.guides, guides, () => guides.map((each) => h("i", { class: each })));
    attr(line, "aria-level", node.depth + 1);
    attr(line, "aria-expanded", node.has_children ? String(node.open) : null);
    put(line.fold, node.has_children ? (node.open ? "▾" : "▸") : "");
    attr(line.fold, "aria-label", node.has_children ? (node.open ? "fold" : "unfold") : null);
    line.fold.toggleAttribute("disabled", !node.has_children);
    redraw(line.name, [node.pid, node.name], () => pidLink(node.pid, node.name));
    put(line.kind, about(node));
    const folded = node.has_children && !node.open ? node.below : null;
    const worst = folded && trouble(folded.worst) ? folded.worst : null;
    setStatus(line.state, worst ?? node.status);
    if (worst) put(line.state, `${sign(worst)} ${worst} below`);
    const queued = node.queue + (folded?.queued ?? 0);
    put(line.queue, queued ? `${number(queued)} queued` : "");
    attr(line, "title", node.last_end ? `last end: ${node.last_end}` : null);
    redraw(line.budget, node.budget, () => (node.budget ? budget(node.budget) : null));
    const restarts = node.restarts + (folded?.restarts ?? 0);
    if (line.folded === Boolean(folded) && restarts > line.restarts) flash(line);
    line.restarts = restarts;
    line.folded = Boolean(folded);
  }

  mark() {
    const chosen = here().params.get("pid");
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const first = focused ?? this.lines?.[0]?.key;
    for (const [key, line] of this.keyed.nodes) {
      attr(line, "aria-selected", this.nodes.get(key)?.pid === chosen ? "true" : null);
      attr(line, "tabindex", key === first ? 0 : -1);
    }
  }

  toggle(key, open = !this.nodes.get(key).open) {
    if (this.everything) {
      this.everything = false;
      this.open = new Set(this.lines.filter((node) => node.open).map((node) => node.key));
    }
    this.open[open ? "add" : "delete"](key);
    this.subscription.change(this.question());
  }

  all(open) {
    this.everything = open;
    this.open = new Set(this.lines.filter((node) => node.depth === 0).map((node) => node.key));
    this.subscription.change(this.question());
  }

  key(event) {
    const key = event.target.closest("li")?.dataset.key;
    const node = this.nodes.get(key);
    if (node === undefined || event.target.tagName === "BUTTON") return;
    const index = this.lines.findIndex((each) => each.key === key);
    const to = (at) => this.keyed.nodes.get(this.lines[at]?.key)?.focus();
    const does = {
      ArrowDown: () => to(index + 1), j: () => to(index + 1),
      ArrowUp: () => to(index - 1), k: () => to(index - 1),
      ArrowRight: () => (node.has_children && !node.open ? this.toggle(key, true) : to(index + 1)),
      ArrowLeft: () => (node.has_children && node.open ? this.toggle(key, false) : this.keyed.nodes.get(node.above)?.focus()),
      Enter: () => { go({ pid: node.pid }); this.app.inspector.focus(); },
    }[event.key];
    if (does === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    does();
    this.mark();
  }
}

/** What a node is, in words. */
function about(node) {
  const kind = node.summary ? node.summary.replace(/^supervisor /, "").replace(/, .*$/, "") : node.behaviour || node.kind;
  const id = named(node.id) === named(node.name) ? null : named(node.id);
  const restarts = node.restarts ? plural(node.restarts, "restart") : null;
  const again = node.restart_in ? `again in ${seconds(node.restart_in)}` : null;
  return [kind, id, node.below && !node.open ? `${number(node.below.count)} below` : null, restarts, again].filter(Boolean).join(" · ");
}

function trouble(status) {
  return ["waiting", "starting", "suspended", "undefined", "restarting", "exiting", "stuck"].includes(status);
}

/** Give each node the lines that lead to it: one of each level above it, and its own. */
function guide(nodes) {
  const follows = new Map(); // whether another one with the same node above it follows
  const met = new Set();
  for (const node of [...nodes].reverse()) {
    follows.set(node.key, met.has(node.above));
    met.add(node.above);
  }
  const guides = new Map();
  for (const { key, above } of nodes) {
    const upper = guides.get(above);
    const lead = upper?.length ? [...upper.slice(0, -1), follows.get(above) ? "line" : "none"] : [];
    guides.set(key, upper ? [...lead, follows.get(key) ? "fork" : "last"] : []);
  }
  return guides;
}

/** How much of what a supervisor may restart is used: a pip for each, and the same in words. */
function budget({ used, limit, seconds: within }) {
  const most = limit ?? 0;
  const near = used >= most && most > 0;
  const pips = most <= 10 ? Array.from({ length: most }, (_, at) => h("i", { class: at < used ? "used" : "" })) : [];
  return h("span", { class: near ? "pips near" : "pips", title: near ? "the next restart ends this supervisor" : "restarts within its limit" },
    pips, `${used}/${limit ?? "∞"} in ${seconds(within)}`);
}

function flash(line) {
  line.classList.remove("flash");
  void line.offsetWidth; // begin the animation anew
  line.classList.add("flash");
}
