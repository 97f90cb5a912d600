"""Real Elixir talks to a node of ours: what it sees is what another node of Elixir would show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cluster_kit import DeskNode
from desk import Switch

import trio_otp as otp

if TYPE_CHECKING:
    from pathlib import Path

    from beam_kit import Beam, Epmd, Orders

pytestmark = pytest.mark.interop

BOTH = pytest.mark.parametrize("ex", ["tcp", "tls"], indirect=True)  # 37: some over TLS, too

# Each term that the external format has a form for.
TERMS = """[
    0, 1, -1, 255, 256, 2147483647, -2147483648, 2147483648, -2147483649, 12345678901234567890,
    -12345678901234567890, Bitwise.bsl(1, 3000), -Bitwise.bsl(1, 3000), 1.5, -0.0, 1.0e300,
    :atom, :"", :"two words", :"ünïcödé", String.to_atom(String.duplicate("ü", 255)),
    nil, true, false, :undefined, "binary", "", <<0, 255>>, "ünï", <<1::1>>,
    <<5::3>>, <<1, 2, 3::7>>,
    [], [1, 2, 3], 'string', Enum.to_list(1..300), [1 | 2], [1, 2 | :c], [[], [[]]],
    {}, {1}, {1, {2, {3}}}, List.to_tuple(Enum.to_list(1..300)),
    %{}, %{a: 1}, %{1 => 2, "1" => 3}, %{1 => :a, 1.0 => :b}, %{true => 1, 1 => 2}, %{[1] => 2},
    %{%{} => %{}}, %{{1, [2]} => 3}, %RuntimeError{message: "x"}, 1..3, MapSet.new([1]),
    self(), make_ref(), hd(Port.list()), &Enum.map/2, fn x -> x end,
    Process.whereis(:init), {:error, %RuntimeError{message: "x"}}, {:ok, [a: 1]}
]"""


async def test_01_ping_and_hidden(ex: Orders) -> None:
    """It answers a ping, and is a hidden node."""
    code = "{Node.ping(PY), PY in Node.list(:hidden), PY in Node.list()}"
    assert await ex.run(code) == "{:pong, true, false}"


@BOTH
async def test_02_call(ex: Orders) -> None:
    """A call reaches the method of that name, by name and by pid."""
    assert await ex.run("GenServer.call({:desk, PY}, {:add, 1, 2})") == "3"
    code = "GenServer.call({:desk, PY}, :pid) |> GenServer.call({:add, 20, 22})"
    assert await ex.run(code) == "42"


async def test_03_casts_in_order_then_call(ex: Orders) -> None:
    """Ten thousand casts arrive in their order, and before the call behind them."""
    code = """
    for n <- 1..10_000, do: GenServer.cast({:desk, PY}, {:note, n})
    GenServer.call({:desk, PY}, :log) == Enum.to_list(1..10_000)
    """
    assert await ex.run(code) == "true"


async def test_04_every_term_is_echoed(ex: Orders) -> None:
    """What goes to us and back is what it was, to the last bit."""
    code = f"""
    for term <- {TERMS}, GenServer.call({{:desk, PY}}, {{:echo, term}}) !== term, do: term
    """
    assert await ex.run(code) == "[]"


async def test_05_three_megabytes(ex: Orders) -> None:
    """A large binary comes back, and a large list as well."""
    code = """
    for term <- [:crypto.strong_rand_bytes(3_000_000), Enum.to_list(1..100_000)],
        do: GenServer.call({:desk, PY}, {:echo, term}) == term
    """
    assert await ex.run(code) == "[true, true]"


async def test_06_noproc(ex: Orders) -> None:
    """Who calls nobody is told at once."""
    code = "catch_exit = fn -> GenServer.call({:nobody, PY}, :x) end; "
    code += "try do catch_exit.() catch :exit, {why, _} -> why end"
    assert await ex.run(code) == ":noproc"


async def test_07_timeout(ex: Orders) -> None:
    """Who waits too long gets the time-out of Elixir."""
    code = "try do GenServer.call({:desk, PY}, :never, 50) catch :exit, {why, _} -> why end"
    assert await ex.run(code) == ":timeout"


async def test_08_a_late_reply_is_harmless(ex: Orders) -> None:
    """What is answered after the time-out meets nobody."""
    code = """
    try do GenServer.call({:desk, PY}, :never, 50) catch :exit, {:timeout, _} -> :ok end
    answered = GenServer.call({:desk, PY}, {:answer_all, :late})
    GenServer.call({:desk, PY}, :pid)
    {answered, Process.info(self(), :messages)}
    """
    assert await ex.run(code) == "{1, {:messages, []}}"


async def test_09_the_reason_of_a_crash(ex: Orders) -> None:
    """Who called what crashes exits with the exception, as one of Elixir's own."""
    code = "try do GenServer.call({:desk, PY}, :crash) catch :exit, {why, _} -> why end"
    assert await ex.run(code) == '{%RuntimeError{message: "RuntimeError: boom"}, []}'


