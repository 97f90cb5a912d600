// The place in the page is the part of the address behind #, so it can be kept, shared, and gone back
// from: #/processes?sort=queue&desc=1&filter=q%3E10&pid=... . A token there is taken out at once.

const TOKEN = "trio-otp-token";
const listeners = [];

/** Take the token out of the address and return it; it is kept for this tab alone. */
export function takeToken() {
  const found = new URLSearchParams(location.hash.replace(/^#\/?/, "")).get("token");
  if (found) {
    keepToken(found);
    history.replaceState(null, "", `${location.pathname}#/`);
  }
  return sessionStorage.getItem(TOKEN);
}

export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

/** Where the page is: {screen, and the parameters as a Map}. */
export function here() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { screen: path || "overview", params: new URLSearchParams(query ?? "") };
}

/** The address of another place: what is not named stays as it is, null takes a parameter away. */
export function address(changes, screen = here().screen) {
  const { params } = here();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "" || value === undefined) params.delete(name);
    else params.set(name, value);
  }
  const query = params.toString();
  return `#/${screen}${query ? `?${query}` : ""}`;
}

/** Go there. `quiet`: without an entry in the history of the browser. */
export function go(changes, { screen, quiet = false } = {}) {
  const target = address(changes, screen);
  if (target === location.hash) return;
  history[quiet ? "replaceState" : "pushState"](null, "", target);
  announce();
}

export function onRoute(listener) {
  listeners.push(listener);
}

export function announce() {
  const place = here();
  listeners.forEach((each) => each(place));
}

addEventListener("hashchange", announce);
addEventListener("popstate", announce);
