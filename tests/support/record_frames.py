"""Record what real Elixir sends, into `tests/data/elixir_frames.json`.

`python tests/support/record_frames.py` needs `elixir` and `epmd`; tests read what it has written.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trio_otp.cluster import Atom
from trio_otp.cluster.wire import epmd
from trio_otp.cluster.wire.codec import Codec
from trio_otp.cluster.wire.control import RegSend
from trio_otp.cluster.wire.frames import FrameReader
from trio_otp.cluster.wire.handshake import Acceptor, Connected, Initiator, Local, PeerNamed, Send
from trio_otp.cluster.wire.opaque import make_pid, make_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA: Final = Path(__file__).parents[1] / "data"
PORT: Final = 14_371  # of an epmd of its own
PY: Final = "py@127.0.0.1"
EX: Final = "ex@127.0.0.1"
CHALLENGE: Final = 0xC0FFEE
CREATION: Final = 0x1234_5678
ME: Final = make_pid(PY, 5, 0, CREATION)
LOCAL: Final = Local(PY, CREATION, b"secret")


def main() -> None:
    """Start Elixir, talk to it, and write the file."""
    listener = socket.create_server(("127.0.0.1", 0))
    environment = {**os.environ, "ERL_EPMD_PORT": str(PORT), "ERL_EPMD_ADDRESS": "127.0.0.1"}
    script = [str(DATA / "elixir_frames.exs")]
    with subprocess.Popen(
        ["elixir", "--name", EX, "--cookie", "secret", *script],
        env=environment, stdout=subprocess.PIPE, text=True,
    ) as elixir:  # fmt: skip
        try:
            assert elixir.stdout is not None
            release = elixir.stdout.readline().split()[-1]
            told = {"otp": release, **talk(listener)}
        finally:
            elixir.kill()
    subprocess.run(["epmd", "-port", str(PORT), "-kill"], check=False)
    text = json.dumps(told, indent=0, ensure_ascii=False)
    (DATA / "elixir_frames.json").write_text(text + "\n", encoding="utf-8")


def talk(listener: socket.socket) -> dict[str, Any]:
    """Return what Elixir says to what it is asked."""
    told: dict[str, Any] = {"port": exchange(epmd.port_request("ex"))}
    port = epmd.read_port(bytes.fromhex(told["port"]))
    assert port is not None
    assert port.port is not None
    keeper = socket.create_connection(("127.0.0.1", PORT))
    keeper.sendall(epmd.alive_request("py", listener.getsockname()[1]))
    told["alive"] = keeper.recv(100).hex()
    told["taken"] = exchange(epmd.alive_request("py", 4711))
    told["nobody"] = exchange(epmd.port_request("nobody"))

    peer = socket.create_connection(("127.0.0.1", port.port))
    told["initiator"] = shake(peer, Initiator(LOCAL, EX, challenge=CHALLENGE))
    for word in ("terms", "signals", "crash"):
        told[word] = ask(peer, (Atom(word), ME))
    alias = make_reference(PY, CREATION, (1, 2, 3))
    told["alias"] = ask(peer, (Atom("alias"), ME, alias))
    ask(peer, (Atom("connect"), Atom("py2@127.0.0.1")))  # there is no such node
    peer.close()

    bridge = socket.create_connection(("127.0.0.1", port.port))
    shake(bridge, Initiator(Local("other@127.0.0.1", 7, b"secret"), EX))
    bridge.sendall(Codec().encode(RegSend(ME, "main", (Atom("connect"), Atom(PY)))))
    accepted, _ = listener.accept()
    told["acceptor"] = shake(accepted, Acceptor(LOCAL, challenge=CHALLENGE))
    return told


def exchange(request: bytes) -> str:
    """Return what epmd answers."""
    with socket.create_connection(("127.0.0.1", PORT)) as stream:
        stream.sendall(request)
        answer = stream.recv(1000)
        while request[2:3] == b"z" and (more := stream.recv(1000)):
            answer += more
        return answer.hex()


def shake(stream: socket.socket, handshake: Initiator | Acceptor) -> list[str]:
    """Return what is sent and received, by turns; each begins with > or <."""
    said: list[str] = []
    todo = handshake.begin() if isinstance(handshake, Initiator) else []
    while True:
        for event in todo:
            match event:
                case Send(data):
                    stream.sendall(data)
                    said.append(">" + data.hex())
                case PeerNamed():
                    todo += handshake.answer("ok")  # type: ignore[union-attr]
                case Connected():
                    return said
        data = stream.recv(1000)
        said.append("<" + data.hex())
        todo = handshake.feed(data)


def ask(stream: socket.socket, term: Any) -> list[str]:
    """Return the frames that come when the process `main` gets a message."""
    stream.sendall(Codec().encode(RegSend(ME, "main", term)))
    return [frame.hex() for frame in frames(stream) if frame]


def frames(stream: socket.socket) -> Iterator[bytes]:
    """Yield what comes, until nothing has come for a second: nobody runs this but to record."""
    stream.settimeout(1.0)
    reader = FrameReader(4)
    try:
        while data := stream.recv(65536):
            reader.feed(data)
            while (frame := reader.next()) is not None:
                yield frame
    except TimeoutError:
        return


if __name__ == "__main__":
    main()
