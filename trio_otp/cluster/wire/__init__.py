"""The protocol of Erlang's distribution, without a socket: bytes in, events out. No Trio in here.

How the shell uses it, one connection after another:

    # before: epmd, over a connection of its own
    await stream.send_all(alive_request("py", 4711))        # epmd.py: whole requests, with lengths
    answer = read_alive(received)                           # `Alive(creation)`; None: incomplete
    answer = read_port(received)                            # `Found(port)`, the same way

    # handshake.py: one object for one connection, for either role
    local = Local("py@host", creation, cookie)              # flags are those of a hidden node
    shake = Initiator(local, "ex@host", width=2)            # 4 over TLS
    shake = Acceptor(local, width=2)
    for event in shake.begin() or shake.feed(received):     # `feed` takes any pieces of bytes
        match event:
            case Send(data): await stream.send_all(data)
            case PeerNamed(peer):                           # acceptor: decide about simultaneous
                events = shake.answer("ok")                 # connections: ok, ok_simultaneous, nok,
            case Connected(peer, rest): ...                 # alive, not_allowed
    # Raises HandshakeError(kind, text): "cookie", "nok", "alive", "not_allowed", "flags", "name",
    # "garbage"; `keeps_own(local, peer)` is the rule of simultaneous connections.

    # frames.py: from then on frames of 4-byte lengths, b"" is a tick
    frames = FrameReader(4, limit=max_frame)
    frames.feed(rest)
    while (payload := frames.next()) is not None: ...       # raises DecodeError if too long

    # control.py: one frame is a control message, with what it carries; dataclasses
    link = Codec(load_pid=..., load_reference=..., dumps={Pid: ..., RemotePid: ...},
                 pids=(Pid, RemotePid), references=(...), limits=Limits())
    message = link.decode(payload)                          # Send, RegSend, Link, Exit, ... or Tick
    data = link.encode(RegSend(me, "counter", term))        # a whole frame; a TypeError names what
                                                            # has no form, in the sender
    heads = link.heads(me, Atom("counter"))                 # for what is frequent, the same frames
    data = heads.call(ref.data, term)                       # made of what they have in common
    # A payload of more than `LARGE` bytes is decoded in a thread, in the order of frames:
    message = await trio.to_thread.run_sync(link.decode, payload)

Rules:

* `load_pid(WirePid) -> object` and `load_reference(Reference) -> object` turn what comes in into
  objects of the caller; they are called in a thread for a large frame, so they lock. `dumps` says
  by exact class what goes out in the place of an object: a `WirePid`, a `Reference`, any term.
  `make_pid(node, number, serial, creation)` and `make_reference(node, creation, numbers)` in
  `opaque` make them; both are equal and hashable by their bytes, which are their `data`.
* Encoding and decoding share nothing that changes, so the loop may encode while a thread decodes.
  One connection has one `Codec`, and decodes one frame after the other.
* What is decoded can be relied on: a `to` is a pid or a name, a `ref` a reference, and so on.
* Reasons in control messages are those of this library already: `Reason`, `Shutdown`, `RemoteError`
  for crashes. `reasons.error_in(term)` is the `RemoteError` in a reply `{:error, exception}`, and
  `reasons.error_reply(exc)` such a reply.
* Exceptions go out anywhere in a term as `%RuntimeError{message: "ValueError: boom"}`.
* Each error of the decoder is a `DecodeError`. It ends the connection that the bytes came from.

Follows: Erlang's `erl_dist_protocol` and `erl_ext_dist`.
"""
