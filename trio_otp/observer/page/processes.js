// The screen Processes: a window of a table that the program sorts and filters. Rows are kept by pid.
// While the pointer is over the table, or text in it is selected, nothing in it moves.

import { attr, h, isSelected, Keyed, put } from "./dom.js";
import { named, number, plural, seconds } from "./format.js";
import { pidLink, setStatus } from "./parts.js";
import { go, here } from "./route.js";

const ROW = 30; // pixels, as in style.css
const AROUND = 20; // rows above and below what is seen
const HOLD = 3000; // milliseconds for which a key keeps the order

const COLUMNS = [
  ["pid", "pid", "num"],
  ["name", "name", "", "Its name, else its label"],
  ["behaviour", "behaviour", ""],
  ["status", "status", ""],
  ["queue", "queue", "num", "Messages that wait in its mailbox"],
  ["oldest", "oldest", "num", "For how long the first of them has waited"],
  ["handled", "handled/s", "num", "Messages in a second"],
  ["restarts", "restarts", "num", "How often it was started again"],
  ["doing", "doing", "", "The message in hand, and since when"],
];
const DESCENDING = new Set(["queue", "oldest", "handled", "restarts"]);

export class Processes {
  constructor(app) {
    this.app = app;
    this.rows = new Map(); // pid -> row as last sent
    this.gone = {}; // pid -> why it has ended, for ten seconds
    this.keys = [];
    this.first = 0;
    this.matching = 0;
    this.filter = h("input", {
      type: "search", placeholder: "filter: q>10 status:waiting text", "aria-label": "filter", spellcheck: "false", autocomplete: "off",
      oninput: () => this.filtered(), onkeydown: (event) => this.filterKey(event),
    });
    this.count = h("span", { class: "count", role: "status" });
    this.held = h("span", { class: "held", hidden: true }, "order held");
    this.wrong = h("span", { class: "wrong", role: "alert" });
    this.heads = new Map(COLUMNS.map(([key, text, kind, hint]) => [key, this.head(key, text, kind, hint)]));
    this.above = h("tr", { class: "space", "aria-hidden": "true" }, h("td"));
    this.below = h("tr", { class: "space", "aria-hidden": "true" }, h("td"));
    this.body = h("tbody", {
      onpointerenter: (event) => (this.over = event.pointerType === "mouse"),
      onpointerleave: () => (this.over = false),
      onpointerdown: (event) => event.pointerType !== "touch" && this.press(event),
      onclick: (event) => this.click(event),
      onkeydown: (event) => this.key(event),
    }, this.above, this.below);
    this.keyed = new Keyed(this.body, (pid) => this.row(pid));
    this.box = h("div", { class: "table-box", onscroll: () => this.scrolled() },
      h("table", { class: "processes" }, h("thead", {}, h("tr", {}, [...this.heads.values()])), this.body));
    this.root = h("div", { class: "screen fill" },
      h("div", { class: "tools" }, this.filter, this.count, this.held, this.wrong), this.box);
  }

  head(key, text, kind, hint) {
    const button = h("button", { onclick: () => this.sortBy(key), title: hint }, text);
    return h("th", { class: `${kind} c-${key}`, scope: "col" }, button);
  }

  // -- the question --------------------------------------------------------------------------------

  enter(params) {
    this.filter.value = params.get("filter") ?? "";
    this.box.scrollTop = 0;
    this.asked = null;
    this.subscription = this.app.ask(this.question(params), (result) => this.show(result), (error) => put(this.wrong, error.text));
    this.resize = new ResizeObserver(() => this.scrolled());
    this.resize.observe(this.box);
  }

  leave() {
    this.subscription.stop();
    this.resize.disconnect();
    this.rows.clear();
    this.over = false;
  }

  changed(params) {
    if (document.activeElement !== this.filter) this.filter.value = params.get("filter") ?? "";
    const question = this.question(params);
    const asked = JSON.stringify(question);
    if (asked !== this.asked) {
      this.asked = asked;
      this.taken = false; // what comes next is shown, whatever is held
      this.subscription.change(question);
    }
    this.mark();
  }

  question(params) {
    const sort = params.get("sort") ?? "queue";
    const window = this.window();
    for (const [key, head] of this.heads) {
      attr(head, "aria-sort", key !== sort ? null : this.descending(params) ? "descending" : "ascending");
    }
    return { ask: "rows", sort, descending: this.descending(params), filter: params.get("filter") ?? "", ...window };
  }

  descending(params) {
    return params.has("desc") ? params.get("desc") === "1" : DESCENDING.has(params.get("sort") ?? "queue");
  }

