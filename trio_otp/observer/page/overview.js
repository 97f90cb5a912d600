// The screen Overview: how many, how much, since ten minutes; and who is first in what hurts.

import { Chart } from "./chart.js";
import { h, put, redraw } from "./dom.js";
import { named, number, seconds, sign } from "./format.js";
import { panel, pidLink, statusOf } from "./parts.js";
import { go } from "./route.js";

const CHARTS = [
  [2, "Messages handled", (v) => `${number(v)}/s`, "How many messages all servers handle in a second."],
  [3, "Messages waiting", number, "If it grows, somebody sends more than its server handles."],
  [4, "Restarts", number, "How often supervisors have started a child again."],
  [5, "Loop lateness", seconds, "How late the loop gives a turn. Above 100 ms a handler computes or blocks."],
];
const NUMBER = 0; // where a point has its number, and its time
const AT = 1;
const KEPT = 600;
const WORDS = { handled: "handled per s" };
const TOPS = [
  ["handled", "Busiest", (row) => `${number(row.handled)}/s`],
  ["queue", "Longest queue", (row) => number(row.queue)],
  ["oldest", "Oldest message", (row) => seconds(row.oldest)],
  ["doing", "Longest in one message", (row) => row.doing.match(/ for ([^,]+)/)?.[1] ?? ""],
  ["restarts", "Most restarts", (row) => number(row.restarts)],
];

export class Overview {
  constructor() {
    this.points = [];
    this.counts = h("div", { class: "counts" });
    this.charts = CHARTS.map(([key, title, show, hint]) => [key, new Chart(title, show, hint)]);
    this.tops = TOPS.map(([key, title, show]) => ({ key, show, list: h("ol", { class: "top" }), title }));
    this.root = h("div", { class: "overview" }, this.counts,
      h("div", { class: "charts" }, this.charts.map(([, chart]) => chart.root)),
      h("div", { class: "tops" }, this.tops.map(({ title, list }) => panel(title, list))));
  }

  enter() {}

  leave() {}

  /** Another program, or the same one anew. */
  forget() {
    this.points = [];
  }

  overview(result) {
    this.count(result.counts);
    const last = this.points.at(-1)?.[NUMBER] ?? 0;
    this.points = [...this.points, ...result.points.filter((point) => point[NUMBER] > last)].slice(-KEPT);
    const times = this.points.map((point) => point[AT]);
    for (const [at, chart] of this.charts) chart.draw(this.points.map((point) => point[at]), times);
    for (const { key, show, list } of this.tops) {
      const rows = result.top[key] ?? [];
      const shown = rows.map((row) => [row.pid, row.name, row.behaviour, row.status, show(row)]);
      redraw(list, shown, () => (rows.length ? rows.map((row) => entry(row, show)) : h("li", { class: "empty" }, "nobody")));
    }
  }

  count(counts) {
    const { statuses = {}, ...others } = counts;
    redraw(this.counts, counts, () => [
      ...Object.entries(others).map(([name, value]) => tile(WORDS[name] ?? name, number(value))),
      h("div", { class: "bar-tile" }, bar(statuses), h("div", { class: "legend" }, Object.entries(statuses).filter(([, n]) => n)
        .map(([status, n]) => h("button", { class: `chip is-${status}`, "data-key": status, onclick: () => only(status) }, `${sign(status)} ${number(n)} ${status}`)))),
    ]);
  }
}

function only(status) {
  go({ filter: `status:${status}` }, { screen: "processes" });
}

function tile(name, value) {
  return h("div", { class: `tile${value === "0" ? " zero" : ""}` }, h("b", {}, value), h("span", {}, name));
}

function bar(statuses) {
  const node = h("div", { class: "bar", role: "img", "aria-label": "processes by status" });
  for (const [status, n] of Object.entries(statuses)) {
    const part = h("span", { class: `is-${status}` });
    part.style.flexGrow = n;
    if (n) node.append(part);
  }
  return node;
}

function entry(row, show) {
  return h("li", {}, pidLink(row.pid, named(row.name || row.pid)), statusOf(row.status), h("b", { class: "num" }, show(row)));
}
