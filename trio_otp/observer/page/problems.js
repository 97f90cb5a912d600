// The screen Problems: what is wrong now, by the same rules as `trio-otp problems`.

import { h, put, redraw } from "./dom.js";
import { number, seconds } from "./format.js";
import { empty, pidLink } from "./parts.js";

export class Problems {
  constructor() {
    this.list = h("ul", { class: "problems", "aria-live": "polite" });
    this.root = h("div", { class: "screen" }, this.list,
      h("details", { class: "rules" }, h("summary", {}, "What is looked for"), h("ul", {},
        RULES.map((rule) => h("li", {}, rule)))));
  }

  enter() {}

  leave() {}

  problems(problems) {
    redraw(this.list, problems, () => (problems.length ? problems.map(entry) : h("li", { class: "fine" }, "✓ No problem is seen.")));
  }
}

const RULES = [
  "the loop is stuck: one step of it has not ended for half a second; with the line",
  "a handler in one message for more than 1 s, and more than 5 s; waiting for another process does not count",
  "a mailbox that has grown in three samples, or is at its bound",
  "a message that has waited for more than 5 s",
  "a child that is started again and again; a supervisor one restart short of its limit",
  "a circle of waits, also over deferred answers",
  "calls that have run into their time-outs; messages that were dropped; a child that does not stop",
];

function entry(problem) {
  const severe = problem.severity === "error" || problem.severity === "red" || problem.severity === 2;
  const pids = problem.pids ?? (problem.pid ? [problem.pid] : []);
  return h("li", { class: severe ? "severe" : "mild", "data-key": problem.key ?? problem.kind },
    h("span", { class: "mark", "aria-label": severe ? "severe" : "mild" }, severe ? "■" : "▲"),
    h("div", {}, h("b", {}, problem.title ?? problem.kind.replaceAll("_", " ")), " ", h("span", { class: "what" }, problem.text),
      problem.where ? h("code", { class: "where" }, problem.where) : null,
      h("div", { class: "about" }, pids.map((each) => pidLink(each?.pid ?? each, each?.name ?? each?.text ?? each)),
        problem.count > 1 ? h("span", {}, `${number(problem.count)} times`) : null)),
    h("span", { class: "age" }, problem.seconds === null || problem.seconds === undefined ? "" : seconds(problem.seconds)));
}
