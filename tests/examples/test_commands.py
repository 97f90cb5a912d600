"""Commands of the cache service: every request becomes a command or a Redis-style error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.cache_service.commands import (
    Auth,
    Command,
    CommandError,
    ConfigGet,
    DbSize,
    Delete,
    Echo,
    Exists,
    Expire,
    Export,
    Get,
    Hello,
    Increment,
    Info,
    Inquiry,
    Keys,
    Lifetime,
    Ping,
    Quit,
    Remark,
    Scan,
    Select,
    Set,
    Ttl,
)
from examples.cache_service.parsing import HttpError, parse

NOT_AN_INTEGER = "ERR value is not an integer or out of range"
SYNTAX = "ERR syntax error"
NOAUTH = "NOAUTH Authentication required."
PLAIN = "cannot contain spaces, newlines or special characters."


def refusal(line: bytes) -> str:
    """Return the error for the words of a line."""
    with pytest.raises(CommandError) as caught:
        parse(line.split())
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"GET k", Get(b"k")),
        (b"get k", Get(b"k")),
        (b"SET k v", Set(b"k", b"v")),
        (b"SET k v ex 10", Set(b"k", b"v", Lifetime(10.0))),
        (b"SET k v PX 1500", Set(b"k", b"v", Lifetime(1.5))),
        (b"SET k v EXAT 2000", Set(b"k", b"v", Lifetime(2000.0, absolute=True))),
        (b"SET k v PXAT 2500", Set(b"k", b"v", Lifetime(2.5, absolute=True))),
        (b"SET k v NX", Set(b"k", b"v", None, "NX")),
        (b"SET k v PX 5 xx", Set(b"k", b"v", Lifetime(0.005), "XX")),
        (b"SET k v NX NX", Set(b"k", b"v", None, "NX")),
        (b"DEL a b a", Delete((b"a", b"b", b"a"))),
        (b"EXISTS a b", Exists((b"a", b"b"))),
        (b"INCR n", Increment(b"n")),
        (b"EXPIRE k 5", Expire(b"k", Lifetime(5.0))),
        (b"EXPIRE k -1", Expire(b"k", Lifetime(-1.0))),
        (b"PEXPIRE k 5", Expire(b"k", Lifetime(0.005))),
        (b"PERSIST k", Expire(b"k", None)),
        (b"TTL k", Ttl(b"k")),
        (b"PTTL k", Ttl(b"k", 1000)),
        (b"DBSIZE", DbSize()),
        (b"SELECT 3", Select(3)),
        (b"INCRBY n -5", Increment(b"n", -5)),
        (b"DECR n", Increment(b"n", -1)),
        (b"decrby n 5", Increment(b"n", -5)),
        (b"EXPORT a/b.resp", Export("a/b.resp")),
        (b"PING", Ping()),
        (b"PING hello", Ping(b"hello")),
        (b"ECHO hello", Echo(b"hello")),
        (b"QUIT", Quit()),
        (b"HELLO", Hello()),
        (b"HELLO 2", Hello(2)),
        (b"HELLO 3", Hello(3)),
        (b"hello 3 auth default secret setname me", Hello(3, Auth(b"secret", b"default"))),
        (b"AUTH secret", Auth(b"secret")),
        (b"AUTH default secret", Auth(b"secret", b"default")),
        (b"INFO", Info()),
        (b"INFO Server ALL", Info(("server", "all"))),
        (b"KEYS h?llo*", Keys(b"h?llo*")),
        (b"SCAN 0", Scan(0)),
        (b"scan 18446744073709551615 count 5", Scan(2**64 - 1, count=5)),
        (b"SCAN 017 TYPE String MATCH a* match b*", Scan(17, b"b*")),
        (b"SCAN 0 TYPE hash", Scan(0, kind=b"hash")),
        (b"CONFIG GET save append*", ConfigGet((b"save", b"append*"))),
        (b"COMMAND", Inquiry()),
        (b"COMMAND DOCS", Inquiry()),
        (b"CLIENT SETNAME me", Remark()),
        (b"CLIENT SETINFO LIB-NAME x", Remark()),
        (b"CLIENT NO-EVICT on", Remark()),
    ],
)
def test_request_becomes_command(line: bytes, command: Command) -> None:
    """The words of a request are one typed command, whatever the case of its name."""
    assert command == parse(line.split())


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"FLY", "ERR unknown command 'FLY', with args beginning with: "),
        (b"fly me moon", "ERR unknown command 'fly', with args beginning with: 'me' 'moon' "),
        (b"GET", "ERR wrong number of arguments for 'get' command"),
        (b"GET a b", "ERR wrong number of arguments for 'get' command"),
        (b"SeT k", "ERR wrong number of arguments for 'set' command"),
        (b"DEL", "ERR wrong number of arguments for 'del' command"),
        (b"PING a b", "ERR wrong number of arguments for 'ping' command"),
        (b"DBSIZE x", "ERR wrong number of arguments for 'dbsize' command"),
        (b"SET k v FAST", SYNTAX),
        (b"SET k v EX", SYNTAX),
        (b"SET k v EX 1 PX 1", SYNTAX),
        (b"SET k v NX XX", SYNTAX),
        (b"SET k v EX ten", NOT_AN_INTEGER),
        (b"SET k v EX 1.5", NOT_AN_INTEGER),
        (b"SET k v EX 0", "ERR invalid expire time in 'set' command"),
        (b"SET k v PX -5", "ERR invalid expire time in 'set' command"),
        (b"SET k v EX 9223372036854775807", "ERR invalid expire time in 'set' command"),
        (b"EXPIRE k soon", NOT_AN_INTEGER),
        (b"EXPIRE k 9223372036854775807", "ERR invalid expire time in 'expire' command"),
        (b"PEXPIRE k -9223372036854775808", "ERR invalid expire time in 'pexpire' command"),
        (b"SELECT one", NOT_AN_INTEGER),
        (b"SELECT 99999999999999999999", NOT_AN_INTEGER),
        (b"INCRBY n", "ERR wrong number of arguments for 'incrby' command"),
        (b"INCRBY n 1.5", NOT_AN_INTEGER),
        (b"DECRBY n 9223372036854775808", NOT_AN_INTEGER),
        (b"DECRBY n -9223372036854775808", "ERR decrement would overflow"),
        (b"HELLO 1", "NOPROTO unsupported protocol version"),
        (b"HELLO 4", "NOPROTO unsupported protocol version"),
        (b"HELLO three", "ERR Protocol version is not an integer or out of range"),
        (b"HELLO 99999999999999999999", "ERR Protocol version is not an integer or out of range"),
        (b"HELLO 3 AUTH default", "ERR Syntax error in HELLO option 'AUTH'"),
        (b"HELLO 3 SETNAME", "ERR Syntax error in HELLO option 'SETNAME'"),
        (b"HELLO 3 SETNAME \xff", f"ERR Client names {PLAIN}"),
        (b"HELLO 3 FAST", "ERR Syntax error in HELLO option 'FAST'"),
        (b"AUTH", "ERR wrong number of arguments for 'auth' command"),
        (b"AUTH a b c", SYNTAX),
        (b"KEYS", "ERR wrong number of arguments for 'keys' command"),
        (b"KEYS a b", "ERR wrong number of arguments for 'keys' command"),
        (b"SCAN", "ERR wrong number of arguments for 'scan' command"),
        (b"SCAN -1", "ERR invalid cursor"),
        (b"SCAN x", "ERR invalid cursor"),
        (b"SCAN 18446744073709551616", "ERR invalid cursor"),
        (b"SCAN 0 COUNT", SYNTAX),
        (b"SCAN 0 COUNT 0", SYNTAX),
        (b"SCAN 0 COUNT ten", NOT_AN_INTEGER),
        (b"SCAN 0 FAST", SYNTAX),
        (b"CLIENT SETNAME", "ERR wrong number of arguments for 'client|setname' command"),
        (b"CLIENT SETNAME \x01", f"ERR Client names {PLAIN}"),
        (b"CLIENT SETINFO lib-ver \x01", f"ERR lib-ver {PLAIN}"),
        (b"CLIENT SETINFO lib-age 1", "ERR Unrecognized option 'lib-age'"),
        (b"CLIENT NO-TOUCH maybe", SYNTAX),
        (b"CONFIG SET save 1", "ERR unsupported CONFIG subcommand 'SET'"),
        (b"CONFIG GET", "ERR unsupported CONFIG subcommand 'GET'"),
        (b"CLIENT KILL me", "ERR unsupported CLIENT subcommand 'KILL'"),
    ],
)
def test_wrong_request_is_refused_as_in_redis(line: bytes, text: str) -> None:
    """An unknown command, a wrong number of arguments and wrong arguments each have their error."""
    assert text == refusal(line)


@pytest.mark.parametrize(
    "line", [b"SET k v FAST", b"PING", b"INFO", b"CLIENT SETNAME me", b"KEYS *"]
)
def test_nothing_is_read_of_who_has_not_shown_who_it_is(line: bytes) -> None:
    """Until then a command is refused whatever its arguments are; unknown ones are told first."""
    with pytest.raises(CommandError, match=NOAUTH):
        parse(line.split(), authenticated=False)


@pytest.mark.parametrize("line", [b"AUTH x", b"HELLO 3", b"QUIT"])
def test_anybody_may_show_who_it_is(line: bytes) -> None:
    """What it takes for that, and leaving, is allowed to all."""
    assert parse(line.split(), authenticated=False) == parse(line.split())


@pytest.mark.parametrize("line", [b"FLY", b"GET"])
def test_what_is_no_command_is_told_anybody(line: bytes) -> None:
    """As in Redis, a command that is unknown or incomplete is told before a password is asked."""
    with pytest.raises(CommandError, match="ERR"):
        parse(line.split(), authenticated=False)


@pytest.mark.parametrize(
    "path",
    [b"", b"a\0b", b"\xff", b"/a", b"//a", b"..", b".", b"../a", b"a/../../b", b"a/./b", b"a/"],
)
def test_export_needs_a_path_below_its_directory(path: bytes) -> None:
    """What can be no path, or leads elsewhere, is refused before anything is tried with it."""
    with pytest.raises(CommandError, match="path of an export"):
        parse([b"EXPORT", path])


@pytest.mark.parametrize(
    "line",
    [
        b"POST / HTTP/1.1",
        b"post",
        b"GET / HTTP/1.1",
        b"get /?q=1 http/1.0",
        b"PUT /x HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"Host: localhost:6379",
        b"host:localhost",
        b"Content-Length: 17",
    ],
)
def test_http_is_told_from_other_mistakes(line: bytes) -> None:
    """A line of HTTP is no command, and the error says so that it is one."""
    with pytest.raises(HttpError):
        parse(line.split())


@pytest.mark.parametrize("line", [b"SET post HTTP/1.1", b"DEL a HTTP/1.1", b"GET host:"])
def test_a_command_may_be_about_http(line: bytes) -> None:
    """What is a command is carried out, whatever its arguments look like."""
    assert parse(line.split())


@pytest.mark.parametrize("text", [b"", b" 1", b"1 ", b"+1", b"01", b"-0", b"1_000", b"\xd9\xa1"])
def test_numbers_are_strict(text: bytes) -> None:
    """What Redis takes for no number is none, also where Python would read one."""
    with pytest.raises(CommandError, match=NOT_AN_INTEGER):
        parse([b"SELECT", text])


def test_error_quotes_a_little_of_the_request() -> None:
    """However much a client sends as an unknown command, the error is short."""
    with pytest.raises(CommandError) as caught:
        parse([b"x" * 10_000, *[b"y" * 100] * 500])

    assert len(str(caught.value)) < 500


@given(
    st.lists(st.binary(max_size=8), min_size=1, max_size=6)
    | st.tuples(
        st.sampled_from([b"SET", b"EXPIRE", b"CONFIG", b"HELLO", b"CLIENT", b"EXPORT", b"SELECT"]),
        st.lists(
            st.sampled_from(
                [b"k", b"EX", b"PX", b"PXAT", b"NX", b"XX", b"1", b"-1", b"GET", b"9" * 19]
            )
            | st.binary(max_size=8),
            max_size=6,
        ),
    ).map(lambda parts: [parts[0], *parts[1]])
)
def test_any_request_is_a_command_or_an_error(request: list[bytes]) -> None:
    """No request raises anything but the error that the client gets, which is one line."""
    try:
        parse(request)
    except CommandError as exc:
        code = str(exc).split(" ")[0]
        assert code in ("ERR", "NOPROTO")
