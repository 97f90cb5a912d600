"""What users hold of a process.

A pid is data, as in OTP: it can be copied, which is the same pid, and pickled. Where it comes back
to, in the operating system's process that it is from, it is the same pid again. Anywhere else it
is that of a dead process: nothing there is behind it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, final
from weakref import WeakKeyDictionary, WeakValueDictionary

from .._util.bounded import bounded, shown_text
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # for `default=`, which `typing` has from Python 3.13 on

    from .process import Process

    S_co = TypeVar("S_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    S_co = TypeVar("S_co", covariant=True)

# The pids that have been pickled, by what no other operating system process comes upon.
_tokens: Final[WeakKeyDictionary[Pid, bytes]] = WeakKeyDictionary()
_pickled: Final[WeakValueDictionary[bytes, Pid]] = WeakValueDictionary()


@final
@public
class Pid(NoConstructor, Handle, Generic[S_co]):
    """One incarnation of a process: opaque, hashable, never used again."""

    _origin: ClassVar[str] = "otp.start_link(child) returns one"

    _is_remote: ClassVar[bool] = False  # whether the process is, or was, on another node

    __slots__ = ("__weakref__", "_label", "_name", "_number", "_process", "_told")

    _told: tuple[object, object]  # its exit reason, and what is shown of it, if that differs

    def __init__(self, number: int, label: str, process: Process | None) -> None:
        self._number = number
        self._label = label
        self._name: object = None
        self._process: Process | None = process

    def __repr__(self) -> str:
        return f"<Pid {self._number} {self._shown()}>"

    def _shown(self) -> str:
        label = shown_text(self._label)
        shown = label if self._name is None else bounded(self._name)
        return label if shown == label else f"{label} {shown}"

    def __reduce_ex__(self, _: object) -> Any:
        token = _tokens.setdefault(self, os.urandom(16))
        _pickled[token] = self
        return Pid._restored, (token, self._number, self._shown())

    @staticmethod
    def _restored(token: bytes, number: int, label: str) -> Pid:
        pid: Pid | None = _pickled.get(token)
        if pid is None:
            pid = create(Pid, number, label, None)
            _tokens[pid], _pickled[token] = token, pid  # two of one are equal here as well
        return pid
