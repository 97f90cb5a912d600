// Everything that is known of one process, beside whatever screen is open, as long as it is chosen.

import { h, put, redraw } from "./dom.js";
import { named, number, seconds } from "./format.js";
import { empty, linked, pidLink, setStatus, stackOf } from "./parts.js";
import { act } from "./actions.js";
import { go, here } from "./route.js";

const WORDS = {
  message_queue_len: "queued", child_id: "child id", monitored_by: "monitored by", waits_for: "waits for",
  trap_exit: "traps exits", os_pid: "os pid", summary: "strategy",
};
const FACTS = [
  "supervisor", "child_id", "restart", "restarts", "summary", "budget", "waits_for", "message_queue_len", "mailbox", "unanswered", "handled",
  "parent", "ancestors", "callers", "links", "monitors", "monitored_by", "trap_exit", "started", "dictionary", "os_pid", "thread",
];
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
      this.section("stack", "Stack", "Outermost first; own lines are bold."),
      this.section("state", "State", "As format_status and private let it be shown."),
      this.section("messages", "Messages", "Those that wait, the oldest first."),
      this.section("callers", "Who waits for it", "Calls that it has not answered."),
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
    setStatus(this.state, "asked");
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
    if (this.root.classList.contains("gone")) return; // the first error says why it has ended
    this.root.classList.add("gone");
    setStatus(this.state, "dead");
    put(this.now, error.text);
    redraw(this.actions, [], () => []);
  }

  show(info) {
    this.info = info;
    this.root.classList.remove("gone");
    put(this.title, named(info.name));
    setStatus(this.state, info.status);
    put(this.kind, [info.behaviour, `pid ${info.pid}`, info.label === named(info.name) ? null : info.label].filter(Boolean).join(" · "));
    put(this.now, doing(info));
    this.offer(info);
    this.fill("stack", info.stack, stackOf, "It has none, or runs right now.");
    this.fill("state", info.state && [info.state, info.stale?.replace(/\d+ s$/, "")], () => state(info), info.stale ?? "It has none that it tells.");
    this.fill("messages", info.messages, (messages) => h("ol", { class: "messages" }, messages.map((each) => h("li", {}, message(each)))), "None.");
    this.fill("callers", info.waiting_for_it?.map(({ seconds: _, ...each }) => each), () => h("ol", { class: "messages" }, info.waiting_for_it.map((each) => h("li", {}, pidLink(each.pid, each.name), " ", each.request))), null);
    this.fill("history", info.history, (history) => h("ol", { class: "history" }, history.map((each) => h("li", {}, end(each)))), null);
    const facts = FACTS.filter((key) => !nothing(info[key])).map((key) => [key, info[key]]);
    redraw(this.facts, facts, () => facts.flatMap(([key, value]) => [h("dt", {}, WORDS[key] ?? key.replaceAll("_", " ")), h("dd", {}, shown(key, value))]));
  }

  fill(key, value, make, none) {
    const missing = value === null || value === undefined || value.length === 0;
    const body = this.sections[key];
    body.parentElement.toggleAttribute("hidden", missing && none === null);
    redraw(body, value ?? null, () => (missing ? (none === null ? null : empty(none)) : make(value)));
  }

  offer(info) {
    const allowed = this.app.hello?.actions ? Object.entries(ACTIONS) : [];
    redraw(this.actions, allowed.map(([key]) => key), () => allowed.map(([key, title]) =>
      h("button", { "data-key": key, class: key === "kill" ? "danger" : null, onclick: () => act(this.app, key, this.info) }, title)));
  }
}

function doing(info) {
  if (!info.message) return "";
  return `in hand for ${seconds(info.seconds ?? 0)}: ${info.message}${info.client ? `, from ${info.client}` : ""}`;
}

function nothing(value) {
  return value === null || value === undefined || value === "" || value === false || (Array.isArray(value) && value.length === 0);
}

function shown(key, value) {
  if (Array.isArray(value)) return value.flatMap((each, at) => [at ? ", " : "", ...[shown(key, each)].flat()]);
  if (value !== null && typeof value === "object") {
    if (key === "budget") return `${value.used}/${value.limit ?? "∞"} in ${seconds(value.seconds)}`;
    return value.dead ? h("span", { class: "gone" }, value.name) : pidLink(value.pid, value.name);
  }
  if (value === true) return "yes";
  if (typeof value === "number") return ["os_pid", "thread"].includes(key) ? String(value) : number(value);
  return linked(key === "child_id" ? named(value) : value);
}

/** The state, as one text, or attribute by attribute. */
function state({ state: { text, items }, stale: why }) {
  const stale = why?.endsWith("busy 0 s") ? null : why;
  const listed = items && h("dl", { class: "facts items" }, items.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, linked(value))]));
  return [stale ? h("p", { class: "stale" }, stale) : null, listed || h("pre", {}, linked(text))];
}

function message(each) {
  const from = each.from ? [" from ", ...linked(each.from)] : [];
  return [linked(each.text ?? ""), h("span", { class: "kind" }, from, each.seconds === null ? "" : ` ${seconds(each.seconds)}`)];
}

function end(each) {
  return [h("b", {}, named(each.id)), " ", linked(each.reason), h("span", { class: "kind" }, ` ${seconds(each.ago)} ago`)];
}
