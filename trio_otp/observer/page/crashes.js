// The screen Crashes: the last reports, those with the same exception at the same own line together.

import { h, put, redraw } from "./dom.js";
import { clock, number, plural } from "./format.js";
import { empty, linked, pidLink, stackOf } from "./parts.js";

const MOST = 200;

export class Crashes {
  constructor(app) {
    this.app = app;
    this.reports = []; // the newest first
    this.last = 0;
    this.open = new Set();
    this.list = h("div", { class: "crashes" });
    this.root = h("div", { class: "screen" }, this.list);
  }

  enter() {
    this.reports = [];
    this.last = 0;
    this.subscription = this.app.ask({ ask: "crashes", since: 0 }, (result) => this.show(result));
  }

  leave() {
    this.subscription.stop();
  }

  show(result) {
    const fresh = result.crashes.filter((each) => !this.reports.some((known) => known.number === each.number));
    this.reports = [...fresh, ...this.reports].sort((a, b) => b.number - a.number).slice(0, MOST);
    this.draw();
  }

  draw() {
    const groups = new Map();
    for (const each of this.reports) {
      const key = `${each.exception} ${each.where}`;
      groups.set(key, [...(groups.get(key) ?? []), each]);
    }
    const shown = [...groups].map(([key, all]) => [key, all.length, all[0].number, this.open.has(key)]);
    redraw(this.list, shown, () => (groups.size
      ? [...groups].map(([key, all]) => this.group(key, all))
      : empty("Nothing has crashed since the program began to be observed.")));
  }

  group(key, all) {
    const [newest] = all;
    const details = h("details", { class: "crash", open: this.open.has(key), "data-key": key },
      h("summary", { "data-key": `summary ${key}` }, h("b", { class: "exception" }, newest.exception), h("span", { class: "what" }, newest.text),
        h("code", { class: "where" }, newest.where), h("span", { class: "times" }, `${number(all.length)}×`), h("time", {}, clock(newest.time))),
      report(newest),
      all.length > 1 ? h("p", { class: "others" }, `${plural(all.length - 1, "more crash")} of this kind: `, all.slice(1, 21).flatMap((each, at) => [at ? ", " : "", h("span", { title: clock(each.time) }, pidLink(each.pid, each.name))])) : null);
    details.addEventListener("toggle", () => this.open[details.open ? "add" : "delete"](key));
    return details;
  }
}

const PARTS = [["message", "Last message"], ["state", "State"], ["client", "Client"], ["neighbours", "Neighbours"], ["lineage", "Ancestors"]];

function report(crash) {
  return h("div", { class: "report" },
    h("p", {}, pidLink(crash.pid, crash.name), " ", h("span", { class: "kind" }, [crash.behaviour, clock(crash.time)].filter(Boolean).join(" · "))),
    PARTS.filter(([key]) => crash[key] && crash[key].length).map(([key, title]) => h("section", {}, h("h3", {}, title), h("pre", {}, Array.isArray(crash[key]) ? crash[key].flatMap((each, at) => [at ? "\n" : "", linked(each)]) : linked(crash[key])))),
    crash.traceback ? h("section", {}, h("h3", {}, "Traceback"), Array.isArray(crash.traceback) ? stackOf(crash.traceback) : h("pre", { class: "traceback" }, crash.traceback)) : null);
}
