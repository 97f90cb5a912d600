// Elements, made and kept up to date. Whatever comes from the program becomes a text node: nothing in
// this page makes markup of a string.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: h("td", {class: "num", onclick: f}, "text", other). */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((each) => each !== null && each !== undefined));
  return node;
}

/** Show a text in a node that has no other children; what the user has selected stays as it is. */
export function put(node, text) {
  const shown = text === null || text === undefined ? "" : String(text);
  const there = node.firstChild;
  if (there === null) {
    if (shown !== "") node.append(shown);
  } else if (there.data !== shown && !isSelected(node)) {
    there.data = shown;
  }
}

/** Set an attribute if it is another one. */
export function attr(node, name, value) {
  if (value === null || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

let selects = false; // to ask for the selection takes long, as it has the page laid out
document.addEventListener("selectionchange", () => (selects = !getSelection().isCollapsed));

/** Whether the user has selected text in a node. */
export function isSelected(node) {
  return selects && getSelection().containsNode(node, true);
}

/** Replace the children of a node, unless what they show is the same as last time, or selected. */
export function redraw(node, shown, make) {
  const key = JSON.stringify(shown);
  if (node.shownAs === key || isSelected(node)) return;
  node.shownAs = key;
  const focused = node.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  node.replaceChildren(...[make()].flat().filter(Boolean));
  if (focused) node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** Children by key: nodes are kept, moved when their place is another one, made and removed. */
export class Keyed {
  constructor(parent, make) {
    this.parent = parent;
    this.make = make;
    this.nodes = new Map();
  }

  /** Show these keys in this order, behind the node `first`. */
  order(keys, first = null) {
    const focused = this.parent.contains(document.activeElement) ? document.activeElement : null;
    const wanted = new Set(keys);
    for (const [key, node] of this.nodes) {
      if (!wanted.has(key)) {
        node.remove();
        this.nodes.delete(key);
      }
    }
    let next = first === null ? this.parent.firstChild : first.nextSibling;
    for (const key of keys) {
      let node = this.nodes.get(key);
      if (node === undefined) this.nodes.set(key, (node = this.make(key)));
      if (node === next) next = next.nextSibling;
      else this.parent.insertBefore(node, next);
    }
    if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  }
}
