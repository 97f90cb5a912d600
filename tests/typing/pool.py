"""What the checkers make of pools: a checkout gives a client of the class, or a pid."""

from __future__ import annotations

from typing import Any, assert_type

import trio_otp as otp


class Connection(otp.GenServer):
    """A worker."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    @otp.on_call
    async def query(self, sql: str) -> list[str]:
        return [sql, self.dsn]


DB = otp.pool("db", Connection)
ANY = otp.pool("any")


def check_children() -> None:
    """A pool is a child like any other; its arguments are checked."""
    assert_type(otp.child(otp.Pool, otp.child(Connection, "x"), size=8), otp.Child[otp.Pool])
    otp.child(otp.Pool, Connection, size=8, max_overflow=4, idle_timeout=None)
    otp.child(otp.Pool, Connection)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    otp.pool("db", int)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportCallIssue]


async def check_checkouts() -> None:
    """The client has the methods of the class."""
    assert_type(DB, otp.PoolHandle[Connection])
    async with DB.checkout(timeout=1.0) as conn:
        assert_type(conn, Connection)
        assert_type(await conn.query("select 1"), list[str])
        await conn.query(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    async with ANY.checkout() as pid:
        assert_type(pid, otp.Pid[Any])
    DB.checkout(1.0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(DB.status(), otp.PoolStatus)
    assert_type(DB.status().restart_in, float | None)
