// The connection to the program: questions by number, answers to whoever asked, and again after a
// connection was lost. Nothing is asked while nobody looks at the tab.

const AGAIN = [250, 500, 1000, 2000, 5000]; // milliseconds before another try
const WRONG_TOKEN = 4401;

export class Link {
  /** `told(state, detail)`: "live", "lost", "refused"; `frame(message)`: each that comes. */
  constructor(token, { told, frame }) {
    this.token = token;
    this.told = told;
    this.frame = frame;
    this.asked = new Map(); // id -> {question, answer}
    this.last = 0;
    this.tries = 0;
    this.hello = null;
    this.rests = true;
    this.paused = false;
    document.addEventListener("visibilitychange", () => this.look());
  }

  open() {
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = (this.socket = new WebSocket(`${scheme}://${location.host}/socket`));
    socket.onopen = () => socket.send(JSON.stringify({ token: this.token }));
    socket.onmessage = ({ data }) => this.heard(JSON.parse(data));
    socket.onclose = ({ code, reason }) => socket === this.socket && this.closed(code, reason);
  }

  heard(message) {
    if (message.hello) {
      this.tries = 0;
      this.hello = message.hello;
      this.told("live", message.hello);
      this.rests = true; // nothing has been asked of this connection
      this.look();
      return;
    }
    this.frame(message);
    const asked = this.asked.get(message.id);
    if (asked === undefined) return;
    if (!asked.question.every) this.asked.delete(message.id);
    if (message.error) asked.failed?.(message.error);
    else asked.answer(message.result, message);
  }

  closed(code, reason) {
    this.hello = null;
    if (code === WRONG_TOKEN) return this.told("refused", reason);
    this.told("lost", reason);
    this.timer = setTimeout(() => this.open(), AGAIN[Math.min(this.tries++, AGAIN.length - 1)]);
  }

  send(message) {
    if (this.hello && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Ask once, or again and again with `every`; return {change(question), stop()}. */
  ask(question, answer, failed) {
    const id = ++this.last;
    this.asked.set(id, { question, answer, failed });
    if (!this.rests || !question.every) this.send({ id, ...question });
    return {
      change: (changes) => {
        const asked = this.asked.get(id);
        if (asked === undefined) return;
        Object.assign(asked.question, changes);
        if (!this.rests) this.send({ id, ...asked.question });
      },
      stop: () => this.asked.delete(id) && this.send({ id, ask: "stop" }),
    };
  }

  /** Let the program rest while the tab is hidden or paused. */
  look() {
    const rests = document.hidden || this.paused;
    if (rests === this.rests) return;
    this.rests = rests;
    for (const [id, { question }] of this.asked) {
      if (question.every) this.send(rests ? { id, ask: "stop" } : { id, ...question });
    }
  }
}
