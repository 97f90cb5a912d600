"""A load generator in a process of its own: python pump.py PORT CLIENTS SECONDS COMMAND...

Each client sends the command, waits for the reply and sends it again; `%d` in the command is a
number below 100,000 that changes each time. It prints, as JSON, how many replies came per second,
and the latency in milliseconds that 50 and 99 of a hundred stayed below.

It uses no Trio and as little Python as it can, so that it measures the server and not itself.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from itertools import count

NUMBERS = 100_000


def pump(port: int, clients: int, seconds: float, command: list[str]) -> list[float]:
    """Return the latencies, in seconds, of all commands."""
    numbers = count()
    latencies: list[float] = []
    sent: dict[socket.socket, float] = {}
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            client = socket.create_connection(("127.0.0.1", port))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, selectors.EVENT_READ)
            sent[client] = time.perf_counter()
            client.send(_encode(command, next(numbers)))
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for key, _ in selector.select(0.1):
                client = key.fileobj  # type: ignore[assignment]
                reply = client.recv(4096)
                if not reply or reply.startswith(b"-"):
                    raise SystemExit(f"the server replied {reply!r}")
                latencies.append(time.perf_counter() - sent[client])
                sent[client] = time.perf_counter()
                client.send(_encode(command, next(numbers)))
        for client in sent:
            client.close()
    return latencies


def _encode(command: list[str], number: int) -> bytes:
    number = number * 7919 % NUMBERS
    words = [word.replace("%d", str(number)).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


def main() -> None:
    """Run as the command line says."""
    port, clients, seconds, *command = sys.argv[1:]
    began = time.perf_counter()
    latencies = sorted(pump(int(port), int(clients), float(seconds), command))
    rate = len(latencies) / (time.perf_counter() - began)
    p50, p99 = (1000 * latencies[int(len(latencies) * part)] for part in (0.5, 0.99))
    sys.stdout.write(json.dumps({"rate": rate, "p50": p50, "p99": p99}))


if __name__ == "__main__":
    main()
