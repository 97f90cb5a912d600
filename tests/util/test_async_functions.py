"""Whether the result of a function has to be awaited, as far as known before a call."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import pytest
from inside import gives_awaitable


class Partly:
    """What can be called, by something that is no function."""

    __call__ = partial(print)


@pytest.mark.parametrize("function", [int, Partly(), operator.itemgetter(0), anext])
def test_of_some_only_a_call_can_tell(function: Any) -> None:
    """Classes, and what is written in C outside of the standard library or calls something else."""
    assert gives_awaitable(function) is None
