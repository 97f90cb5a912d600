"""`otp.watch`: a published attribute of a server as an observable value, over its restarts.

A watch has no task either: it is told by the server that assigns, by the place that gives names and
by the end of a process, and each time it does what `_follow` says. None of that raises, wherever it
runs; what goes wrong cancels the block of the watch, and leaves that.
"""

from __future__ import annotations

from contextlib import suppress
from threading import get_ident
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, final, overload

import trio
from trio.lowlevel import cancel_shielded_checkpoint, enable_ki_protection

from .._behaviour.published import Published, is_published
from .._exits.bare import publish, put_under, raise_bare
from .._exits.call_errors import CallingSelf, ServerExited
from .._exits.errors import WrongServer
from .._exits.nurseries import WholeScope
from .._process.block import block
from .._process.names import class_name
from .._process.runtime import calling_process
from .._util.bounded import bounded
from .._util.copies import NoConstructor, create
from .._util.public import public
from .._util.unset import UNSET
from .follower import Follower
from .values import WatchedBool, WatchedValue
from .wait import AFTER_INIT, OWN_INIT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

    from .._process.names import Ref
    from .._process.pid import Pid
    from .._process.process import Process

T = TypeVar("T")


@final
@public
class Watch(NoConstructor, WatchedValue[T], Generic[T]):
    """What the block of `otp.watch` gives: a `trio_util.AsyncValue` of what a server publishes.

    Attributes:
        alive: whether there is a server whose init is over, as a `trio_util.AsyncBool`. While
            there is none, `value` is the last one that there was.
    """

    _origin: ClassVar[str] = "async with otp.watch(ref, Server.attribute) gives one"

    def __init__(self, ref: Ref, attribute: Published[T]) -> None:
        super().__init__(UNSET, self._fail)
        self.alive: WatchedValue[bool] = WatchedBool(False, self._fail)
        self._ref = ref
        self._attribute = attribute
        self._follower = Follower(ref, self._follow, self._fail)
        self._scope = trio.CancelScope()
        self._error: BaseException | None = None
        self._thread = get_ident()
        self._token = trio.lowlevel.current_trio_token()
        self._begun = trio.Event()  # set when there has been a value
        self._instance: Any = None  # of the server, while it is listened to
        self._source: Published[Any] = attribute  # what the attribute is in that instance

    def __repr__(self) -> str:
        return f"<watch of {self._attribute!r} of {bounded(self._ref)}: {bounded(self._value)}>"

    @property
    def pid(self) -> Pid | None:
        """The server whose value it is; None while there is none."""
        process = self._follower.process
        return None if process is None else process.pid

    # -- the block ---------------------------------------------------------------------------

    @enable_ki_protection
    async def _open(self) -> None:
        """Begin, and wait until there is a value."""
        self._follower.open()
        process = self._follower.process or self._follower.starting
        if process is not None and process.behaviour is None:
            raise self._wrong_server(process)
        if self._follower.starting is not None and process is calling_process():
            raise CallingSelf(self._ref, what=OWN_INIT, cure=AFTER_INIT)
        await self._begun.wait()

    @enable_ki_protection
    def _close(self) -> None:
        self._follower.close()
        self._ignore()
        self._close_value()
        self.alive._close_value()

    @enable_ki_protection
    def _fail(self, error: BaseException) -> None:
        """End the block with an error, the first one."""
        if self._error is None:  # else it is about to end already
            self._error = error
            self._scope.cancel(reason=f"{self!r} has ended")

    def _wrong_server(self, process: Process) -> WrongServer:
        actual = class_name(process)
        if isinstance(process.instance, self._attribute.owner):  # a subclass has overridden it
            actual += f", whose {self._attribute.name} is not published"
        return WrongServer(f"otp.watch of {self._attribute!r}", self._ref, actual)

    # -- what happens ------------------------------------------------------------------------

    @enable_ki_protection
    def _follow(self) -> None:
        """Listen to the server that there is now, or to none."""
        process = self._follower.process
        if process is None or process.behaviour is None:
            self._lose()
            if self._follower.end is not UNSET:
                self._fail(ServerExited(self._ref, self._follower.end))
            return
        instance: Any = process.instance
        source = self._attribute._of(instance)
        if source is None:
            self._lose()
            self._fail(self._wrong_server(process))
        elif source._value_of(instance) is not UNSET:  # a machine has no state at first
            self._listen(instance, source)

    def _listen(self, instance: Any, source: Published[Any]) -> None:
        if instance is not self._instance or source is not self._source:
            self._ignore()
            self._instance, self._source = instance, source
            source._add_listener(instance, self._assigned)
        self._take(source._value_of(instance))
        self.alive._take(True)
        self._begun.set()

    @enable_ki_protection
    def _assigned(self, value: T) -> None:
        """Take what the server assigns, which may do so in a worker thread."""
        if get_ident() == self._thread:
            self._take(value)
            return
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._read, idempotent=True)

    @enable_ki_protection
    def _read(self) -> None:
        if self._instance is not None:  # pragma: no branch - its block has been left meanwhile
            self._take(self._source._value_of(self._instance))

    def _lose(self) -> None:
        self._ignore()
        self.alive._take(False)

    def _ignore(self) -> None:
        """Listen to nobody."""
        instance, self._instance = self._instance, None
        if instance is not None:
            self._source._remove_listener(instance, self._assigned)


