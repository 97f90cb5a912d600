"""The normalisation rules: each undoes one decision of trio_otp to differ from OTP, and is counted.

They are applied where the decision shows, so everything else in the trace is compared as it is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Rule:
    """A decision, how the adaptor undoes it, and why a user is better off with it."""

    name: str
    decision: str
    undone: str
    why: str


RULES: Final = {
    rule.name: rule
    for rule in (
        Rule(
            "terminate_without_trap",
            "terminate also runs when a supervisor or an outer cancellation shuts down a server "
            "that does not trap exits",
            "that terminate does nothing and leaves no entry",
            "clean-up code runs at every shutdown; nobody has to know about trap_exit first",
        ),
        Rule(
            "failed_init_is_silent",
            "the caller of a start_link that fails gets the error only: nothing is left in any "
            "mailbox, as in OTP 26 and later",
            "the caller is sent the exit signal of the process that failed, as in OTP 25: a "
            "message if it traps exits, otherwise it ends",
            "a caller that has handled the error need not handle a message about it as well, or "
            "die of it",
        ),
        Rule(
            "call_cycles",
            "a call that would close a cycle of waiting processes raises DeadlockError at once",
            "the adaptor lets a helper process outside of the cycle make the call again, and waits "
            "for it",
            "a deadlock is found when it arises, with the names of all processes in it",
        ),
    )
}


class Applied(Counter[str]):
    """How often each rule was applied in one run."""

    def note(self, name: str) -> None:
        """Count an application."""
        self[RULES[name].name] += 1
