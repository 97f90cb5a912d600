"""Count what Python does, for tests of growth that no clock can disturb."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Operations:
    """How many lines some files have carried out.

    Python 3.12 counts no finer in frames that are entered before the next line is traced.
    """

    def __init__(self, *modules: str) -> None:
        self.count = 0
        self._files = tuple(f"{module}.py" for module in modules)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith(self._files):
            return None
        if event == "line":
            self.count += 1
        return self._trace

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count while a block runs, in frames that are entered in it."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)
