// Numbers and times as people read them.

/** Three digits and a unit: 1784 -> "1,784", 45300 -> "45.3k". */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  const size = Math.abs(value);
  if (size >= 1e9) return `${digits(value / 1e9)}G`;
  if (size >= 1e6) return `${digits(value / 1e6)}M`;
  if (size >= 1e4) return `${digits(value / 1e3)}k`;
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en");
  return digits(value);
}

function digits(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 9.95 ? 1 : size >= 0.095 ? 1 : 2).replace(/\.0+$/, "");
}

/** A time in seconds: "12 ms", "3.4 s", "2 min", "5 h 3 min", "2 d 4 h". */
export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 0.0995) return value < 0.0005 ? "0 ms" : `${(value * 1000).toFixed(value < 0.0095 ? 1 : 0)} ms`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min`;
  if (value < 86400) return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
  return `${Math.floor(value / 86400)} d ${Math.floor((value % 86400) / 3600)} h`;
}

/** The time of day of seconds since the epoch. */
export function clock(epoch) {
  return epoch ? new Date(epoch * 1000).toLocaleTimeString("en-GB") : "";
}

/** A name as people write it: without the quotes of a text of Python. */
export function named(name) {
  const text = String(name ?? "");
  const quoted = /^(['"])((?:(?!\1)[^\\])*)\1$/.exec(text);
  return quoted ? quoted[2] : text;
}

export function plural(count, word) {
  return `${number(count)} ${word}${count === 1 ? "" : word.endsWith("s") ? "es" : "s"}`;
}

// A status is a sign, a word and a colour, so that none has to be told from the colour.
const SIGNS = {
  starting: "↻", idle: "●", handling: "▶", waiting: "◷", running: "▷", suspended: "‖", exiting: "○",
  dead: "○", stuck: "■", restarting: "↻",
};

export function sign(status) {
  return SIGNS[status] ?? "·";
}
