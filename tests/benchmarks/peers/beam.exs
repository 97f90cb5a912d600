# The process of the peer Elixir: the same orders and answers as worker.py, the same work.

defmodule Server do
  use GenServer

  def init(total), do: {:ok, total}
  def handle_call(:total, _from, total), do: {:reply, total, total}
  def handle_call(request, _from, total), do: {:reply, request + 1, total}
  def handle_cast(:crash, _total), do: exit(:shutdown)
  def handle_cast(message, total), do: {:noreply, total + message}
end

defmodule Turnstile do
  @behaviour :gen_statem

  def callback_mode, do: :state_functions
  def init(_), do: {:ok, :locked, 0}
  def locked(:cast, :go, total), do: {:next_state, :unlocked, total + 1}
  def locked({:call, from}, :go, total), do: {:next_state, :unlocked, total + 1, {:reply, from, total + 1}}
  def unlocked(:cast, :go, total), do: {:next_state, :locked, total + 1}
  def unlocked({:call, from}, :go, total), do: {:next_state, :locked, total + 1, {:reply, from, total + 1}}
end

defmodule Reporter do
  # A child that tells its starter when it has been started.
  use GenServer

  def child_spec({id, starter}) do
    %{id: id, start: {GenServer, :start_link, [__MODULE__, {id, starter}]}}
  end

  def init({id, starter}) do
    send(starter, {:started, id, self()})
    {:ok, starter}
  end

  def handle_cast(:crash, _), do: exit(:shutdown)
end

