"""The signatures of decorated methods: what they take, and what Python and editors show."""

from __future__ import annotations

import inspect
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from .._util.signature import Parameters, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Set


class Outside:
    """A function as a client calls it: without the server, and the `From` of a deferred call.

    Its signature is worked out when it is first needed; at each class statement that would add up.
    """

    def __init__(self, function: Callable[..., Any], *, deferred: bool = False) -> None:
        self.__wrapped__ = function
        self._deferred = deferred
        self._called = partial(function, *[None] * (1 + deferred))
        self.shapes: Set[Any] = frozenset()  # those of `parameters`, once there are any

    @cached_property
    def parameters(self) -> Parameters:
        """What a client gives."""
        found = Parameters(self.__signature__)
        self.shapes = found.shapes
        return found

    @property
    def __signature__(self) -> inspect.Signature:
        try:
            own = inspect.signature(self._called)
        except ValueError:  # it does not even take what is filled in
            function, missing = self.__wrapped__, "self, from_" if self._deferred else "self"
            shown = f"{function.__qualname__}{inspect.signature(function)}"
            raise TypeError(f"{shown}: expected a method that takes {missing}") from None
        if self._deferred:  # what the function returns is not the answer
            return own.replace(return_annotation=inspect.Signature.empty)
        return own

    def check(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError, in the caller, for arguments that the function does not take."""
        if not self.parameters.fit(args, kwargs):
            refuse(self._called, name, args, kwargs)


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
