"""Sleep: a server without a task, until something is sent to it.

A server whose class has `hibernate_after` gives its task, queue and scope back when it has been
idle for that long. What it keeps is its `Process`, with all tables that lead there, and its
instance. Rules this file keeps:

* There is one way to reach a process without a scope, its mailbox: by `put` and `wake`. That of one
  that sleeps has no queue; both start a task, in the nursery of the process. So who sends, kills or
  shuts down does the same to a server that sleeps, and what does not sleep pays nothing.
* It falls asleep as the last thing its task does, without a checkpoint, when its scope has been
  left. What has reached it since the loop decided to end wakes it at once.
* A context with variables of the user is kept as it is, not as a copy: a token fits no copy.
* An ordered nursery counts those that sleep, so it stays open for them.

Follows: Erlang's `hibernate_after` of `gen_server:start_link/4`.
"""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING

from trio.lowlevel import cancel_shielded_checkpoint, current_task, enable_ki_protection

from .._util.copies import create
from .nursery import task_name
from .timers import Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .process import Process


@enable_ki_protection
def fall_asleep(process: Process) -> None:
    """Continue a process without a task; called last in that task."""
    task = process.task
    assert task is not None
    process.task = process.scope = process.make = None
    process.since = 0.0
    process.pack()
    context = task.context if len(task.context) > 1 else None  # 1: that of current_process
    process.mailbox.sleep(Waking(process, context))
    if process.is_exiting:
        process.mailbox.wake()


class Waking:
    """What the mailbox of a process that sleeps calls: it starts a task, which runs soon."""

    __slots__ = ("_context", "_process")

    def __init__(self, process: Process, context: contextvars.Context | None) -> None:
        self._process = process
        self._context = context

    def __call__(self) -> None:
        """Start the task of the process."""
        process, context = self._process, self._context
        start_soon: Callable[..., None] = process.nursery.trio_nursery.start_soon
        name = task_name(process.label)
        if context is None:
            contextvars.Context().run(start_soon, process.run, name=name)
        else:
            start_soon(_run_in, process, context, name=name)


@enable_ki_protection
async def _run_in(process: Process, context: contextvars.Context) -> None:
    """Run the task of a process in the context that it had before it slept."""
    current_task().context = context
    await cancel_shielded_checkpoint()  # the next step of the task is the first in there
    await process.run()


class IdleTimer:
    """What tells a server's loop that it has been idle for long enough."""

    __slots__ = ("_handled", "_process", "_since", "_timer", "after")

    def __init__(self, process: Process, after: float) -> None:
        self.after = after
        self._process = process
        self._handled = -1  # how many messages it had handled when it became idle
        self._since = 0.0  # and when that was
        self._timer: Timer | None = None

    def is_over(self) -> bool:
        """Check, each time an idle server is about to wait, whether it is to sleep instead."""
        if not _may_sleep(self._process):
            return False
        if self.after == 0:
            return True
        now = self._process.runtime.now()
        if self._handled != self._process.messages_handled:
            self._handled, self._since = self._process.messages_handled, now
        if now >= self._since + self.after:
            self.stop()
            return True
        if self._timer is None:
            self._set_timer()
        return False

    @enable_ki_protection
    def stop(self) -> None:
        """Take the timer back: the server falls asleep, or at other times from now on."""
        timer, self._timer = self._timer, None
        if timer is not None:
            self._process.remove_timer(timer)
            self._process.runtime.timers.cancel(timer)

    @enable_ki_protection
    def _set_timer(self) -> None:
        timer = self._timer = create(Timer, self._since + self.after, self._look)
        self._process.add_timer(timer)
        self._process.runtime.timers.add(timer)

    def _look(self, timer: Timer) -> None:
        """See whether it has been idle since the timer was set: messages do not touch that."""
        process = self._process
        self._timer = None
        process.remove_timer(timer)
        if process.runtime.now() < self._since + self.after:
            self._set_timer()
        else:  # if it is busy, it sets another one when it waits again
            process.mailbox.wake()


def _may_sleep(process: Process) -> bool:
    """Check whether nothing belongs to its task, as a nursery that `init` has opened would."""
    task = process.task
    return task is not None and not task.child_nurseries
