// Small drawings of what was measured: a line with an area below it, the last values on the right.

import { h, put, s } from "./dom.js";
import { seconds } from "./format.js";

const WIDTH = 600;
const HEIGHT = 100;
const LEAST = 60; // points for which there is room from the first moment

/** A line over time. `show(value)` makes a text of a value. */
export class Chart {
  constructor(title, show, hint) {
    this.show = show;
    this.points = [];
    this.times = [];
    this.line = s("path", { class: "line" });
    this.area = s("path", { class: "area" });
    this.cursor = s("line", { class: "cursor", y1: 0, y2: HEIGHT, hidden: true });
    this.now = h("b", { class: "now" }, "–");
    this.most = h("span", { class: "most" });
    this.span = h("span", {}, "");
    this.svg = s(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title,
        onpointermove: (event) => this.point(event), onpointerleave: () => this.point(null),
      },
      [25, 50, 75].map((y) => s("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y })),
      this.area, this.line, this.cursor,
    );
    this.root = h("figure", { class: "chart", title: hint },
      h("figcaption", {}, h("span", {}, title), this.now), this.svg,
      h("div", { class: "scale" }, this.span, this.most));
  }

  /** Show points, and the seconds since the epoch that they are of; the newest on the right. */
  draw(points, times) {
    this.points = points.map((each) => each ?? 0);
    this.times = times;
    const most = Math.max(0, ...this.points);
    const height = (value) => fixed(HEIGHT - 2 - (value / (most || 1)) * (HEIGHT - 8));
    const line = this.points.map((value, index) => `${this.across(index)},${height(value)}`).join("L");
    this.line.setAttribute("d", line && `M${line}`);
    this.area.setAttribute("d", line && `M${this.across(0)},${HEIGHT}L${line}L${WIDTH},${HEIGHT}Z`);
    put(this.most, `most ${this.show(most)}`);
    if (this.pointed === undefined) this.say(this.points.length - 1);
  }

  across(index) {
    const room = Math.max(this.points.length, LEAST) - 1;
    return fixed(((room - this.points.length + 1 + index) / room) * WIDTH);
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const last = this.points.length - 1;
    const room = Math.max(this.points.length, LEAST) - 1;
    const back = event && Math.round((1 - (event.clientX - box.left) / box.width) * room);
    this.pointed = event ? Math.min(last, Math.max(0, last - back)) : undefined;
    this.cursor.toggleAttribute("hidden", this.pointed === undefined);
    if (this.pointed !== undefined) {
      const x = this.across(this.pointed);
      this.cursor.setAttribute("x1", x);
      this.cursor.setAttribute("x2", x);
    }
    this.say(this.pointed ?? last);
  }

  say(index) {
    const since = (at) => this.times.at(-1) - this.times[at];
    put(this.now, index < 0 ? "–" : this.show(this.points[index]));
    if (index < 0) put(this.span, "no points yet");
    else put(this.span, this.pointed === undefined ? `last ${seconds(since(0))}` : `${seconds(since(index))} ago`);
  }
}

function fixed(value) {
  return Math.round(value * 10) / 10;
}