defmodule Work do
  @races ~w(call concurrent cast trickle start stop memory restart one_for_all task stream statem
            register lookup dispatch)

  def races, do: @races

  def timed(fun) do
    start = System.monotonic_time(:nanosecond)
    count = fun.()
    {(System.monotonic_time(:nanosecond) - start) / 1.0e9, count}
  end

  def run("call", n) do
    served(fn pid -> timed(fn -> ask(pid, n) end) end)
  end

  def run("concurrent", n) do
    callers = min(n, 100)

    served(fn pid ->
      timed(fn ->
        1..callers
        |> Enum.map(fn _ -> Task.async(fn -> ask(pid, div(n, callers)) end) end)
        |> Task.await_many(60_000)
        |> Enum.sum()
      end)
    end)
  end

  def run("cast", n) do
    served(fn pid ->
      timed(fn ->
        repeat(n, fn -> GenServer.cast(pid, 1) end)
        GenServer.call(pid, :total, 60_000)
      end)
    end)
  end

  def run("trickle", n) do
    served(fn pid ->
      timed(fn ->
        repeat(n, fn ->
          GenServer.cast(pid, 1)
          :erlang.yield()
        end)

        GenServer.call(pid, :total, 60_000)
      end)
    end)
  end

  def run("start", n) do
    {seconds, pids} = timed(fn -> for _ <- 1..n, do: elem(GenServer.start(Server, 0), 1) end)
    Enum.each(pids, &GenServer.stop/1)
    {seconds, length(pids)}
  end

  def run("stop", n) do
    timed(fn ->
      repeat(n, fn ->
        {:ok, pid} = GenServer.start(Server, 0)
        :ok = GenServer.stop(pid)
      end)

      n
    end)
  end

  def run("memory", n) do
    {:ok, first} = GenServer.start(Server, 0)
    pids = for _ <- 1..n, do: elem(GenServer.start(Server, 0), 1)
    bytes = pids |> Enum.map(fn pid -> elem(Process.info(pid, :memory), 1) end) |> Enum.sum()
    Enum.each([first | pids], &GenServer.stop/1)
    {bytes * 1.0, length(pids)}
  end

  def run("restart", n) do
    {:ok, sup} = supervisor([{Reporter, {0, self()}}], :one_for_one)
    first = started()

    sample =
      timed(fn ->
        Enum.reduce(1..n, first, fn _, pid ->
          GenServer.cast(pid, :crash)
          started()
        end)

        n
      end)

    Supervisor.stop(sup)
    sample
  end

  def run("one_for_all", n) do
    {:ok, sup} = supervisor(for(id <- 1..n, do: {Reporter, {id, self()}}), :one_for_all)
    [first | _] = for _ <- 1..n, do: started()

    sample =
      timed(fn ->
        GenServer.cast(first, :crash)
        length(for _ <- 1..n, do: started())
      end)

    Supervisor.stop(sup)
    sample
  end

  def run("task", n) do
    timed(fn -> Enum.reduce(1..n, 0, fn _, sum -> sum + Task.await(Task.async(fn -> 1 end)) end) end)
  end

  def run("stream", n) do
    timed(fn ->
      1..n
      |> Task.async_stream(fn _ -> 1 end, max_concurrency: 8)
      |> Enum.reduce(0, fn {:ok, one}, sum -> sum + one end)
    end)
  end

  def run("statem", n) do
    {:ok, pid} = :gen_statem.start(Turnstile, nil, [])

    sample =
      timed(fn ->
        repeat(n - 1, fn -> :gen_statem.cast(pid, :go) end)
        :gen_statem.call(pid, :go)
      end)

    :gen_statem.stop(pid)
    sample
  end

  def run("register", n) do
    registry(:unique, fn ->
      timed(fn ->
        Enum.each(1..n, fn key -> {:ok, _} = Registry.register(Reg, key, nil) end)
        Registry.count(Reg)
      end)
    end)
  end

  def run("lookup", n) do
    registry(:unique, fn ->
      Enum.each(1..n, fn key -> {:ok, _} = Registry.register(Reg, key, nil) end)

      timed(fn ->
        Enum.reduce(1..n, 0, fn key, sum -> sum + length(Registry.lookup(Reg, key)) end)
      end)
    end)
  end

  def run("dispatch", n) do
    registry(:duplicate, fn ->
      me = self()

      pids =
        for _ <- 1..n do
          spawn_link(fn ->
            Registry.register(Reg, :key, nil)
            send(me, :registered)
            receive do: (:end -> :ok)
          end)
        end

      for _ <- 1..n, do: receive(do: (:registered -> :ok))
      counter = :counters.new(1, [])

      sample =
        timed(fn ->
          Registry.dispatch(Reg, :key, fn entries ->
            for {pid, _} <- entries, do: send(pid, :message)
            :counters.add(counter, 1, length(entries))
          end)

          :counters.get(counter, 1)
        end)

      Enum.each(pids, &send(&1, :end))
      sample
    end)
  end

  defp supervisor(children, strategy) do
    Supervisor.start_link(children, strategy: strategy, max_restarts: 1_000_000, max_seconds: 1)
  end

  defp started do
    receive do: ({:started, _, pid} -> pid)
  end

  defp served(fun) do
    {:ok, pid} = GenServer.start(Server, 0)
    sample = fun.(pid)
    GenServer.stop(pid)
    sample
  end

  defp registry(keys, fun) do
    Process.flag(:trap_exit, true)  # whoever has a key is linked
    {:ok, sup} = Supervisor.start_link([{Registry, keys: keys, name: Reg}], strategy: :one_for_one)
    sample = fun.()
    Supervisor.stop(sup)
    sample
  end

  defp ask(pid, n), do: Enum.reduce(0..(n - 1), 0, fn i, _ -> GenServer.call(pid, i) end)
  defp repeat(0, _), do: :ok
  defp repeat(n, fun), do: (fun.(); repeat(n - 1, fun))
end

defmodule Worker do
  def serve do
    case IO.gets("") do
      :eof ->
        :ok

      line ->
        [race, n] = String.split(line)
        answer(race, String.to_integer(n))
        serve()
    end
  end

  # Each order is carried out in a process of its own, so nothing is left for the next.
  defp answer(race, n) do
    {pid, ref} = spawn_monitor(fn -> exit({:sample, Work.run(race, n)}) end)

    receive do
      {:DOWN, ^ref, :process, ^pid, {:sample, {amount, count}}} -> IO.puts("ok #{amount} #{count}")
      {:DOWN, ^ref, :process, ^pid, reason} -> IO.puts("no #{inspect(reason, limit: 5)}")
    end
  end
end

Logger.configure(level: :none)
IO.puts("ready " <> Enum.join(Work.races(), " "))
Worker.serve()
