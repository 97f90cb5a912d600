// Everything that is known of one process, beside whatever screen is open, as long as it is chosen.

import { h, put, redraw } from "./dom.js";
import { number, plural, seconds } from "./format.js";
import { empty, linked, pidLink, setStatus, stackOf } from "./parts.js";
import { act } from "./actions.js";
import { go, here } from "./route.js";

// What has a place of its own; the rest is listed as it comes.
const PLACED = new Set(["pid", "name", "label", "behaviour", "status", "stack", "state", "messages", "message", "seconds", "history", "queue", "text"]);
const WORDS = {
  message_queue_len: "queued", child_id: "child id", monitored_by: "monitored by", waits_for: "waits for",
  trap_exit: "traps exits", os_pid: "os pid", summary: "strategy",
};
const ORDER = ["supervisor", "child_id", "restarts", "summary", "waits_for", "message_queue_len", "oldest", "unanswered", "handled", "rate", "parent", "ancestors", "callers", "links", "monitors", "monitored_by", "trap_exit", "started", "dictionary"];
const ACTIONS = { kill: "Kill…", restart: "Restart…", suspend: "Suspend…", resume: "Resume…" };

export class Inspector {
  constructor(app) {
    this.app = app;
    this.title = h("h2", { tabindex: -1 });
    this.state = h("span");
    this.kind = h("span", { class: "kind" });
    this.now = h("p", { class: "now-doing" });
    this.actions = h("div", { class: "actions", role: "group", "aria-label": "actions" });
    this.facts = h("dl", { class: "facts" });
    this.sections = {};
    this.root = h("aside", { class: "inspector", "aria-label": "process", hidden: true },
      h("header", {}, h("div", { class: "who" }, this.title, h("div", {}, this.state, this.kind)),
        h("button", { class: "close", "aria-label": "close", title: "close (Esc)", onclick: () => this.close() }, "✕")),
      this.actions, this.now,
      this.section("stack", "Stack", "Where its task waits, outermost first; own lines are bold."),
      this.section("state", "State", "As format_status and private let it be shown."),
      this.section("messages", "Messages", "Those that wait, the oldest first."),
      h("section", {}, h("h3", {}, "Facts"), this.facts),
      this.section("history", "Ends of children", "The last ones, with their reasons."));
  }

  section(key, title, hint) {
    const body = h("div", { class: `body-${key}`, tabindex: key === "stack" ? 0 : null, role: key === "stack" ? "region" : null, "aria-label": key === "stack" ? "stack" : null });
    this.sections[key] = body;
    return h("section", { title: hint, class: `s-${key}` }, h("h3", {}, title), body);
  }

  changed(params) {
    const pid = params.get("pid");
    if (pid === (this.pid ?? null)) return;
    this.subscription?.stop();
    this.subscription = null;
    this.pid = pid;
    this.root.toggleAttribute("hidden", !pid);
    document.body.classList.toggle("inspecting", Boolean(pid));
    if (!pid) return;
    this.info = null;
    this.root.classList.remove("gone");
    put(this.title, pid);
    this.subscription = this.app.ask({ ask: "info", ref: /^\d+$/.test(pid) ? Number(pid) : pid },
      (result) => this.show(result.info), (error) => this.failed(error));
  }

  close() {
    const pid = this.pid;
    go({ pid: null });
    document.querySelector(`[data-pid="${CSS.escape(pid)}"]`)?.focus({ preventScroll: true });
  }

  focus() {
    this.title.focus({ preventScroll: true });
  }

  failed(error) {
    this.root.classList.add("gone");
    setStatus(this.state, "dead");
    if (this.info === null) put(this.now, error.text);
    else put(this.now, `It has ended. ${error.text}`);
  }

  show(info) {
    this.info = info;
    this.root.classList.toggle("gone", Boolean(info.ended));
    put(this.title, info.name ?? info.label);
    setStatus(this.state, info.ended ? "dead" : info.status);
    put(this.kind, [info.behaviour, `pid ${info.pid?.pid ?? info.pid}`].filter(Boolean).join(" · "));
    put(this.now, info.ended ?? doing(info));
    this.offer(info);
    this.fill("stack", info.stack, stackOf, "No stack: it has no task, or it runs right now.");
    this.fill("state", info.state, (state) => h("pre", {}, text(state)), "No server has a state here.");
    this.fill("messages", info.messages, (messages) => h("ol", { class: "messages" }, messages.map((each) => h("li", {}, message(each)))), "None.");
    this.fill("history", info.history, (history) => h("ol", { class: "history" }, history.map((each) => h("li", {}, end(each)))), null);
    const facts = listed(info);
    redraw(this.facts, facts, () => facts.flatMap(([key, value]) => [h("dt", {}, WORDS[key] ?? key.replaceAll("_", " ")), h("dd", {}, shown(key, value))]));
  }

  fill(key, value, make, none) {
    const missing = value === null || value === undefined || value.length === 0;
    const body = this.sections[key];
    body.parentElement.toggleAttribute("hidden", missing && none === null);
    redraw(body, value ?? null, () => (missing ? (none === null ? null : empty(none)) : make(value)));
  }

  offer(info) {
    const allowed = this.app.hello?.actions && !info.ended ? Object.entries(ACTIONS) : [];
    redraw(this.actions, allowed.map(([key]) => key), () => allowed.map(([key, title]) =>
      h("button", { "data-key": key, class: key === "kill" ? "danger" : null, onclick: () => act(this.app, key, this.info) }, title)));
  }
}

function doing(info) {
  if (!info.message) return "";
  return `in hand for ${seconds(info.seconds ?? 0)}: ${text(info.message)}`;
}

function listed(info) {
  const keys = [...ORDER, ...Object.keys(info).filter((key) => !ORDER.includes(key) && !PLACED.has(key))];
  return keys.filter((key) => !nothing(info[key])).map((key) => [key, info[key]]);
}

function nothing(value) {
  return value === null || value === undefined || value === "" || value === false || (Array.isArray(value) && value.length === 0);
}

function shown(key, value) {
  if (Array.isArray(value)) return value.flatMap((each, at) => [at ? ", " : "", ...[shown(key, each)].flat()]);
  if (value !== null && typeof value === "object") {
    if (value.pid !== undefined) return pidLink(value.pid, value.text ?? value.shown ?? value.name ?? value.pid);
    return JSON.stringify(value);
  }
  if (value === true) return "yes";
  if (key === "oldest" || key === "seconds" || key === "age") return seconds(value);
  if (typeof value === "number") return ["os_pid", "thread"].includes(key) ? String(value) : key === "rate" ? `${number(value)}/s` : number(value);
  return linked(text(value));
}

function text(value) {
  return typeof value === "string" ? value : value?.text ?? JSON.stringify(value, null, 1);
}

function message(each) {
  if (typeof each === "string") return linked(each);
  return [h("span", { class: "kind" }, [each.kind, each.age === undefined || each.age === null ? null : seconds(each.age)].filter(Boolean).join(" · ")), " ", linked(text(each))];
}

function end(each) {
  if (!Array.isArray(each)) return [h("b", {}, each.child_id ?? each.child ?? ""), " ", each.ago === undefined ? "" : `${seconds(each.ago)} ago `, linked(each.reason ?? text(each))];
  return each.flatMap((part) => [" ", String(part)]);
}
