// The screen Crashes: the last reports, those with the same exception at the same own line together.

import { h, redraw } from "./dom.js";
import { clock, number, plural } from "./format.js";
import { empty, linked, pidLink } from "./parts.js";

const MOST = 200;

export class Crashes {
  constructor() {
    this.reports = []; // the newest first
    this.open = new Set();
    this.list = h("div", { class: "crashes" });
    this.root = h("div", { class: "screen" }, this.list);
  }

  enter() {}

  leave() {}

  /** Another program, or the same one anew. */
  forget() {
    this.reports = [];
    this.draw();
  }

  crashes(result) {
    const fresh = result.crashes.filter((each) => !this.reports.some((known) => known.number === each.number));
    this.reports = [...fresh, ...this.reports].sort((a, b) => b.number - a.number).slice(0, MOST);
    this.draw();
  }

  draw() {
    const groups = new Map();
    for (const each of this.reports) {
      const key = `${each.kind} ${each.where}`;
      groups.set(key, [...(groups.get(key) ?? []), each]);
    }
    if (this.open.size === 0 && groups.size) this.open.add([...groups.keys()][0]);
    const shown = [...groups].map(([key, all]) => [key, all.length, all[0].number, this.open.has(key)]);
    redraw(this.list, shown, () => (groups.size
      ? [...groups].map(([key, all]) => this.group(key, all))
      : empty("Nothing has crashed since the program began to be observed.")));
  }

  group(key, all) {
    const [newest] = all;
    const details = h("details", { class: "crash", open: this.open.has(key), "data-key": key },
      h("summary", { "data-key": `summary ${key}` }, h("b", { class: "exception" }, newest.kind), h("span", { class: "what" }, newest.text.replace(`${newest.kind}: `, "")),
        h("code", { class: "where" }, newest.where), h("span", { class: "times" }, `${number(all.length)}×`), h("time", {}, clock(newest.at))),
      report(newest),
      all.length > 1 ? h("p", { class: "others" }, `${plural(all.length - 1, "more crash")} of this kind: `, all.slice(1, 21).flatMap((each, at) => [at ? ", " : "", h("span", { title: clock(each.at) }, pidLink(each.pid, each.name))])) : null);
    details.addEventListener("toggle", () => this.open[details.open ? "add" : "delete"](key));
    return details;
  }
}

const PARTS = [["last_message", "Last message"], ["state", "State"], ["client", "Client"], ["client_place", "Its line"], ["neighbours", "Who ends with it"], ["ancestors", "Ancestors"]];

function report(crash) {
  return h("div", { class: "report" },
    h("p", {}, pidLink(crash.pid, crash.name), " ", h("span", { class: "kind" }, [crash.initial_call, clock(crash.at)].filter(Boolean).join(" · "))),
    PARTS.filter(([key]) => crash[key] && crash[key].length).map(([key, title]) => h("section", {}, h("h3", {}, title), h("pre", {}, Array.isArray(crash[key]) ? crash[key].flatMap((each, at) => [at ? "\n" : "", linked(each)]) : linked(crash[key])))),
    crash.traceback ? h("section", {}, h("h3", {}, "Traceback"), h("pre", { class: "traceback" }, crash.traceback)) : null);
}
