// What changes the program: each is confirmed by typing the name of the process it is done to.

import { h, put } from "./dom.js";
import { named } from "./format.js";
import { dialog } from "./parts.js";

const WHAT = {
  kill: "Ends the process at once. Its supervisor may start it again.",
  restart: "Its supervisor ends this child and starts it again.",
  suspend: "The server takes no more messages until it is resumed. What is sent to it waits.",
  resume: "The server goes on with the messages that have waited.",
};

/** Ask for the name, then do it. */
export function act(app, action, info) {
  const name = named(info.name);
  const ref = info.pid;
  const typed = h("input", { type: "text", "aria-label": `type ${name} to confirm`, autocomplete: "off", spellcheck: "false" });
  const said = h("p", { class: "wrong", role: "alert" });
  const does = h("button", { class: action === "kill" ? "danger" : "primary", disabled: true, onclick: () => carryOut() }, action);
  const asked = dialog("confirm", `${action} ${name}?`, h("p", {}, WHAT[action]),
    h("label", {}, "Type ", h("code", {}, name), " to confirm", typed), said,
    h("div", { class: "buttons" }, h("button", { onclick: () => asked.close() }, "cancel"), does));
  typed.addEventListener("input", () => (does.disabled = typed.value !== name));
  typed.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && !does.disabled) carryOut();
    if (event.key === "Escape") asked.close();
  });
  typed.focus();

  function carryOut() {
    does.disabled = true;
    app.once({ ask: "act", action, ref, confirm: typed.value },
      (result) => { asked.close(); app.say(result?.text ?? `${action} ${name}: done`); },
      (error) => { put(said, error.text); does.disabled = false; });
  }
}