async def test_09_other_reasons(ex: Orders) -> None:
    """A reason that is a term is that term, and those of OTP are its atoms."""
    code = """
    stop = fn stop, reason ->
      try do GenServer.call({:desk, PY}, {:stop, reason})
      catch :exit, {:noproc, _} -> stop.(stop, reason)  # it has not been started again yet
            :exit, {why, _} -> why == reason end
    end
    for reason <- [:normal, :shutdown, {:shutdown, :why}, :bye, {:a, "b"}], do: stop.(stop, reason)
    """
    assert await ex.run(code) == "[true, true, true, true, true]"


async def test_09_an_error_that_is_raised_to_the_caller(ex: Orders) -> None:
    """What a method says it raises is an error tuple, and the server lives."""
    code = """
    pid = GenServer.call({:desk, PY}, :pid)
    {GenServer.call({:desk, PY}, {:refuse, "no"}), GenServer.call({:desk, PY}, :pid) == pid}
    """
    expected = """{{:error, %RuntimeError{message: "LookupError: b'no'"}}, true}"""
    assert await ex.run(code) == expected


async def test_09_wrong_arguments_hurt_nobody(ex: Orders) -> None:
    """A wrong number of arguments is answered by an error, and the server lives."""
    code = """
    pid = GenServer.call({:desk, PY}, :pid)
    {:error, %RuntimeError{message: text}} = GenServer.call({:desk, PY}, {:add, 1})
    {text =~ "TypeError", GenServer.call({:desk, PY}, :pid) == pid}
    """
    assert await ex.run(code) == "{true, true}"


async def test_09_a_binary_for_a_text(ex: Orders) -> None:
    """A parameter that is annotated `str` gets one, and the answer is a binary."""
    assert await ex.run('GenServer.call({:desk, PY}, {:greet, "Ünï"})') == '"hello, Ünï"'


@BOTH
async def test_10_down_by_name(ex: Orders) -> None:
    """A monitor of a name tells the name and the node, and the reason."""
    code = """
    ref = Process.monitor({:desk, PY})
    try do GenServer.call({:desk, PY}, {:stop, :bye}) catch :exit, _ -> :ok end
    receive do {:DOWN, ^ref, :process, {:desk, PY}, reason} -> reason end
    """
    assert await ex.run(code) == ":bye"


async def test_10_down_of_nobody(ex: Orders) -> None:
    """A monitor of a name that nobody has is told at once."""
    code = """
    ref = Process.monitor({:nobody, PY})
    receive do {:DOWN, ^ref, :process, {:nobody, PY}, reason} -> reason end
    """
    assert await ex.run(code) == ":noproc"


async def test_11_down_by_pid(ex: Orders) -> None:
    """A monitor of a pid tells that pid, and a second one of the dead as well."""
    code = """
    pid = GenServer.call({:desk, PY}, :pid)
    ref = Process.monitor(pid)
    try do GenServer.call({:desk, PY}, :crash) catch :exit, _ -> :ok end
    first = receive do {:DOWN, ^ref, :process, ^pid, reason} -> reason end
    ref = Process.monitor(pid)
    {first, receive do {:DOWN, ^ref, :process, ^pid, reason} -> reason end}
    """
    assert await ex.run(code) == '{{%RuntimeError{message: "RuntimeError: boom"}, []}, :noproc}'


async def test_12_demonitor(ex: Orders) -> None:
    """A monitor that is taken back tells nothing."""
    code = """
    ref = Process.monitor({:desk, PY})
    other = Process.monitor({:desk, PY})
    Process.demonitor(ref)
    GenServer.cast({:desk, PY}, {:note, 1})
    try do GenServer.call({:desk, PY}, {:stop, :bye}) catch :exit, _ -> :ok end
    receive do {:DOWN, ^other, _, _, :bye} -> :ok end
    Process.info(self(), :messages)
    """
    assert await ex.run(code) == "{:messages, []}"


@BOTH
async def test_13_link_their_end_is_heard_there(ex: Orders) -> None:
    """A link brings the reason of our process to theirs."""
    code = """
    Process.flag(:trap_exit, true)
    pid = GenServer.call({:desk, PY}, :pid)
    Process.link(pid)
    try do GenServer.call({:desk, PY}, {:stop, :bye}) catch :exit, _ -> :ok end
    receive do {:EXIT, ^pid, reason} -> reason end
    """
    assert await ex.run(code) == ":bye"