  window() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - AROUND);
    return { first, count: Math.ceil((this.box.clientHeight || 600) / ROW) + 2 * AROUND };
  }

  scrolled() {
    const { first, count } = this.window();
    const last = this.sent ?? { first: -1000, count: 0 };
    if (Math.abs(first - last.first) < AROUND / 2 && count === last.count) return;
    this.sent = { first, count };
    this.changed(here().params);
  }

  sortBy(key) {
    const { params } = here();
    const same = (params.get("sort") ?? "queue") === key;
    const descending = same ? !this.descending(params) : DESCENDING.has(key);
    go({ sort: key, desc: descending ? "1" : "0" }, { quiet: true });
  }

  filtered() {
    put(this.wrong, "");
    this.box.scrollTop = 0;
    go({ filter: this.filter.value.trim() }, { quiet: true });
  }

  filterKey(event) {
    if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      this.focus(this.keys[0]);
    } else if (event.key === "Escape" && this.filter.value === "") this.filter.blur();
  }

  // -- the answer ----------------------------------------------------------------------------------

  show(result) {
    put(this.wrong, "");
    for (const [pid, row] of Object.entries(result.rows)) this.rows.set(pid, row);
    this.gone = result.gone ?? {};
    const keys = this.withGone(result.keys);
    const held = this.taken && this.holds();
    this.held.toggleAttribute("hidden", !held);
    if (!held) {
      this.taken = true;
      this.keys = keys;
      this.first = result.first;
      this.matching = result.matching;
      this.keyed.order(this.keys, this.above);
      for (const pid of this.rows.keys()) if (!this.keyed.nodes.has(pid)) this.rows.delete(pid);
    }
    this.above.firstChild.style.height = `${this.first * ROW}px`;
    this.below.firstChild.style.height = `${Math.max(0, this.matching - this.first - this.keys.length) * ROW}px`;
    put(this.count, result.matching === result.total ? plural(result.total, "process") : `${number(result.matching)} of ${plural(result.total, "process")}`);
    this.update();
    this.box.dataset.frames = Number(this.box.dataset.frames ?? 0) + 1;
  }

  /** Put those that have ended in between, where they were. */
  withGone(keys) {
    const shown = new Set(keys);
    const merged = [...keys];
    this.keys.forEach((pid, at) => {
      if (!shown.has(pid) && pid in this.gone) merged.splice(at, 0, pid);
    });
    return merged;
  }

  /** Whether the order stays as it is: somebody is about to press, or reads with the keys. */
  holds() {
    return this.over || isSelected(this.body) || Date.now() < (this.keyUntil ?? 0);
  }

  row(pid) {
    const cells = COLUMNS.map(([key, , kind]) => h("td", { class: `${kind} c-${key}` }));
    const node = h("tr", { "data-pid": pid, tabindex: -1 }, cells);
    node.cells_ = Object.fromEntries(COLUMNS.map(([key], index) => [key, cells[index]]));
    node.link = pidLink(pid);
    node.cells_.pid.append(node.link);
    node.link.tabIndex = -1;
    node.state = h("span");
    node.cells_.status.append(node.state);
    return node;
  }

  update() {
    for (const [pid, node] of this.keyed.nodes) {
      const row = this.rows.get(pid);
      if (row === undefined || node.drawn === row && node.dead === this.gone[pid]) continue;
      node.drawn = row;
      node.dead = this.gone[pid];
      this.fill(node, row, node.dead);
    }
    this.mark();
  }

  fill(node, row, dead) {
    const { cells_: cells } = node;
    put(node.link, row.pid);
    put(cells.name, named(row.name));
    put(cells.behaviour, row.behaviour ?? "–");
    setStatus(node.state, dead === undefined ? row.status : "dead");
    put(cells.queue, number(row.queue));
    put(cells.oldest, row.oldest ? seconds(row.oldest) : "·");
    put(cells.handled, number(row.handled));
    put(cells.restarts, number(row.restarts));
    put(cells.doing, dead === undefined ? row.doing : dead);
    attr(cells.name, "title", named(row.name));
    attr(cells.doing, "title", dead ?? row.doing);
    attr(node, "class", dead === undefined ? null : "gone");
    for (const key of ["queue", "handled", "restarts"]) cells[key].classList.toggle("zero", !row[key]);
    cells.oldest.classList.toggle("zero", !row.oldest);
    cells.queue.classList.toggle("hot", row.queue > 50);
    cells.oldest.classList.toggle("hot", row.oldest > 5);
  }

  mark() {
    const chosen = here().params.get("pid");
    const focused = document.activeElement?.dataset?.pid;
    for (const [pid, node] of this.keyed.nodes) {
      attr(node, "aria-selected", pid === chosen ? "true" : null);
      attr(node, "tabindex", pid === (focused ?? chosen ?? this.keys[0]) ? 0 : -1);
    }
  }

  // -- pointer and keys ----------------------------------------------------------------------------

  press(event) {
    const pid = event.button === 0 && event.target.closest("tr")?.dataset.pid;
    if (!pid || event.metaKey || event.ctrlKey) return;
    this.pressed = pid;
    go({ pid });
  }

  /** A finger chooses when it is lifted: it may have come to scroll. */
  click(event) {
    const pid = event.target.closest("tr")?.dataset.pid;
    if (event.metaKey || event.ctrlKey || !pid) return;
    event.preventDefault();
    event.stopPropagation();
    if (this.pressed === undefined) go({ pid });
    this.pressed = undefined;
  }

  key(event) {
    const pid = event.target.closest("tr")?.dataset.pid;
    const move = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: 15, PageUp: -15 }[event.key];
    if (move !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      const index = this.keys.indexOf(pid) + move;
      this.focus(this.keys[Math.min(this.keys.length - 1, Math.max(0, index))]);
    } else if (event.key === "Enter" && pid) {
      event.preventDefault();
      go({ pid });
      this.app.inspector.focus();
    }
  }

  focus(pid) {
    const node = this.keyed.nodes.get(pid);
    if (node === undefined) return;
    this.keyUntil = Date.now() + HOLD;
    node.focus({ preventScroll: true });
    node.scrollIntoView({ block: "nearest" });
    this.mark();
  }
}
