"""PartitionSupervisor: the same child several times, and a key that says which of them is meant.

**Why.** One process that everybody calls is a bottleneck when it waits for something, as a disk or
another service. With several of them, each key still has one process, so what belongs to a key is
handled in order.

**Client and server side.** `otp.partitions(name)` is a handle that can be made before anything
runs; `COUNTERS.via(key)`, which is `("via", "counters", key)`, is a reference to the partition of a
key, looked up at every use. While a partition is being restarted its keys are nobody's: a call
raises `NoProcess`. Whole numbers go by their remainder, so `via(0)` to `via(3)` are the partitions
themselves; how other keys are spread is the same in every run.

**Supervise** it as any other child. It is a supervisor and takes the management calls of one; the
ids of its children are the numbers of the partitions. `await COUNTERS.resize(2)` lets fewer of them
run.

**When not to use it.** All partitions share one core, so more of them make nothing faster that
computes. For a process per key there is a `DynamicSupervisor` with a `Registry`.

Follows: Elixir's `PartitionSupervisor`.
"""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from .._exits.call_errors import NoProcess
from .._exits.errors import SpecError, StartError, WrongServer
from .._process.name_watchers import tell_started
from .._process.names import class_name, find_living, known_names, need_living
from .._start.child import Child, as_child
from .._start.child import child as make_child
from .._util.async_functions import gives_awaitable
from .._util.bounded import bounded
from .._util.checks import is_whole
from .._util.public import public
from .delays import check_backoff
from .flags import check_flags
from .loop import SupervisorBehaviour
from .partition_key import partition_of
from .policy import State
from .static_loop import StaticLoop, SupervisorSpec, new_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from .._behaviour.backoff import Backoff
    from .._behaviour.behaviour import Behaviour
    from .._process.pid import Pid
    from .._process.process import Process
    from .flags import Strategy

AnyChild: TypeAlias = "Child[Any] | type[Behaviour]"
WithArguments: TypeAlias = "Callable[[tuple[Any, ...], int], Iterable[Any]]"


class _Routes:
    """What `("via", otp.PartitionSupervisor, (name, key))` means, the form known from Elixir."""

    def whereis_name(self, pair: object) -> Pid | None:
        """Return the holder of a key, also if it is about to die."""
        name, key = _pair(pair)
        loop = find_loop(name)
        return None if loop is None else loop.route(key)

    def _may_mean(self, pair: object) -> tuple[object, list[object]]:
        """Return the name of a supervisor that is not there, and what may be meant by it."""
        name, _ = _pair(pair)
        return name, known_names() if find_loop(name) is None else []

    def register_name(self, pair: object, pid: Pid) -> bool:
        """Refuse: partitions are named by their supervisor."""
        raise _taken(pair)

    def unregister_name(self, pair: object) -> None:
        """Do nothing, as nothing could be registered."""

    def send(self, pair: object, message: object) -> None:
        """Send a plain message to the partition of a key."""
        need_living(("via", *_pair(pair))).mailbox.offer(message)


@public
class PartitionSupervisor(SupervisorBehaviour):
    """A supervisor of the same child in several partitions; `otp.partitions(name)` routes to them.

    Args:
        child: what each partition runs: `otp.child(...)` without a name, or a behaviour class; or a
            function that gets the number of a partition, from 0, and gives its child.
        partitions: how many there are at first, and at most.
        with_arguments: gets the positional arguments of a child and the number of its partition,
            and gives other arguments for it, as in OTP.
        strategy: as of `otp.Supervisor`.
        max_restarts: how many restarts there may be within `max_seconds`; None never gives up,
            which hides from those above what no restart cures.
        max_seconds: that window, a whole number.
        backoff: `otp.Backoff(...)` delays the restarts of partitions that have none of their own.

    >>> import trio, trio_otp as otp
    >>> COUNTERS = otp.partitions("counters")
    >>> class Counter(otp.GenServer):
    ...     def __init__(self, partition: int) -> None:
    ...         self.partition, self.counts = partition, {}
    ...     @otp.on_call
    ...     def add(self, word: str) -> tuple[int, int]:
    ...         self.counts[word] = self.counts.get(word, 0) + 1
    ...         return self.partition, self.counts[word]
    >>> async def main():
    ...     counters = otp.child(
    ...         otp.PartitionSupervisor, lambda number: otp.child(Counter, number), partitions=4
    ...     )
    ...     async with otp.open_supervisor([counters.having(name="counters")]):
    ...         for word in ("tea", "tea", "milk"):
    ...             print(word, await Counter.at(COUNTERS.via(word)).add(word))
    >>> trio.run(main)
    tea (2, 1)
    tea (2, 2)
    milk (0, 1)
    """

    via_module: ClassVar[_Routes] = _Routes()

    def __init__(
        self,
        child: AnyChild | Callable[[int], AnyChild],
        *,
        partitions: int,
        with_arguments: WithArguments | None = None,
        strategy: Strategy = "one_for_one",
        max_restarts: int | None = 3,
        max_seconds: float = 5,
        backoff: Backoff | None = None,
    ) -> None:
        check_flags(strategy, max_restarts, max_seconds, "never")
        check_backoff(backoff, max_restarts, max_seconds)
        children = _children(child, partitions, with_arguments)
        self._given = SupervisorSpec(
            children, strategy, max_restarts, max_seconds, "never", backoff
        )
        new_policy(self._given)

    def init(self) -> SupervisorSpec:
        """Return what to supervise."""
        return self._given

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, None]:
        """Run the body of the process."""
        return PartitionLoop(process).run(make)

    # -- the via protocol, so that ("via", its name, key) is a reference ------------------------

    def whereis_name(self, key: Any) -> Pid | None:
        """Return the holder of a key, also if it is about to die."""
        return self.loop.route(key) if isinstance(self.loop, PartitionLoop) else None

    def register_name(self, key: Any, pid: Pid) -> bool:
        """Refuse: partitions are named by their supervisor."""
        raise _taken(key)

    def unregister_name(self, key: Any) -> None:
        """Do nothing, as nothing could be registered."""

    def send(self, key: Any, message: Any) -> None:
        """Send a plain message to the partition of a key.

        Args:
            key: any key.
            message: what it gets in `handle_info`, or by `receive`.

        Raises:
            NoProcess: the partition is being restarted.
        """
        pid = self.whereis_name(key)
        if pid is None:
            raise NoProcess(key, message)
        need_living(pid).mailbox.offer(message)


