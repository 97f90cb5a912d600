"""A model server that Elixir calls as one of its own GenServers.

    python -m examples.cluster.model_server model@127.0.0.1 ~/.erlang.cookie
    elixir --name shop@127.0.0.1 examples/cluster/shop.exs model@127.0.0.1

The model is a handful of words with weights; one that takes longer belongs into a thread, or on all
cores, as in `all_cores.py`. A crash loses the calls in hand, which Elixir sees as the exit of any
GenServer, and the supervisor starts the server anew under its name.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import trio

import trio_otp as otp
from trio_otp.cluster import Atom as A  # noqa: N817 - one letter, as `:` there

WEIGHTS = {"money": 2.0, "winner": 1.5, "free": 1.0, "meeting": -2.0, "invoice": -0.5}


class Model(otp.GenServer):
    """Says whether a text is spam."""

    def __init__(self, weights: dict[str, float]) -> None:
        self.weights = weights

    @otp.on_call
    def predict(self, text: str) -> dict[Any, Any]:
        """Return `%{label: :spam | :ham, score: float}`; the binary of Elixir comes as a str."""
        total = sum(self.weights.get(word, 0.0) for word in text.lower().split())
        score = 1 / (1 + math.exp(-total))
        label = "spam" if score > 0.5 else "ham"
        return {A("label"): A(label), A("score"): score}

    @otp.on_call
    def train(self, word: str, weight: float) -> None:
        """Give a word a weight."""
        self.weights[word] = weight


async def main(name: str, cookie_file: str) -> None:
    """Serve until Ctrl-C."""
    model = otp.child(Model, dict(WEIGHTS)).having(name="model", restart="permanent")
    async with (
        otp.cluster.open_node(name, cookie_file=cookie_file),
        otp.open_supervisor([model]) as sup,
    ):
        print(f"{name} serves", flush=True)
        await sup.wait()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
