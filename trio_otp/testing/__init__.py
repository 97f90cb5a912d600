"""For tests of servers: fixtures, assertions, probes, virtual time, faults and chaos.

>>> import trio, trio_otp as otp
>>> from trio_otp.testing import assert_call_fails, open_system
>>> async def main():
...     async with open_system() as system:
...         await system.start_supervised(otp.child(otp.Agent, dict).having(name="cache"))
...         await assert_call_fails(otp.Agent.get("cache", lambda cache: cache["k"]), KeyError)
>>> trio.run(main)

**With pytest** the fixtures of `trio_otp.pytest_plugin` do the same: `otp_system`,
`start_supervised`, `stop_supervised`, `probe`, `otp_log`, `virtual_time`. At the end of a test they
stop everything, newest first, and fail it if something was left behind.

**Patterns** say what a message or a reason has to be like, see `trio_otp.testing.patterns`.

`schedules` and `ServerMachine` need hypothesis, which is imported when one of them is used.

Nothing of this is imported before its name is used, and nothing of it is meant for programs.

Follows: ExUnit, and Akka's testkit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .assertions import assert_call_fails as assert_call_fails
    from .assertions import assert_down as assert_down
    from .assertions import assert_restarted as assert_restarted
    from .errors import UnknownServer as UnknownServer
    from .errors import UsedAfterTest as UsedAfterTest
    from .faults import ACTIONS as ACTIONS
    from .faults import Action as Action
    from .faults import Fault as Fault
    from .faults import schedules as schedules
    from .fixture_types import StartSupervised as StartSupervised
    from .fixture_types import StopSupervised as StopSupervised
    from .guest_loop import GuestLoop as GuestLoop
    from .guest_loop import Pending as Pending
    from .held_loop import LongScheduleWarning as LongScheduleWarning
    from .injection import InjectedCrash as InjectedCrash
    from .injection import MachineCrash as MachineCrash
    from .injection import crash_next_call as crash_next_call
    from .injection import pause as pause
    from .jitter import seed_jitter as seed_jitter
    from .leaks import Leaked as Leaked
    from .log import OtpLog as OtpLog
    from .orders import explore as explore
    from .orders import task_order as task_order
    from .patterns import called as called
    from .patterns import like as like
    from .patterns import matches as matches
    from .probe import Probe as Probe
    from .receiving import assert_receive as assert_receive
    from .receiving import refute_receive as refute_receive
    from .server_machine import ServerMachine as ServerMachine
    from .standstill import Standstill as Standstill
    from .storm import ChaosCrash as ChaosCrash
    from .storm import Hit as Hit
    from .storm import Storm as Storm
    from .storm import chaos as chaos
    from .storm import replay as replay
    from .system import OtpSystem as OtpSystem
    from .system import open_system as open_system
    from .tree_shape import assert_tree as assert_tree
    from .virtual_time import VirtualTime as VirtualTime
    from .virtual_time import virtual_clock as virtual_clock
else:
    from .._util.lazy import find as _find
    from .._util.lazy import table as _table

    _LATE_NAMES = _table(
        {
            "assertions": "assert_call_fails assert_down assert_restarted",
            "errors": "UsedAfterTest UnknownServer",
            "faults": "ACTIONS Action Fault schedules",
            "fixture_types": "StartSupervised StopSupervised",
            "guest_loop": "GuestLoop Pending",
            "held_loop": "LongScheduleWarning",
            "injection": "InjectedCrash MachineCrash crash_next_call pause",
            "jitter": "seed_jitter",
            "leaks": "Leaked",
            "log": "OtpLog",
            "orders": "explore task_order",
            "patterns": "called like matches",
            "probe": "Probe",
            "receiving": "assert_receive refute_receive",
            "server_machine": "ServerMachine",
            "standstill": "Standstill",
            "storm": "ChaosCrash Hit Storm chaos replay",
            "system": "OtpSystem open_system",
            "tree_shape": "assert_tree",
            "virtual_time": "VirtualTime virtual_clock",
        }
    )
    __all__ = list(_LATE_NAMES)

    def __getattr__(name: str) -> object:
        try:
            return _find(__name__, _LATE_NAMES, name)
        except ModuleNotFoundError as exc:
            if name != "ServerMachine" or str(exc.name).partition(".")[0] != "hypothesis":
                raise  # pragma: no cover - all else is there with Python and Trio
            from .without_hypothesis import ServerMachine  # noqa: PLC0415 - as all others

            return ServerMachine

    def __dir__() -> list[str]:
        return list(__all__)