# The second form is for pyright: of an attribute that has no annotation and is assigned in methods
# it says that the class has this attribute, or a value of it.
@overload
def watch(ref: Ref, attribute: Published[T]) -> AbstractAsyncContextManager[Watch[T]]: ...
@overload
def watch(ref: Ref, attribute: Published[T] | T) -> AbstractAsyncContextManager[Watch[T]]: ...
@public
@block("async with otp.watch(ref, Server.attribute) as value: ...")
@enable_ki_protection
async def watch(ref: Ref, attribute: Any) -> AsyncGenerator[Watch[Any]]:
    """Follow a published attribute of a server, as a `trio_util.AsyncValue`, while a block runs.

    A watch of a name follows it over restarts, and waits at first until there is a server whose
    init is over. After a restart it has the value of the new server at once. A watch of a pid ends
    with that process: the block is cancelled, and raises `ServerExited`.

    The server does not know of it: no message is sent, and one that sleeps goes on sleeping.
    Conditions of those who wait run inside of the assignment, so they should be quick; one that
    raises does so where it is waited for, and nowhere else.

    Args:
        ref: a name, a via tuple, or a pid.
        attribute: as `Boiler.celsius`, made by `otp.published`; `Machine.state` of a GenStatem and
            `otp.Agent.value` are published by themselves.

    Raises:
        ServerExited: the process of the pid has ended.
        NoProcess: the pid is that of a dead process.
        WrongServer: what runs there is another class of server, without the attribute.
        ValueError: `ref` is a text that can be no name.
        CallingSelf: a server waits in its own init for that to be over.
        TypeError: `attribute` is something else, or `ref` is not a reference.

    >>> import trio, trio_otp as otp
    >>> async def main():
    ...     agent = otp.child(otp.Agent, lambda: 1).having(name="count")
    ...     async with otp.open_supervisor([agent]):
    ...         async with otp.watch("count", otp.Agent.value) as count:
    ...             await otp.Agent.update("count", lambda held: held + 1)
    ...             print(count.value)
    ...             otp.exit("count", otp.KILL)
    ...             print(await count.wait_value(lambda held: held < 2), count.alive.value)
    >>> import logging
    >>> logging.disable(logging.CRITICAL)  # the kill is reported
    >>> trio.run(main)
    2
    1 True
    >>> logging.disable(logging.NOTSET)

    Follows: `trio_util.AsyncValue`.
    """
    if not is_published(attribute):
        line = "write otp.watch(ref, Server.attribute), with attribute = otp.published(default)"
        if isinstance(attribute, MemberDescriptorType):
            line = "its class has made a slot of it; leave out its annotation, or the slots"
        raise TypeError(f"attribute={bounded(attribute)}: expected a published attribute; {line}")
    await trio.lowlevel.checkpoint()
    watched: Watch[Any] = create(Watch, ref, attribute)
    try:
        with WholeScope(watched._scope):
            try:
                await watched._open()
                yield watched
            finally:
                watched._close()
    except BaseException as exc:
        if watched._error is not None:
            put_under(exc, watched._error)
        await cancel_shielded_checkpoint()
        raise
    await cancel_shielded_checkpoint()
    _raise_what_ended(watched)


def _raise_what_ended(watched: Watch[Any]) -> None:
    """Raise why the block was cancelled; that a process has ended after the block hurts nobody."""
    error, watched._error = watched._error, None
    try:
        if error is not None and (
            watched._scope.cancelled_caught or not isinstance(error, ServerExited)
        ):
            raise_bare(publish(error))
    finally:
        del error  # else the frame and the traceback keep each other alive
