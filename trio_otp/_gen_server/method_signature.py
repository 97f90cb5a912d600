"""The signatures of decorated methods, as Python and editors show them."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Outside:
    """A function as a client calls it: without the server, and the `From` of a deferred call.

    It has the signature, worked out when it is asked for; to do so for each client would take
    longer than a call.
    """

    def __init__(self, function: Callable[..., Any], *, deferred: bool = False) -> None:
        self.__wrapped__ = function
        self._deferred = deferred

    @property
    def __signature__(self) -> inspect.Signature:
        if self._deferred:  # what the function returns is not the answer
            own = inspect.signature(partial(self.__wrapped__, None, None))
            return own.replace(return_annotation=inspect.Signature.empty)
        return inspect.signature(partial(self.__wrapped__, None))


class OnClass:
    """The signature of a method as it is called on the class: with the server first."""

    def __get__(self, method: Any, owner: type[Any]) -> inspect.Signature:
        if method is None:
            raise AttributeError("__signature__")  # of the class of methods it is the ordinary one
        outside: Outside = method.outside
        own = outside.__signature__
        name = "ref" if "ref" not in own.parameters else "_ref"
        first = inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY, annotation="Ref")
        return own.replace(parameters=[first, *own.parameters.values()])
