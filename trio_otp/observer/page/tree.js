// The screen Tree: who supervises whom. What is folded shows the worst status below it.

import { attr, h, Keyed, put, redraw } from "./dom.js";
import { number, seconds, sign } from "./format.js";
import { pidLink, setStatus } from "./parts.js";
import { go, here } from "./route.js";

export class Tree {
  constructor(app) {
    this.app = app;
    this.open = new Set();
    this.shut = new Set();
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
    return { ask: "tree", root: null, open: [...this.open], shut: [...this.shut], limit: 1000 };
  }

  show(result) {
    this.lines = result.nodes;
    this.nodes = new Map(result.nodes.map((node) => [node.key, node]));
    this.keyed.order(result.nodes.map((node) => node.key));
    result.nodes.forEach((node, index) => this.fill(this.keyed.nodes.get(node.key), node, index));
    put(this.note, result.left ? `${number(result.left)} more are not shown: fold some` : "");
    this.list.dataset.frames = Number(this.list.dataset.frames ?? 0) + 1;
    this.mark();
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

  fill(line, node) {
    redraw(line.guides, node.guides, () => node.guides.map((each) => h("i", { class: each })));
    attr(line, "aria-level", node.level);
    attr(line, "aria-expanded", node.children ? String(node.open) : null);
    put(line.fold, node.children ? (node.open ? "▾" : "▸") : "");
    attr(line.fold, "aria-label", node.children ? (node.open ? "fold" : "unfold") : null);
    line.fold.toggleAttribute("disabled", !node.children);
    redraw(line.name, [node.pid, node.name], () => pidLink(node.pid, node.name));
    put(line.kind, node.kind + (node.below ? ` · ${number(node.below)} below` : ""));
    setStatus(line.state, node.status);
    if (!node.open && node.children && node.worst && node.worst !== node.status) {
      setStatus(line.state, node.worst);
      put(line.state, `${sign(node.worst)} ${node.worst} below`);
    }
    put(line.queue, node.queue ? `${number(node.queue)} queued` : "");
    redraw(line.budget, node.budget, () => (node.budget ? budget(node.budget) : null));
    if (line.restarts !== undefined && node.restarts > line.restarts) flash(line);
    line.restarts = node.restarts;
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
    (open ? this.open : this.shut).add(key);
    (open ? this.shut : this.open).delete(key);
    this.subscription.change(this.question());
  }

  all(open) {
    for (const [key, node] of this.nodes) {
      if (node.children) this.toggle(key, open || node.level === 1);
    }
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
      ArrowRight: () => (node.children && !node.open ? this.toggle(key, true) : to(index + 1)),
      ArrowLeft: () => (node.children && node.open ? this.toggle(key, false) : this.keyed.nodes.get(node.parent)?.focus()),
      Enter: () => { go({ pid: node.pid }); this.app.inspector.focus(); },
    }[event.key];
    if (does === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    does();
    this.mark();
  }
}

/** How much of what a supervisor may restart is used: a pip for each, and the same in words. */
function budget({ used, most, seconds: within }) {
  const near = used >= most && most > 0;
  const pips = most <= 10 ? Array.from({ length: most }, (_, at) => h("i", { class: at < used ? "used" : "" })) : [];
  return h("span", { class: near ? "pips near" : "pips", title: near ? "the next restart ends this supervisor" : "restarts within its limit" },
    pips, `${used}/${most} in ${seconds(within)}`);
}

function flash(line) {
  line.classList.remove("flash");
  void line.offsetWidth; // begin the animation anew
  line.classList.add("flash");
}
