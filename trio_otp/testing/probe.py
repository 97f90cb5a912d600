"""A probe: a process that a test has in its hand, in the place of a server or a client.

Follows: Akka's `TestProbe`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, final, overload

import trio

from .._behaviour.messages import Terminate
from .._exits.errors import WrongServer
from .._exits.reasons import ProcessExit
from .._process.checkpoints import checkpointed
from .._process.mailbox import SystemMessage
from .._process.names import check_reference
from .._process.request import From
from .._process.signals import Monitor
from .._start.spec import Runnable
from .._start.start import Start
from .._util.checks import check_timeout
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public_in
from .errors import UsedAfterTest, need_server
from .mailboxes import mailbox_text
from .patterns import check_pattern, matches, shown
from .probe_rules import NOTHING, Rules, content_of, message_of, request_of
from .receiving import QUIET, WITHIN, note_read, refuted

if TYPE_CHECKING:
    from .._process.names import Ref
    from .._process.nursery import OrderedNursery
    from .._process.pid import Pid
    from .._process.process import Process
    from .patterns import Like

T = TypeVar("T")


@final
@public_in("testing")
class Probe(NoConstructor, Handle):
    """A process under a test's control; it is accepted wherever a reference is.

    `otp_system.probe(...)` makes one, and the fixture `probe` is one. It traps exits, takes
    whatever is sent to it, and keeps what no rule has dealt with until the test receives it.

    Args:
        ordered: where its process lives.
        test: the test it belongs to.
        serves: the server class whose client methods it takes; None for a plain process.

    >>> import trio, trio_otp as otp
    >>> from trio_otp.testing import open_system
    >>> async def main():
    ...     async with open_system() as system:
    ...         clock = system.probe(name="clock")
    ...         clock.auto_reply("time?", "noon")
    ...         print(await otp.call("clock", "time?"))
    ...         otp.send("clock", ("set", 12))
    ...         print(await clock.receive(("set", int)))
    >>> trio.run(main)
    noon
    ('set', 12)
    """

    _origin: ClassVar[str] = "otp_system.probe() returns one"

    def __init__(self, ordered: OrderedNursery, test: str, serves: type[Any] | None = None) -> None:
        self._test = test
        self._open = True
        self._inbox: list[Any] = []  # messages and calls that no rule has dealt with
        self._received: list[Any] = []
        self._rules = Rules()
        self._news = trio.Event()
        self._process = Start(Runnable("probe", self._live), ordered, None).create()
        self._process.become(None, serves)
        self._process.trap_exit = True
        self._process.add_watcher(self._ended)

    def __repr__(self) -> str:
        return f"<Probe {self.pid!r}>"

    @property
    def pid(self) -> Pid:
        """Its process."""
        return self._process.pid

    @property
    def received(self) -> tuple[Any, ...]:
        """All that has come so far, oldest first: messages, and the requests of calls."""
        self._drain()
        return tuple(self._received)

    @property
    def unread(self) -> tuple[Any, ...]:
        """What nobody has received yet, oldest first; calls as `otp.From`."""
        self._drain()
        return tuple(self._inbox)

    # -- receiving ---------------------------------------------------------------------------

    @overload
    async def receive(self, pattern: type[T] | Like[T], *, within: float = WITHIN) -> T: ...
    @overload
    async def receive(self, pattern: Any = object, *, within: float = WITHIN) -> Any: ...
    @checkpointed
    async def receive(self, pattern: Any = object, *, within: float = WITHIN) -> Any:
        """Wait for a plain message or a cast that matches a pattern.

        Args:
            pattern: see `trio_otp.testing.patterns`.
            within: seconds; 0 looks only at what has arrived.

        Returns:
            The oldest one that matches, of a cast what was cast.

        Raises:
            AssertionError: none came; the text lists what is there.
            UsedAfterTest: the test is over.
            TypeError, ValueError: an argument is not accepted.
        """
        __tracebackhide__ = True
        message = message_of(await self._receive(message_of, pattern, within, "message"))
        note_read(message)
        return message

    @checkpointed
    async def receive_call(self, pattern: Any = object, *, within: float = WITHIN) -> From[Any]:
        """Wait for a call whose request matches a pattern, for `otp.reply`.

        Args:
            pattern: see `trio_otp.testing.patterns`.
            within: seconds; 0 looks only at what has arrived.

        Returns:
            The caller; its `message` is the request.

        Raises:
            AssertionError, UsedAfterTest, TypeError, ValueError: as `receive`.
        """
        __tracebackhide__ = True
        call: From[Any] = await self._receive(request_of, pattern, within, "call")
        return call

    @checkpointed
    async def refute(self, pattern: Any = object, *, within: float = QUIET) -> None:
        """Wait whether something that matches a pattern arrives: a message, a cast or a call.

        Args:
            pattern: see `trio_otp.testing.patterns`.
            within: seconds; 0 looks only at what has arrived.

        Raises:
            AssertionError: it is there or came.
            UsedAfterTest, TypeError, ValueError: as `receive`.
        """
        __tracebackhide__ = True
        found = await self._wait(content_of, pattern, within)
        if found is not None:
            raise AssertionError(refuted(found, pattern, self.pid, self._inbox))

    async def _receive(self, part: Any, pattern: Any, within: float, what: str) -> Any:
        __tracebackhide__ = True
        found = await self._wait(part, pattern, within)
        if found is None:
            ended = " and it has ended" if self._process.dead else ""
            text = f"no {what} matching {shown(pattern)} within {within:g} s{ended}"
            raise AssertionError(f"{text}\n{mailbox_text(self.pid, self._inbox)}")
        self._inbox.remove(found)
        return found

    async def _wait(self, part: Any, pattern: Any, within: float) -> Any:
        """Return what is in the inbox, or comes, and has a part that matches; None if none does."""
        check_pattern("pattern", pattern)
        check_timeout("within", within)
        self._check()
        await trio.lowlevel.checkpoint()
        found = self._find(part, pattern)
        with trio.move_on_after(within):
            while found is None and not self._process.dead:
                await self._news.wait()
                found = self._find(part, pattern)
        return found

    def _find(self, part: Any, pattern: Any) -> Any:
        self._drain()
        for entry in self._inbox:
            content = part(entry)
            if content is not NOTHING and matches(pattern, content):
                return entry
        return None

    # -- rules -------------------------------------------------------------------------------

    def auto_reply(self, pattern: Any, reply: Any) -> None:
        """Answer each call whose request matches a pattern, from now on and at once.

        Of several rules that fit, the newest counts.

        Args:
            pattern: of the request: a value, `Cache.get`, `called(Cache.get, "k")`, ...
            reply: the answer; or a function that makes it of the request, or of the arguments of a
                client method. What it raises goes to the caller.

        Raises:
            UsedAfterTest: the test is over.
            TypeError: it is not a pattern.
        """
        check_pattern("pattern", pattern)
        self._check()
        self._rules.replies.insert(0, (pattern, reply))
        waiting, self._inbox = self._inbox, []
        for entry in waiting:
            if not self._rules.answer(entry):
                self._inbox.append(entry)

    def forward_to(self, ref: Ref, pattern: Any = object) -> None:
        """Pass on what matches a pattern from now on: the answers to calls come back to the caller.

        Messages and casts can also be received here; calls that are passed on can not, and are
        among `received`.

        Args:
            ref: to whom.
            pattern: of a message, of what is cast, or of a request; everything, if not given.

        Raises:
            UsedAfterTest: the test is over.
            TypeError: an argument is not accepted.
        """
        check_reference(ref)
        check_pattern("pattern", pattern)
        self._check()
        self._rules.forwards.insert(0, (pattern, ref))

    def watch(self, ref: Ref) -> Monitor:
        """Monitor a process: when it ends, the probe receives a `Down`.

        Args:
            ref: whom to watch.

        Returns:
            The handle that `Down.ref` carries.

        Raises:
            UnknownServer: nobody is behind the reference.
            UsedAfterTest: the test is over.
        """
        self._check()
        target = need_server("probe.watch", ref)
        handle = create(Monitor, self._process, ref)
        target.add_monitor(handle)
        return handle

    # -- the process -------------------------------------------------------------------------

    async def _live(self, process: Process) -> None:
        while process.stop_message is None:
            self._drain()
            await process.mailbox.wait()

    def _drain(self) -> None:
        """Take what has arrived, and apply the rules to it."""
        mailbox = self._process.mailbox
        while mailbox.queue:
            self._take(mailbox.queue.popleft())

    def _take(self, message: Any) -> None:
        if isinstance(message, Terminate):
            raise ProcessExit(message.reason)
        if isinstance(message, SystemMessage) and not message.from_user:
            if isinstance(message, From):  # pragma: no branch - what else there is goes to servers
                message._fail(WrongServer("otp.sys", message._ref, "probe"))
            return
        self._received.append(content_of(message))
        if not self._rules.forward(message) and not self._rules.answer(message):
            self._inbox.append(message)
        self._news.set()
        self._news = trio.Event()

    # -- the end -----------------------------------------------------------------------------

    def _ended(self, _: Process) -> None:
        self._news.set()

    def close(self) -> None:
        """Make it unusable: its test is over."""
        self._open = False

    def _check(self) -> None:
        if not self._open:
            raise UsedAfterTest("a probe", self._test)