@BOTH
async def test_13_link_their_end_is_heard_here(ex: Orders) -> None:
    """A link brings the reason of their process to ours, which ends of it or is told."""
    code = """
    desk = GenServer.call({:desk, PY}, :pid)
    trapper = GenServer.call({:trapper, PY}, :pid)
    ref = Process.monitor(desk)
    pid = spawn(fn ->
      Process.link(desk)
      Process.link(trapper)
      exit(:bye)
    end)
    reason = receive do {:DOWN, ^ref, _, _, reason} -> reason end
    [{"exit", from, why}] = GenServer.call(trapper, :log)
    {reason, from == pid, why}
    """
    assert await ex.run(code) == "{:bye, true, :bye}"


async def test_13_link_made_here(ex: Orders) -> None:
    """A link that our process makes works in the same way."""
    code = """
    Process.flag(:trap_exit, true)
    me = self()
    true = GenServer.call({:desk, PY}, {:link, me})
    try do GenServer.call({:desk, PY}, {:stop, :bye}) catch :exit, _ -> :ok end
    receive do {:EXIT, _, reason} -> reason end
    """
    assert await ex.run(code) == ":bye"


async def test_13_link_to_the_dead(ex: Orders) -> None:
    """A link to a process that is gone says so."""
    code = """
    Process.flag(:trap_exit, true)
    pid = GenServer.call({:desk, PY}, :pid)
    try do GenServer.call(pid, {:stop, :bye}) catch :exit, _ -> :ok end
    Process.link(pid)
    receive do {:EXIT, ^pid, reason} -> reason end
    """
    assert await ex.run(code) == ":noproc"


async def test_14_unlink_race(ex: Orders) -> None:
    """Once a link is taken back, no end comes through it, however close it was."""
    code = """
    Process.flag(:trap_exit, true)
    for _ <- 1..200 do
      pid = GenServer.call({:desk, PY}, :pid)
      ref = Process.monitor(pid)
      Process.link(pid)
      Process.exit(pid, :bye)
      Process.unlink(pid)
      receive do {:EXIT, ^pid, _} -> :ok after 0 -> :ok end
      receive do {:DOWN, ^ref, _, _, reason} when reason in [:bye, :noproc] -> :ok end
      Process.sleep(0)
      {:messages, []} = Process.info(self(), :messages)
      again = fn again ->
        try do GenServer.call({:desk, PY}, :pid) catch :exit, _ -> again.(again) end
      end
      again.(again)
    end
    :done
    """
    assert await ex.run(code) == ":done"


async def test_15_kill_and_normal(ex: Orders) -> None:
    """`:normal` ends nobody, a trapper is told of it; `:kill` ends a trapper as well."""
    code = """
    desk = GenServer.call({:desk, PY}, :pid)
    trapper = GenServer.call({:trapper, PY}, :pid)
    Process.exit(desk, :normal)
    Process.exit(trapper, :normal)
    me = self()
    [{"exit", ^me, :normal}] = GenServer.call(trapper, :log)
    ^desk = GenServer.call({:desk, PY}, :pid)
    refs = for pid <- [desk, trapper], do: Process.monitor(pid)
    Process.exit(desk, :kill)
    Process.exit(trapper, :kill)
    for ref <- refs, do: (receive do {:DOWN, ^ref, _, _, reason} -> reason end)
    """
    assert await ex.run(code) == "[:killed, :killed]"


async def test_16_deferred_reply(ex: Orders) -> None:
    """A call that is put off is answered later, and others meanwhile."""
    code = """
    task = Task.async(fn -> GenServer.call({:desk, PY}, :never) end)
    wait = fn wait ->
      case GenServer.call({:desk, PY}, {:answer_all, :late}) do 0 -> wait.(wait); n -> n end
    end
    {wait.(wait), Task.await(task)}
    """
    assert await ex.run(code) == "{1, :late}"


async def test_17_reply_from_another_process(ex: Orders) -> None:
    """Another process of ours may answer."""
    assert await ex.run("GenServer.call({:desk, PY}, {:hand_over, {:a, 1}})") == "{:a, 1}"


async def test_18_the_name_of_a_restarted_server(ex: Orders) -> None:
    """After a restart by our supervisor the name leads to the next one."""
    code = """
    pid = GenServer.call({:desk, PY}, :pid)
    try do GenServer.call({:desk, PY}, :crash) catch :exit, _ -> :ok end
    again = fn again ->
      try do GenServer.call({:desk, PY}, :pid) catch :exit, {:noproc, _} -> again.(again) end
    end
    again.(again) != pid
    """
    assert await ex.run(code) == "true"


async def test_19_genserver_stop(ex: Orders) -> None:
    """`GenServer.stop` ends a server of ours for its reason, and says what went wrong."""
    code = """
    ref = Process.monitor({:desk, PY})
    stopped = GenServer.stop({:desk, PY}, :shutdown)
    reason = receive do {:DOWN, ^ref, _, _, reason} -> reason end
    nobody = try do GenServer.stop({:nobody, PY}) catch :exit, {why, _} -> why end
    {stopped, reason, nobody}
    """
    assert await ex.run(code) == "{:ok, :shutdown, :noproc}"


