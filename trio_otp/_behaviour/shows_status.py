"""What decides how the state of a server, state machine or event handler is shown.

Follows: `format_status/1` of Erlang's `gen_server`, `gen_statem` and `gen_event`, as of OTP 25.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .._util.private import without_private


class ShowsStatus:
    """The base of behaviours and event handlers, for what reports and `otp.sys` show of them."""

    __slots__ = ()
    # Names of attributes that are never shown; those of the bases stay private as well.
    private: ClassVar[tuple[str, ...]] = ()

    def format_status(self, *args: Any, **kwargs: Any) -> Any:
        """Return what reports and `otp.sys.get_status` show; override it to keep secrets out.

        Write it as `def format_status(self, status)`: it gets a dict of its own and returns what is
        shown, with the same keys; one that it leaves out is shown as it is. It is called once for
        each report, and must be a plain `def`. As `def format_status(self)` it gives what is shown
        of the state alone. Attributes whose names are in `private` are not in the dict: that is
        all a class needs whose secrets are attributes.

        Args:
            *args: the dict. It has `state`, and in the report of a crash `message` (in hand),
                `reason` and `log` (the events that `otp.sys.log` keeps); of a state machine also
                `data`, `queue` and `postponed`.
            **kwargs: the keys of the dict, for one that takes those.

        Returns:
            The dict; anything else is shown in place of every value.

        Follows: `format_status/1` of Erlang's `gen_server` and `gen_event`, as of OTP 25.
        """
        return args[0] if args else kwargs or self._status()

    def _status(self) -> Any:
        """Return what is shown of the state: the attributes, without the private ones."""
        return without_private(type(self), self.__dict__)
