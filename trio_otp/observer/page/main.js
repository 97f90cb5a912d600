// The frame of the page: connection, title, tabs, and which screen is shown.

import { act } from "./actions.js";
import { Crashes } from "./crashes.js";
import { attr, h, put, redraw } from "./dom.js";
import { plural, seconds } from "./format.js";
import { Inspector } from "./inspector.js";
import { Link } from "./link.js";
import { Overview } from "./overview.js";
import { dialog, pidLink } from "./parts.js";
import { Problems } from "./problems.js";
import { Processes } from "./processes.js";
import { address, announce, go, here, keepToken, onRoute, takeToken } from "./route.js";
import { Tree } from "./tree.js";

const SCREENS = { overview: Overview, processes: Processes, tree: Tree, problems: Problems, crashes: Crashes };
const RATES = [0.25, 0.5, 1, 2, 5];
const KEYS = [
  ["1 – 5", "a screen"], ["/", "filter"], ["j k ↓ ↑", "the next row, the one before"], ["Enter", "open a process"],
  ["← →", "fold, unfold"], ["Esc", "close"], ["p", "pause"], ["K R z", "kill, restart, suspend or resume, where it is allowed"], ["?", "this help"],
];

class App {
  constructor() {
    this.hello = null;
    this.screens = Object.fromEntries(Object.entries(SCREENS).map(([name, kind]) => [name, new kind(this)]));
    this.inspector = new Inspector(this);
    this.asked = new Set(); // subscriptions, to change their rate
    this.program = h("h1", {}, "observer");
    this.facts = h("p", { class: "program" });
    this.tabs = new Map(Object.keys(SCREENS).map((name) => [name, this.tab(name)]));
    this.state = h("span", { class: "connection", role: "status" }, "connecting");
    this.rate = h("select", { "aria-label": "seconds between two pictures", onchange: () => go({ every: this.rate.value }, { quiet: true }) },
      RATES.map((each) => h("option", { value: each }, `${each} s`)));
    this.pauseButton = h("button", { onclick: () => this.pause(), title: "pause (p)" }, "pause");
    [this.words, this.where, this.who] = [h("b"), h("code"), h("span")];
    this.stuck = h("div", { class: "stuck", role: "alert", hidden: true }, this.words, " ", this.where, " ", this.who);
    this.main = h("main", { tabindex: -1 });
    this.note = h("div", { class: "note", role: "status", hidden: true });
    document.body.append(
      h("header", { class: "top-bar" },
        h("img", { src: "/favicon.svg", alt: "", width: 30, height: 30 }), h("div", { class: "brand" }, this.program, this.facts),
        h("nav", { "aria-label": "screens" }, [...this.tabs.values()]),
        h("div", { class: "right" }, this.state, this.rate, this.pauseButton, h("button", { onclick: () => help(), title: "keys (?)", "aria-label": "help" }, "?"))),
      this.stuck, h("div", { class: "below" }, this.main, this.inspector.root), this.note);
  }

  tab(name) {
    const badge = h("span", { class: "badge", hidden: true });
    const link = h("a", { href: `#/${name}` }, name[0].toUpperCase() + name.slice(1), badge);
    link.badge = badge;
    return link;
  }

  begin(token) {
    this.link = new Link(token, { told: (...all) => this.told(...all), frame: (message) => this.frame(message) });
    this.ask({ ask: "overview" }, (result) => this.overview(result));
    this.ask({ ask: "crashes", since: 0 }, (result) => this.crashes(result));
    this.ask({ ask: "problems" }, ({ problems }) => this.problems(problems));
    onRoute((place) => this.show(place));
    document.addEventListener("keydown", (event) => this.key(event));
    announce();
    this.link.open();
  }

  // -- the connection ------------------------------------------------------------------------------

  ask(question, answer, failed) {
    const subscription = this.link.ask({ ...question, every: this.every() }, answer, failed);
    this.asked.add(subscription);
    return { change: subscription.change, stop: () => { subscription.stop(); this.asked.delete(subscription); } };
  }

  once(question, answer, failed) {
    this.link.ask(question, answer, failed);
  }

  every() {
    return Number(here().params.get("every")) || 1;
  }

  told(state, detail) {
    attr(document.body, "data-state", state);
    put(this.state, { live: "● live", lost: "○ connecting again…", refused: "○ refused" }[state]);
    if (state === "live") this.greet(detail);
    if (state === "lost") this.stuck.toggleAttribute("hidden", true);
    if (state === "refused") askToken(this.link);
  }

  greet(hello) {
    if (this.hello && this.hello.run !== hello.run) {
      this.say("The program was started again: pids are new.");
      this.screens.overview.forget();
      this.screens.crashes.forget();
      go({ pid: null }, { quiet: true });
    }
    this.hello = hello;
    document.title = `${hello.program} · observer`;
    put(this.program, hello.program);
    this.age();
    clearInterval(this.aging);
    this.aging = setInterval(() => this.age(), 1000);
  }

