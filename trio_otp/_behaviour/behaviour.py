"""What makes a class something that can be started as a process: the base of every behaviour.

A behaviour class is its own child specification. Its options are given as keywords of the class
statement, as those of `use GenServer` in Elixir: all that `Child.having` takes but `name`. They
are checked there and then, since a child with a misspelt `restart` would never be restarted:

>>> import trio_otp as otp
>>> class Mailer(otp.GenServer, restart="transient", shutdown=2.0):
...     pass
>>> otp.child(Mailer).spec.restart
'transient'
"""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Unpack

from .._exits.errors import BadReturn, SpecError
from .._exits.reasons import NORMAL, ProcessExit
from .._process.status import formatted
from .._util.bounded import bounded
from .._util.private import enter_private
from .._util.user_code import call_back
from .class_checks import check_class_options, check_members, new_members
from .shows_status import ShowsStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._process.process import Process
    from .child_options import ClassOptions


class Behaviour(ShowsStatus):
    """The base of `GenServer`, `Supervisor`, `DynamicSupervisor` and `Registry`."""

    # What a class says of itself as a child; `Child.having` overrides it.
    child_options: ClassVar[ClassOptions] = {}
    child_type: ClassVar[str] = "worker"
    hosts_children: ClassVar[bool] = False
    takes_messages: ClassVar[bool] = True  # whether it has a loop that answers and obeys
    # Whether its loop calls `Process.enter_scope` before it waits for anything but a message.
    enters_scope_itself: ClassVar[bool] = False
    system_module: ClassVar[str] = "gen_server"  # OTP's name for what its loop is
    takes_marks: ClassVar[tuple[str, ...]] = ()  # which decorated methods its loop knows

    def __init_subclass__(cls, **options: Unpack[ClassOptions]) -> None:
        """Take the options of the class statement, and check the class."""
        super().__init_subclass__()
        enter_private(cls, SpecError)
        check_class_options(cls, options)
        members = new_members(cls, Behaviour)
        check_members(cls, members, cls.takes_marks)
        cls.child_options = {**cls.child_options, **options}
        cls._enter(members)

    @classmethod
    def _enter(cls, members: dict[str, Any]) -> None:
        """Collect what the class adds, with its mixins; check what is of this behaviour alone."""

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, None]:
        """Run the body of a process; `make` builds the instance, in the process.

        What it returns is awaited with Ctrl-C held off: a `disable_ki_protection` lets it in.
        """
        raise NotImplementedError  # each behaviour has its own

    @classmethod
    def _wake_process(cls, process: Process) -> Coroutine[Any, Any, Any]:
        """Resume the body of a process that has slept."""
        raise AssertionError(f"{cls.__name__} does not sleep")  # pragma: no cover - an invariant

    @classmethod
    def _sleeps_after(cls, process: Process) -> float | None:
        """Return after how many idle seconds a process falls asleep; None if it never does."""
        return None

    def code_change(self, old_version: Any, extra: Any) -> Any:
        """Take over what an older version of the class has left; `def` or `async def`.

        `otp.sys.change_code` calls it in the suspended process, after the class has changed.

        Args:
            old_version: what the caller of `change_code` says of the old version.
            extra: what it adds.

        Returns:
            None. What it raises is raised there, and the class is the old one again.
        """

    # -- what otp.sys asks for ---------------------------------------------------------------

    def _sys_state(self) -> Any:
        """Return what `otp.sys.get_state` gives: the instance, which is the state."""
        return self

    def _sys_replace(self, state: object) -> Behaviour:
        """Take what the function of `replace_state` returned; give the instance that goes on."""
        if state is not self:
            raise BadReturn("the function", state, f"the {type(self).__name__} it was given")
        return self

    def _sys_status(self, log: tuple[Any, ...]) -> tuple[Any, dict[str, Any], Any]:
        """Return what `get_status` shows: the state, what is added to it, the log."""
        shown = formatted(self, {"state": self._status(), "log": log})
        return shown["state"], {}, shown["log"]

    async def _sys_code_change(
        self, behaviour: type[Any] | None, old_version: object, extra: object
    ) -> None:
        """Change the class, if there is another one, and call `code_change`."""
        old = self.__class__
        if behaviour is not None:
            check_successor(old, behaviour)
            self.__class__ = behaviour
        try:
            self._sys_code_changed(await call_back(self.code_change, old_version, extra))
        except BaseException:
            self.__class__ = old
            raise

    def _sys_code_changed(self, result: object) -> None:
        """Take what `code_change` returned."""
        if result is not None:
            raise BadReturn("code_change", result, "None; it changes the instance in place")


async def finish(result: Any) -> Any:
    """Return what a callback returned, awaited if the callback is an `async def`."""
    return await result if result.__class__ is CoroutineType else result


def check_successor(old: type[Any], new: object) -> None:
    """Refuse a class that cannot take over from another: its loop must be the same."""
    shown = bounded(new)
    is_behaviour = isinstance(new, type) and issubclass(new, Behaviour)
    if not is_behaviour or _loop_of(new) is not _loop_of(old):
        raise TypeError(f"behaviour={shown}: expected a class with the loop of {old.__name__}")


def _loop_of(behaviour: Any) -> Any:
    return getattr(behaviour.run_process, "__func__", None)


def ignore(process: Process) -> NoReturn:
    """End a process in its init without an error: its starter gets None."""
    assert process.starting is not None
    process.starting.ignored = True
    raise ProcessExit(NORMAL)
