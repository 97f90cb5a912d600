"""The side of the benchmarks: start the processes of peers, tell them what to do, end them."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..lanes import Kind, Lane, LaneFailed, Race
from ..measure import Sample
from . import ELIXIR, PEERS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import TracebackType
    from typing import IO, Self

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("beam.exs")


class Worker:
    """The process of one peer."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        self.reason = ""  # why it takes no part
        self.races: frozenset[str] = frozenset()

    def meet(self) -> None:
        """Let it say which races it knows, or why it takes no part."""
        try:
            self.races = frozenset(self._read())
        except LaneFailed as exc:
            self.reason = str(exc)

    def run(self, race: str, n: int) -> Sample:
        """Let it do one round.

        Raises:
            LaneFailed: it could not, or is gone.
        """
        try:
            print(race, n, file=self._pipe(self._process.stdin), flush=True)
        except OSError as exc:
            raise LaneFailed(f"its process is gone: {exc}") from exc
        amount, count = self._read()
        return Sample(float(amount), int(count))

    def _read(self) -> list[str]:
        verdict, _, rest = self._pipe(self._process.stdout).readline().strip().partition(" ")
        if verdict not in ("ok", "ready"):
            raise LaneFailed(rest or "its process has ended without a word")
        return rest.split()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    def close(self) -> None:
        """Let the process end: its input is over."""
        self._process.communicate()


class Company:
    """All peers that were asked for; use it in a `with`."""

    def __init__(self, names: Collection[str] = (), known: Mapping[str, str] | None = None) -> None:
        self._names = names
        self.missing: dict[str, str] = dict(known or {})  # {name: why}
        self._workers: list[Worker] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for peer in PEERS:
            command = [sys.executable, "-m", "tests.benchmarks.peers.worker", peer.module]
            self._invite(peer.name, command)
        if shutil.which(ELIXIR):
            self._invite(ELIXIR, [ELIXIR, str(SCRIPT)])
        elif not self._names or ELIXIR in self._names:
            self.missing.setdefault(ELIXIR, "it is not on the PATH")
        for worker in self._workers:
            self._meet(worker)
        return self

    def _invite(self, name: str, command: Sequence[str]) -> None:
        if name in self.missing or (self._names and name not in self._names):
            return
        worker = Worker(name, command)
        self._stack.callback(worker.close)
        self._workers.append(worker)

    def _meet(self, worker: Worker) -> None:
        worker.meet()
        if worker.reason:
            self.missing[worker.name] = worker.reason

    def lanes(self, race: Race) -> list[Lane]:
        """Return a lane of each peer that knows this race."""
        return [
            Lane(Kind.PEER, worker.name, worker.name, functools.partial(worker.run, race.name))
            for worker in self._workers
            if race.name in worker.races
        ]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()
