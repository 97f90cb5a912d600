"""A model of gen_statem's rules, to compare the engine and the process with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import trio_otp as otp

CAST = otp.Event.CAST
STATE, EVENT = otp.Event.STATE_TIMEOUT, otp.Event.EVENT_TIMEOUT


@dataclass
class Model:
    """What the rules say, written down with lists and without a thought for speed."""

    state: str = "a"
    waiting: list[Any] = field(default_factory=list[Any])  # inserted and retried, in order
    postponed: list[Any] = field(default_factory=list[Any])
    zero: list[Any] = field(default_factory=list[Any])  # (which, content)
    running: dict[Any, Any] = field(default_factory=dict[Any, Any])  # {which: content}

    def next_event(self) -> Any:
        if self.waiting:
            return self.waiting.pop(0)
        return self.zero.pop(0) if self.zero else None

    def done(self, event: Any, result: Any) -> None:
        actions = result.actions
        new = result.state if isinstance(result, otp.NextState) else self.state
        postponed = [a.on for a in actions if isinstance(a, otp.Postpone)]
        if postponed and postponed[-1]:
            self.postponed.append(event)
        if new != self.state:
            self.waiting = self.postponed + self.waiting
            self.postponed = []
            self.stop(STATE)
        self.state = new
        self.stop(EVENT)
        timed = [a for a in actions if hasattr(a, "which")]
        for number, action in enumerate(timed):
            if action.which not in [later.which for later in timed[number + 1 :]]:
                self.time(action)
        inserted = [(a.kind, a.content) for a in actions if isinstance(a, otp.NextEvent)]
        self.waiting = inserted + self.waiting

    def time(self, action: Any) -> None:
        names = [which for which, _ in self.zero]
        if isinstance(action, otp.UpdateTimeout):
            if action.which in self.running:
                self.running[action.which] = action.content
            elif action.which in names:
                self.zero[names.index(action.which)] = (action.which, action.content)
            else:
                self.zero.append((action.which, action.content))
            return
        self.stop(action.which)
        if isinstance(action, otp.CancelTimeout):
            return
        if action.seconds == 0:
            self.zero.append((action.which, action.content))
        else:
            self.running[action.which] = action.content

    def stop(self, which: Any) -> None:
        self.running.pop(which, None)
        self.zero = [(other, content) for other, content in self.zero if other != which]


RESULTS = [
    otp.KeepState(),
    otp.NextState("a", otp.StateTimeout(1, "s")),
    otp.NextState("b"),
    otp.NextState("b", otp.Postpone(), otp.EventTimeout(1, "e")),
    otp.KeepState(otp.Postpone(), otp.StateTimeout(0, "zero")),
    otp.KeepState(otp.NextEvent("i1"), otp.NextEvent("i2"), otp.GenericTimeout("n", 0, "n0")),
    otp.KeepState(otp.GenericTimeout("n", 1, "n"), otp.EventTimeout(0, "e0")),
    otp.NextState("a", otp.GenericTimeout.update("n", "nu"), otp.StateTimeout.update("su")),
    otp.KeepState(otp.StateTimeout.cancel(), otp.GenericTimeout.cancel("n")),
]