class PartitionLoop(StaticLoop):
    """The shell of a `PartitionSupervisor`: a static supervisor that knows the way to a key."""

    size = 0  # how many partitions keys are spread over
    given: tuple[Child[Any], ...] = ()  # what the partitions run

    @property
    def maximum(self) -> int:
        """How many partitions there may be."""
        return len(self.given)

    def take_spec(self, spec: SupervisorSpec) -> None:
        """Take the partitions, before the first of them is started."""
        super().take_spec(spec)
        self.given = spec.children
        self.size = len(spec.children)

    def settled(self) -> None:
        """Notify those that wait for a child, and those that watch a key, which may have moved."""
        super().settled()
        tell_started(self.process.runtime)

    def route(self, key: object) -> Pid | None:
        """Return the partition of a key; None while it is down."""
        if self.size == 0:
            raise ValueError(f"key={bounded(key)}: {self.process.pid!r} has 0 partitions")
        slot = self.slots.get(partition_of(key, self.size))
        return None if slot is None else slot.pid

    async def resize(self, partitions: int) -> int:
        """Run more or fewer partitions; return how many there were."""
        if partitions > self.maximum:
            raise ValueError(
                f"partitions={partitions}: expected a whole number from 0 to {self.maximum}, "
                "the number it was started with"
            )
        previous = self.size
        if partitions < previous:
            self.size = partitions  # before they go, so that no key leads to one that is gone
            await self._stop_from(partitions)
        elif partitions > previous:
            await self._start_up_to(partitions)
        return previous

    async def _stop_from(self, first: int) -> None:
        for number in reversed(range(first, self.maximum)):
            if number in self.slots:
                await self.terminate_child(number)

    async def _start_up_to(self, partitions: int) -> None:
        try:
            for number in range(self.size, partitions):
                await self._start_partition(number)
        except StartError:
            await self._stop_from(self.size)
            raise
        self.size = partitions

    async def _start_partition(self, number: int) -> None:
        """Start a partition, unless it runs; a temporary one that has ended is forgotten."""
        if number not in self.slots:
            await self.start_child(self.given[number])
        elif self.policy.table[number].state is State.DOWN:  # pragma: no branch - else it runs
            await self.restart_child(number)

    commands: ClassVar = {**StaticLoop.commands, "resize": resize}


def find_loop(name: object) -> PartitionLoop | None:
    """Return the loop of the partition supervisor behind a reference, None if nobody is there."""
    process = find_living(name)
    if process is None or (process.instance is None and process.starting is not None):
        return None
    loop = getattr(process.instance, "loop", None)
    if not isinstance(loop, PartitionLoop):
        raise WrongServer("partitions", name, class_name(process))
    return loop


def _pair(pair: Any) -> tuple[Any, Any]:
    if pair.__class__ is not tuple or len(pair) != 2:
        raise TypeError(
            f"{bounded(pair)}: expected the name of a partition supervisor and a key, for example "
            '("via", otp.PartitionSupervisor, ("shop", key))'
        )
    name, key = pair
    return name, key


def _taken(key: object) -> ValueError:
    return ValueError(
        f"key={bounded(key)} is not a name that a process can take: it leads to a partition"
    )


def _children(
    child: object, partitions: int, with_arguments: WithArguments | None
) -> tuple[Child[Any], ...]:
    if not is_whole(partitions) or partitions < 1:
        raise SpecError(f"partitions={bounded(partitions)}: expected a whole number > 0")
    return tuple(_child(child, number, with_arguments) for number in range(partitions))


def _child(what: object, number: int, with_arguments: WithArguments | None) -> Child[Any]:
    wanted = _of_partition(what, number)
    if wanted.spec.name is not None:
        raise SpecError(f"{wanted!r}: a partition has no name of its own; write .having(name=None)")
    if wanted.spec.significant:
        raise SpecError(f"{wanted!r}: a PartitionSupervisor has no significant children")
    args = wanted.args
    if with_arguments is not None:
        given = with_arguments(args, number)
        if not isinstance(given, list | tuple):
            raise SpecError(f"with_arguments returned {bounded(given)}; expected a list or tuple")
        args = tuple(given)
    made = make_child(wanted.target, *args, **wanted.kwargs)
    return Child(made.target, args, wanted.kwargs, {**wanted.options, "id": number})


def _of_partition(what: Any, number: int) -> Child[Any]:
    if isinstance(what, Child | type) or not callable(what) or gives_awaitable(what):
        return as_child(what)
    made = what(number)
    if isinstance(made, CoroutineType):
        made.close()
        raise SpecError(f"{bounded(what)} is not a child; write otp.child({what.__name__})")
    return as_child(made)
