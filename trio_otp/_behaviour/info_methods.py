"""Methods of `on_info`: a table by the types of messages, for servers and event handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .class_checks import check_method

if TYPE_CHECKING:
    from collections.abc import Callable


class InfoMethod:
    """A function and the types of messages it handles; its class enters it and takes it out."""

    otp_mark: ClassVar[str] = "gen_server"  # the behaviour it is for

    def __init__(self, function: Callable[..., Any], types: tuple[type[Any], ...]) -> None:
        check_method(function, "on_info")
        self.function = function
        self.types = types

    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        """Return an ordinary method, as for a mixin, which no class has entered."""
        get: Any = self.function
        return get.__get__(instance, owner)


def enter_info_methods(cls: type[Any], members: dict[str, Any]) -> dict[type[Any], str]:
    """Return the table of a class: that of its bases, and what it adds itself or by mixins."""
    table: dict[type[Any], str] = {}
    for base in reversed(cls.__mro__):
        table.update(vars(base).get("info_methods", {}))
    own = vars(cls)
    for name, member in members.items():
        if isinstance(member, InfoMethod):
            table.update(dict.fromkeys(member.types, name))
            if own.get(name) is member:
                setattr(cls, name, member.function)
    return table
