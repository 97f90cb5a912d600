// Small drawings of what was measured: a line with an area below it, the last values on the right.

import { h, put, s } from "./dom.js";
import { seconds } from "./format.js";

const WIDTH = 600;
const HEIGHT = 100;

/** A line over time. `show(value)` makes a text of a value. */
export class Chart {
  constructor(title, show, hint) {
    this.show = show;
    this.points = [];
    this.step = 1;
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

  draw(points, step) {
    this.points = points.map((each) => each ?? 0);
    this.step = step;
    const top = Math.max(1e-9, ...this.points);
    const count = Math.max(this.points.length, 2);
    const place = (value, index) => `${fixed((index / (count - 1)) * WIDTH)},${fixed(HEIGHT - 2 - (value / top) * (HEIGHT - 8))}`;
    const line = this.points.map(place).join("L");
    this.line.setAttribute("d", line && `M${line}`);
    this.area.setAttribute("d", line && `M0,${HEIGHT}L${line}L${place(0, this.points.length - 1).split(",")[0]},${HEIGHT}Z`);
    put(this.most, `most ${this.show(top > 1e-8 ? top : 0)}`);
    if (this.pointed === undefined) this.say(this.points.length - 1);
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const last = this.points.length - 1;
    this.pointed = event ? Math.round(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * last) : undefined;
    this.cursor.toggleAttribute("hidden", this.pointed === undefined);
    if (this.pointed !== undefined) {
      const x = fixed((this.pointed / Math.max(last, 1)) * WIDTH);
      this.cursor.setAttribute("x1", x);
      this.cursor.setAttribute("x2", x);
    }
    this.say(this.pointed ?? last);
  }

  say(index) {
    const ago = (this.points.length - 1 - index) * this.step;
    put(this.now, index < 0 ? "–" : this.show(this.points[index]));
    put(this.span, ago > 0 ? `${seconds(ago)} ago` : `last ${seconds(Math.max(this.points.length - 1, 0) * this.step)}`);
  }
}

function fixed(value) {
  return Math.round(value * 10) / 10;
}
