// What several screens show in the same way.

import { attr, h, put } from "./dom.js";
import { named, sign } from "./format.js";
import { address, go } from "./route.js";

/** A link to a process. It chooses it on the press of the mouse: what is drawn may move meanwhile. */
export function pidLink(pid, text = pid) {
  if (pid === null || pid === undefined) return h("span", { class: "none" }, named(text ?? "–"));
  const link = h("a", { class: "pid", href: address({ pid }), "data-key": `pid ${pid}` }, named(text));
  const choose = (event) => {
    if (event.metaKey || event.ctrlKey || event.button) return; // another tab
    if (event.type === "click") event.preventDefault();
    if (event.pointerType !== "touch" || event.type === "click") go({ pid });
  };
  link.addEventListener("pointerdown", choose);
  link.addEventListener("click", choose);
  return link;
}

/** A status: a sign, a word, a colour. */
export function statusOf(status) {
  return setStatus(h("span", {}), status);
}

export function setStatus(node, status) {
  attr(node, "class", `status is-${String(status).replace(/[^a-z]/g, "")}`);
  put(node, `${sign(status)} ${status}`);
  return node;
}

/** The text of a stack: the lines of the program itself in bold, those of libraries dim. */
export function stackOf(lines) {
  return h("ol", { class: "stack" }, lines.map((line) => {
    const text = line.own ? h("b", {}, line.text) : line.text.replace(/^.*?([^\\/]+[\\/][^\\/]+)$/, "… $1");
    return h("li", { class: line.own ? "own" : "theirs", title: line.text }, text);
  }));
}

/** A text in which each pid is a link. */
export function linked(text) {
  return String(text).split(/(<Pid \d+[^>]*>)/).map((part) => {
    const found = /^<Pid (\d+)/.exec(part);
    return found ? pidLink(found[1], part) : part;
  });
}

/** Open a dialog; where the focus was it is again in the end. */
export function dialog(kind, title, ...children) {
  const before = document.activeElement;
  const node = h("dialog", { class: kind, onclose: () => { node.remove(); before?.focus?.(); } }, h("h2", {}, title), children);
  document.body.append(node);
  node.showModal();
  return node;
}

export function empty(text) {
  return h("p", { class: "empty" }, text);
}

export function panel(title, ...children) {
  return h("section", { class: "panel" }, h("h2", {}, title), children);
}
