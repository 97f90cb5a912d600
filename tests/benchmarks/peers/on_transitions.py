"""transitions: a state machine without process; an event is a method call."""

from __future__ import annotations

from transitions import Machine

from ..measure import Sample, Watch


class Turnstile:
    def __init__(self) -> None:
        self.entered = 0

    def count(self) -> None:
        self.entered += 1


def make(machine: type[Machine]) -> Turnstile:
    model = Turnstile()
    machine(
        model,
        states=["locked", "unlocked"],
        initial="locked",
        transitions=[
            {"trigger": "go", "source": "locked", "dest": "unlocked", "after": "count"},
            {"trigger": "go", "source": "unlocked", "dest": "locked", "after": "count"},
        ],
        auto_transitions=False,
    )
    return model


def events(n: int) -> Sample:
    model = make(Machine)
    go = model.go
    watch = Watch()
    for _ in range(n):
        go()
    return watch.sample(model.entered)


LANES = {"statem": events}
