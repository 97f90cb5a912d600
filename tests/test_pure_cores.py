"""The cores that are pure import no Trio, nor anything of the library that does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import trio_otp

FOLDER = Path(trio_otp.__file__).parent

# The package itself is replaced by an empty one, since its `__init__` offers all that there is;
# that of `cluster`, too.
WITHOUT_TRIO = """
import sys, types
sys.modules["trio"] = None  # to import it is an ImportError
package = types.ModuleType("trio_otp")
package.__path__ = [{folder!r}]
sys.modules["trio_otp"] = package
cluster = types.ModuleType("trio_otp.cluster")
cluster.__path__ = [{folder!r} + "/cluster"]
sys.modules["trio_otp.cluster"] = cluster
{program}
"""

POLICY = """
from trio_otp._supervisor.intensity import Intensity
from trio_otp._supervisor.policy import ChildEntry, Policy, StartChild
policy = Policy("one_for_one", Intensity(3, 5))
policy.add(ChildEntry("a"))
policy.started("a", 0.0)
print(policy.exited("a", ValueError(), 0.0)[-1] == StartChild("a"))
"""

ENGINE = """
from trio_otp._gen_statem.actions import KeepState, NextState
from trio_otp._gen_statem.engine import Engine
from trio_otp._gen_statem.timeouts import Event, StateTimeout
machine = type("Machine", (), {"state_enter": False})
engine = Engine("open", machine)
engine.begin()
engine.receive(Event.CAST, "close")
engine.next_event()
print([type(each).__name__ for each in engine.done(NextState("closed", StateTimeout(1.0)))])
"""


POOL = """
from trio_otp._behaviour.backoff import Backoff
from trio_otp._net.pool_core import Limits, PoolCore
core = PoolCore(Limits(2, 1, 60.0, Backoff()), lambda: 0.5)
print(core.ask("client", 0.0), core.started(1, 0.0))
"""

LIMITS = """
from trio_otp._net.connection_limits import ConnectionLimits
limits = ConnectionLimits(2, 1)
limits.acquire("1.1.1.1")
print(limits.may_serve("1.1.1.1"), limits.may_serve("2.2.2.2"))
"""

WIRE = """
from trio_otp.cluster.wire import control, epmd, handshake, opaque
from trio_otp.cluster.wire.codec import Codec
codec = Codec()
me = opaque.make_pid("a@h", 1, 0, 7)
frame = codec.encode(control.RegSend(me, "counter", ("add", 1)))
print(codec.decode(frame[4:]) == control.RegSend(me, "counter", ("add", 1)))
print(len(epmd.port_request("a")), handshake.keeps_own("b@h", "a@h"))
"""


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        (POLICY, "True\n"),
        (ENGINE, "['Happening', 'Arm']\n"),
        (POOL, "[Start(worker=1)] [Lend(worker=1, waiter='client')]\n"),
        (LIMITS, "False True\n"),
        (WIRE, "True\n4 True\n"),
    ],
    ids=["policy", "engine", "pool", "limits", "wire"],
)
def test_a_core_works_without_trio(program: str, printed: str) -> None:
    """What it decides can be asked where no Trio is installed."""
    text = WITHOUT_TRIO.format(folder=str(FOLDER), program=program)
    ran = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60
    )
    assert (0, printed) == (ran.returncode, ran.stdout), ran.stderr


def test_the_rest_does_import_trio() -> None:
    """What the test above replaces does keep Trio away: the shell of the same machine fails."""
    program = "import trio_otp._gen_statem.loop"
    text = WITHOUT_TRIO.format(folder=str(FOLDER), program=program)
    ran = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60
    )
    assert "import of trio halted" in ran.stderr
