"""Random applications that depend on each other, against a model of what has to happen."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import trio
import trio.testing
from application_kit import Traced, empty_log, log, running
from depth import few
from hypothesis import given, settings
from hypothesis import strategies as st
from inside import open_block

import trio_otp as otp

__all__ = ["empty_log"]
NUMBERS = st.integers(0, 4)
# (what to do, to which application)
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["start", "ensure", "ensure_all", "stop", "crash"]), NUMBERS),
    max_size=12,
)
# for each application which of those before it it depends on, and whether its start fails
FAILS = st.sampled_from([False, False, False, True])
GRAPHS = st.lists(st.tuples(st.sets(NUMBERS), FAILS), min_size=5, max_size=5)


@dataclass
class Model:
    """What should be running, in start order, and the callbacks that should have been called."""

    needs: dict[str, list[str]]
    failing: set[str]
    up: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)

    def start(self, name: str) -> str:
        """Start one; give the name of the error, or nothing."""
        if name in self.up:
            return "AlreadyStarted"
        if not set(self.needs[name]) <= set(self.up):
            return "ApplicationNotStarted"
        self.calls.append(("start", name))
        if name in self.failing:
            return "ApplicationStartError"
        self.up.append(name)
        return ""

    def ensure(self, name: str) -> str:
        error = self.start(name)
        return "" if error == "AlreadyStarted" else error

    def ensure_all(self, name: str) -> str:
        before = list(self.up)
        for each in self.closure(name):
            if each not in self.up and (error := self.start(each)):
                for started in reversed(self.up[len(before) :]):
                    self.stop(started)
                return error
        return ""

    def closure(self, name: str) -> list[str]:
        ordered: dict[str, None] = {}
        for needed in self.needs[name]:
            ordered.update(dict.fromkeys(self.closure(needed)))
        ordered[name] = None
        return list(ordered)

    def stop(self, name: str) -> str:
        if name not in self.up:
            return "ApplicationNotStarted"
        self.up.remove(name)
        self.calls += [("prep_stop", name), ("stop", name)]
        return ""

    def crash(self, name: str) -> str:
        self.stop(name)
        return ""

    def leave(self) -> None:
        while self.up:
            self.stop(self.up[-1])


async def crash(application: type[otp.Application]) -> None:
    if application.name in running():
        otp.cast(f"{application.name}1", RuntimeError("boom"))
    await trio.testing.wait_all_tasks_blocked()


DO: dict[str, Any] = {
    "start": otp.application.start,
    "ensure": otp.application.ensure_started,
    "ensure_all": otp.application.ensure_all_started,
    "stop": otp.application.stop,
    "crash": crash,
}


async def attempt(operation: str, application: type[otp.Application]) -> str:
    try:
        await DO[operation](application)
    except otp.OtpError as exc:
        return type(exc).__name__
    return ""


def make(graph: list[tuple[set[int], bool]]) -> tuple[list[type[otp.Application]], Model]:
    """Make applications, and the model of them."""
    made: list[type[otp.Application]] = []
    for number, (needs, fails) in enumerate(graph):

        class Made(Traced):
            name = f"app{number}"
            dependencies = tuple(made[i] for i in sorted(needs) if i < number)
            flags = {"max_restarts": 0}  # noqa: RUF012
            broken = fails

            def start(self) -> Any:
                spec = super().start()
                if self.broken:
                    raise LookupError("broken")
                return spec

        made.append(Made)
    needs = {each.name: [needed.name for needed in each.dependencies] for each in made}
    return made, Model(needs, {f"app{i}" for i, (_, fails) in enumerate(graph) if fails})


def calls() -> list[tuple[str, str]]:
    return [entry[:2] for entry in log if entry[0] in {"start", "prep_stop", "stop"}]


@settings(max_examples=few(40))
@given(GRAPHS, OPERATIONS)
def test_any_order_of_operations(
    graph: list[tuple[set[int], bool]], operations: list[tuple[str, int]]
) -> None:
    """Whatever is asked for in whatever order: same errors, same applications, same callbacks."""
    made, model = make(graph)

    async def program() -> None:
        async with open_block():
            for operation, number in operations:
                application = made[number]
                expected = getattr(model, operation)(application.name)
                assert expected == await attempt(operation, application)
                assert model.up == running()
        model.leave()

    log.clear()
    logging.disable(logging.CRITICAL)
    try:
        trio.run(program)
    finally:
        logging.disable(logging.NOTSET)
    assert model.calls == calls()
