"""The handle of a partition supervisor: from a key to the partition that it belongs to.

`otp.partitions(name)` makes one, at module level if you like; it finds the supervisor at every use.
See `otp.PartitionSupervisor` for an example and for when to use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

from .._process.checkpoints import checkpointed
from .._process.names import check_reference, need_living, no_process
from .._process.request import new_request
from .._util.bounded import Printable, bounded
from .._util.checks import check_timeout, is_whole
from .._util.copies import NoConstructor, create
from .._util.public import public
from .data import ManagementCommand
from .partition import find_loop
from .partition_key import partition_of

if TYPE_CHECKING:
    from .._process.names import Ref, Via
    from .partition import PartitionLoop


@public
def partitions(ref: Ref) -> Partitions:
    """Return the handle of a partition supervisor; it need not run yet.

    Args:
        ref: its name, or any other reference to its process.

    Raises:
        TypeError: `ref` is not a reference.
    """
    check_reference(ref)
    return create(Partitions, ref)


@final
@public
@dataclass(frozen=True, slots=True, repr=False)
class Partitions(NoConstructor, Printable):
    """A partition supervisor, looked up by its name at every use.

    Every function but `via` raises `NoProcess` if it does not run.
    """

    _origin: ClassVar[str] = "otp.partitions(ref) returns one"

    name: Ref

    def __reduce__(self) -> Any:
        return partitions, (self.name,)

    def via(self, key: Any) -> Via:
        """Return the reference to the partition of a key.

        Args:
            key: a whole number, which goes by its remainder, or what else hashes and has a `repr`
                of its own: text, a tuple, a pid.

        Follows: `{:via, PartitionSupervisor, {name, key}}`.
        """
        return ("via", self.name, key)

    def partition_of(self, key: Any) -> int:
        """Return the partition that a key belongs to, a number from 0.

        Args:
            key: as of `via`.

        Raises:
            ValueError: there are 0 partitions.
            TypeError: the key does not hash, or only its address tells it apart.
        """
        size = self._loop().size
        if size == 0:
            raise ValueError(f"key={bounded(key)}: {bounded(self.name)} has 0 partitions")
        return partition_of(key, size)

    def count(self) -> int:
        """Return how many partitions keys are spread over. Follows: `partitions/1`."""
        return self._loop().size

    @checkpointed
    async def resize(self, partitions: int, *, timeout: float | None = None) -> int:
        """Run fewer partitions, or more again, at most as many as at first.

        Keys are spread anew; nothing is handed over. Those that are too many are stopped after no
        key leads to them; those that come back are started before any key leads to them.

        Args:
            partitions: how many there are to be.
            timeout: seconds to wait; None waits as long as it takes. It is done all the same.

        Returns:
            How many there were.

        Raises:
            ValueError: it is not a whole number from 0 to the number at first, or the time-out no
                number of seconds.
            CallTimeout: it took longer than `timeout`.
            StartError: a partition did not start; there are as many as before.
            NoProcess, ServerExited: the supervisor is not there, or ended meanwhile.

        Follows: `PartitionSupervisor.resize!/2`.
        """
        if not is_whole(partitions) or partitions < 0:
            raise ValueError(f"partitions={bounded(partitions)}: expected a whole number >= 0")
        check_timeout("timeout", timeout)
        self._loop()
        request = ManagementCommand("resize", partitions)
        process = need_living(self.name)
        previous: int = await new_request(process, self.name, request, timeout)._wait()
        return previous

    def _loop(self) -> PartitionLoop:
        loop = find_loop(self.name)
        if loop is None:
            raise no_process(self.name)
        return loop