  age() {
    const { pid, python, trio, trio_otp: version, started } = this.hello;
    put(this.facts, `pid ${pid} · up ${seconds(Math.max(0, Date.now() / 1000 - started))} · Python ${python} · Trio ${trio} · trio_otp ${version}`);
  }

  frame({ loop }) {
    if (loop === undefined) return;
    this.stuck.toggleAttribute("hidden", !loop);
    if (!loop) return;
    put(this.words, `■ The loop has not answered for ${seconds(loop.stuck)}:`);
    put(this.where, loop.where);
    redraw(this.who, [loop.pid, loop.name], () => (loop.pid ? pidLink(loop.pid, loop.name ?? loop.pid) : null));
  }

  overview(result) {
    this.screens.overview.overview(result);
  }

  problems(problems) {
    this.badge("problems", problems.length);
    this.screens.problems.problems(problems);
  }

  crashes(result) {
    this.badge("crashes", result.count);
    this.screens.crashes.crashes(result);
  }

  badge(name, count) {
    const { badge } = this.tabs.get(name);
    badge.toggleAttribute("hidden", !count);
    put(badge, count);
  }

  // -- places --------------------------------------------------------------------------------------

  show({ screen, params }) {
    const name = screen in SCREENS ? screen : "overview";
    const next = this.screens[name];
    if (this.shown !== next) {
      this.shown?.leave();
      this.shown = next;
      this.main.replaceChildren(next.root);
      next.enter(params);
    }
    next.changed?.(params);
    this.inspector.changed(params);
    for (const [each, link] of this.tabs) {
      attr(link, "aria-current", each === name ? "page" : null);
      attr(link, "href", address({ filter: null, sort: null, desc: null }, each));
    }
    if (Number(this.rate.value) !== this.every()) {
      this.rate.value = String(this.every());
      for (const each of this.asked) each.change({ every: this.every() });
    }
  }

  pause() {
    const paused = (this.link.paused = !this.link.paused);
    this.link.look();
    put(this.pauseButton, paused ? "go on" : "pause");
    document.body.classList.toggle("paused", paused);
  }

  say(text) {
    put(this.note, text);
    this.note.toggleAttribute("hidden", false);
    clearTimeout(this.noted);
    this.noted = setTimeout(() => this.note.toggleAttribute("hidden", true), 6000);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      else if (this.inspector.pid) this.inspector.close();
      return;
    }
    if (typing) return;
    const does = this.does(event.key);
    if (does === undefined) return;
    event.preventDefault();
    does();
  }

  does(key) {
    const screen = Object.keys(SCREENS)[Number(key) - 1];
    if (screen !== undefined) return () => go({ filter: null, sort: null, desc: null }, { screen });
    const info = this.hello?.actions && this.inspector.pid ? this.inspector.info : null;
    return {
      "/": () => { go({}, { screen: "processes" }); this.screens.processes.filter.focus(); },
      p: () => this.pause(),
      "?": () => help(),
      j: () => this.step("ArrowDown"), k: () => this.step("ArrowUp"),
      K: info && (() => act(this, "kill", info)),
      R: info && (() => act(this, "restart", info)),
      z: info && (() => act(this, info.status === "suspended" ? "resume" : "suspend", info)),
    }[key] ?? undefined;
  }

  /** Bring the keys into the table or tree that is shown. */
  step() {
    this.main.querySelector("tbody tr[tabindex='0'], li[tabindex='0']")?.focus();
  }
}

function help() {
  const shown = dialog("help", "Keys", h("dl", { class: "keys" }, KEYS.flatMap(([key, what]) => [h("dt", {}, key), h("dd", {}, what)])),
    h("div", { class: "buttons" }, h("button", { onclick: () => shown.close() }, "close")));
}

function askToken(link) {
  if (document.querySelector("dialog.token")) return;
  const typed = h("input", { type: "text", autocomplete: "off", spellcheck: "false", onkeydown: (event) => event.key === "Enter" && use() });
  const asked = dialog("token", "This page needs its token",
    h("p", {}, "The program shows the whole address on its terminal; ", h("code", {}, "trio-otp url"), " prints it, too. Open that, or paste it here."),
    h("label", {}, "Address or token", typed), h("div", { class: "buttons" }, h("button", { class: "primary", onclick: () => use() }, "open")));

  function use() {
    link.token = new URLSearchParams(typed.value.split("#").pop().replace(/^\/?/, "")).get("token") ?? typed.value.trim();
    keepToken(link.token);
    asked.close();
    link.open();
  }
}

new App().begin(takeToken() ?? "");
