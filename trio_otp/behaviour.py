"""What makes a class something that can be started as a process: the base of every behaviour.

A behaviour class is its own child specification. Its options are given as keywords of the class
statement, as those of `use GenServer` in Elixir:

>>> import trio_otp as otp
>>> class Mailer(otp.GenServer, restart="transient", shutdown=2.0):
...     pass
>>> otp.child(Mailer).spec.restart
'transient'
"""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from .exits import NORMAL, ProcessExit, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .process import Process

_OPTIONS = ("id", "restart", "shutdown", "significant")


class Behaviour:
    """The base of `GenServer`, `Supervisor`, `DynamicSupervisor` and `Registry`."""

    # What a class says of itself as a child; `Child.having` overrides it.
    child_options: ClassVar[dict[str, Any]] = {}
    child_type: ClassVar[str] = "worker"
    hosts_children: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Take the options of the class statement."""
        super().__init_subclass__()
        for name, value in options.items():
            if name not in _OPTIONS:
                raise SpecError(
                    f"class {cls.__name__}: option {name}={value!r}; "
                    f"accepted are {', '.join(_OPTIONS)}"
                )
        cls.child_options = {**cls.child_options, **options}

    @classmethod
    async def run_process(cls, process: Process, make: Callable[[], Behaviour]) -> None:
        """Be the body of a process; `make` builds the instance, in the process."""
        raise TypeError(f"{cls.__name__} cannot be started; subclass GenServer or Supervisor")


async def finish(result: Any) -> Any:
    """Give what a callback returned, awaited if the callback is an `async def`."""
    return await result if result.__class__ is CoroutineType else result


def ignore(process: Process) -> NoReturn:
    """End a process in its init without an error: its starter gets None."""
    assert process.starting is not None
    process.starting.ignored = True
    raise ProcessExit(NORMAL)
