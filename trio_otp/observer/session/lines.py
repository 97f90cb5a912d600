"""Lines of text over a stream of bytes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .protocol import LONGEST

if TYPE_CHECKING:
    from typing import Self

    import trio


class Lines:
    """The lines that come from a stream, until it ends or a line is too long.

    Args:
        stream: where they come from.
        longest: bytes of a line.
    """

    def __init__(self, stream: trio.abc.ReceiveStream, longest: int = LONGEST) -> None:
        self._stream = stream
        self._longest = longest
        self._begun = b""  # a line that has not ended
        self._whole: deque[bytes] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._whole:
            data = await self._stream.receive_some()
            if not data or len(self._begun) > self._longest:
                raise StopAsyncIteration
            *whole, self._begun = (self._begun + data).split(b"\n")
            self._whole += whole
        return self._whole.popleft().decode(errors="replace")
