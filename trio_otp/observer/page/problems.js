// The screen Problems: what is wrong now, by the same rules as `trio-otp problems`.

import { h, redraw } from "./dom.js";
import { seconds } from "./format.js";
import { pidLink } from "./parts.js";

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
  "the loop: one step of it does not end; with its line",
  "a handler in one message for more than 1 s, or 5 s, that waits for no other process",
  "a mailbox that has grown in three samples, or is at its bound; a message older than 5 s",
  "a child that is started again and again; a supervisor one restart short of its limit",
  "a circle of waits, also over deferred answers; calls that ran into their time-outs",
  "messages that were dropped; a child that does not stop",
];

function entry(problem) {
  const severe = problem.severity === "error";
  return h("li", { class: severe ? "severe" : "mild" },
    h("span", { class: "mark", "aria-label": severe ? "severe" : "mild" }, severe ? "■" : "▲"),
    h("div", {}, h("b", {}, problem.kind.replaceAll("_", " ")), " ", h("span", { class: "what" }, problem.text),
      problem.where ? h("code", { class: "where" }, problem.where) : null,
      h("div", { class: "about" }, (problem.pids ?? []).map((each) => pidLink(each.pid, each.name)))),
    h("span", { class: "age" }, seconds(problem.seconds)));
}
