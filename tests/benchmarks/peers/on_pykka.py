"""pykka: a thread for each actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pykka

from ..measure import Sample, Watch, traced

if TYPE_CHECKING:
    from collections.abc import Callable


class Server(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def on_receive(self, message: Any) -> int:
        if message is None:
            return self.total
        if message < 0:
            self.total -= message
        return message + 1


def _served(work: Callable[[int, Any], Sample]) -> Callable[[int], Sample]:
    def run(n: int) -> Sample:
        try:
            return work(n, Server.start())
        finally:
            pykka.ActorRegistry.stop_all()

    return run


def call(n: int, ref: Any) -> Sample:
    answer = 0
    watch = Watch()
    for i in range(n):
        answer = ref.ask(i, timeout=5)
    return watch.sample(answer)


def cast(n: int, ref: Any) -> Sample:
    watch = Watch()
    for _ in range(n):
        ref.tell(-1)
    return watch.sample(ref.ask(None))


def start(n: int, _: Any) -> Sample:
    watch = Watch()
    refs = [Server.start() for _ in range(n)]
    return watch.sample(len(refs))


def stop(n: int, _: Any) -> Sample:
    stopped = 0
    watch = Watch()
    for _ in range(n):
        stopped += Server.start().stop()
    return watch.sample(stopped)


def memory(n: int, _: Any) -> Sample:
    with traced() as memory:
        refs = [Server.start() for _ in range(n)]
        for ref in refs:
            ref.ask(None)
        memory.weigh()
    return Sample(memory.bytes, len(refs))


WORK = {"call": call, "cast": cast, "start": start, "stop": stop, "memory": memory}
LANES = {race: _served(work) for race, work in WORK.items()}
