"""What the extension uses of IPython's shell, so that nothing of IPython has to be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Shell(Protocol):
    """An `InteractiveShell` of IPython, of which ipykernel's is one."""

    autoawait: bool
    loop_runner: Any
    trio_runner: Any
    custom_exceptions: Any
    CustomTB: Any
    magics_manager: Any
    display_formatter: Any
    display_pub: Any
    strdispatchers: Any
    compile: Any
    user_ns: dict[str, Any]

    def set_trio_runner(self, tr: Any) -> None:
        """Set the function that runs the coroutines of all cells."""
        ...

    def should_run_async(self, raw_cell: str, *, transformed_cell: str) -> bool:
        """Check whether a cell awaits at its top level."""
        ...

    def set_custom_exc(self, exc_tuple: tuple[Any, ...], handler: Callable[..., None]) -> None:
        """Set the function that shows errors of some classes."""
        ...

    def showtraceback(self, exc_tuple: Any = ..., *, tb_offset: int | None = ...) -> None:
        """Show an error."""
        ...

    def register_magic_function(
        self, func: Callable[..., Any], magic_kind: str, magic_name: str
    ) -> None:
        """Add a magic."""
        ...

    def set_hook(self, name: str, hook: Callable[..., Any], *, str_key: str | None = ...) -> None:
        """Set what completes the lines of a magic."""
        ...

    def ev(self, expr: str) -> Any:
        """Evaluate an expression among the names of the user."""
        ...