async def test_19_sys(ex: Orders) -> None:
    """What `:sys` asks is answered, as far as it needs no function; what is not asks nobody."""
    code = """
    for _ <- 1..2, :ok = :sys.suspend({:desk, PY}), do: :ok = :sys.resume({:desk, PY})
    {:status, pid, {:module, _}, [_, :running, _, [], text]} = :sys.get_status({:desk, PY})
    refused = try do :sys.replace_state({:desk, PY}, & &1) catch :error, {why, _} -> why end
    {:sys.get_state({:desk, PY}) =~ "Desk object", is_binary(text), refused,
     pid == GenServer.call({:desk, PY}, :pid)}
    """
    assert await ex.run(code) == "{true, true, :unknown_system_msg, true}"


async def test_19_what_needs_code_is_refused_at_once(ex: Orders) -> None:
    """No code travels: the BEAM itself tells who wants to run some here."""
    code = """
    {:rpc.call(PY, :erlang, :node, []),
     try do :erpc.call(PY, :erlang, :node, []) catch :error, why -> why end,
     :erlang.spawn_request(PY, :erlang, :node, []) |> then(fn ref ->
       receive do {:spawn_reply, ^ref, :error, why} -> why end end)}
    """
    assert await ex.run(code) == "{{:badrpc, :notsup}, {:erpc, :notsup}, :notsup}"


async def test_20_gen_statem(ex: Orders) -> None:
    """`:gen_statem` calls and casts reach a machine of ours."""
    async with otp.open_supervisor([otp.child(Switch).having(name="switch")]):
        code = """
        first = :gen_statem.call({:switch, PY}, :flip)
        :gen_statem.cast({:switch, PY}, :flip)
        {first, :gen_statem.call({:switch, PY}, :flip)}
        """
        assert await ex.run(code) == "{:on, :on}"


async def test_21_multi_call_and_abcast(ex: Orders) -> None:
    """One call to all nodes counts us, and who has no such server is bad."""
    code = """
    :abcast = GenServer.abcast([PY], :desk, {:note, 1})
    {replies, bad} = GenServer.multi_call([PY], :desk, :log)
    {replies == [{PY, [1]}], bad, GenServer.multi_call([PY], :nobody, :log) == {[], [PY]}}
    """
    assert await ex.run(code) == "{true, [], true}"


async def test_22_node_monitor(beam: Beam, epmd: Epmd, cookie_file: Path, name: str) -> None:
    """A node of ours that is killed is down at once, and all that was open is told."""
    node = DeskNode(name, cookie_file, epmd).wait_up()
    try:
        async with beam.open(PY=name) as ex:
            order = await ex.start("""
            Process.flag(:trap_exit, true)
            pid = GenServer.call({:desk, PY}, :pid)
            Node.monitor(PY, true)
            ref = Process.monitor(pid)
            Process.link(pid)
            task = Task.async(fn ->
              try do GenServer.call(pid, :never) catch :exit, {why, _} -> why end
            end)
            wait = fn wait -> if Process.info(task.pid, :status) == {:status, :waiting},
                                 do: :ok, else: wait.(wait) end
            wait.(wait)
            Orders.say(:killed)
            {receive do {:nodedown, PY} -> :nodedown end,
             receive do {:DOWN, ^ref, _, _, reason} -> reason end,
             receive do {:EXIT, ^pid, reason} -> reason end, elem(Task.await(task), 0)}
            """)
            await order.said()
            node.kill()
            expected = "{:nodedown, :noconnection, :noconnection, :nodedown}"
            assert await order.result() == expected
    finally:
        node.close()


async def test_23_a_pid_of_an_old_creation(
    beam: Beam, epmd: Epmd, cookie_file: Path, name: str
) -> None:
    """After a restart of our node a pid of before is nobody, and the name leads to the new one."""
    node = DeskNode(name, cookie_file, epmd).wait_up()
    try:
        async with beam.open(PY=name) as ex:
            await ex.run("Agent.start(fn -> GenServer.call({:desk, PY}, :pid) end, name: :kept)")
            node.kill()
            node.close()
            node = DeskNode(name, cookie_file, epmd).wait_up()
            code = """
            old = Agent.get(:kept, & &1)
            Agent.stop(:kept)
            send(old, :lost)
            ref = Process.monitor(old)
            {try do GenServer.call(old, :pid) catch :exit, {why, _} -> why end,
             receive do {:DOWN, ^ref, _, _, reason} -> reason end,
             GenServer.call({:desk, PY}, :pid) == old, GenServer.call({:desk, PY}, :log)}
            """
            assert await ex.run(code) == "{:noproc, :noproc, false, []}"
    finally:
        node.close()
