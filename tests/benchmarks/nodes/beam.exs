# A node of Elixir with a server, which measures what it is told: "call NODE IN_FLIGHT N" on stdin is
# answered with the seconds that took, "cast NODE 1 N" as well.
defmodule Server do
  use GenServer
  def init(total), do: {:ok, total}
  def handle_call(:total, _from, total), do: {:reply, total, total}
  def handle_call({:add, number}, _from, total), do: {:reply, number + 1, total}
  def handle_cast({:note, number}, total), do: {:noreply, total + number}
end

defmodule Lane do
  def run("call", server, 1, n), do: ask(server, n)

  def run("call", server, in_flight, n) do
    1..in_flight
    |> Enum.map(fn _ -> Task.async(fn -> ask(server, div(n, in_flight)) end) end)
    |> Task.await_many(60_000)
  end

  def run("cast", server, 1, n) do
    for _ <- 1..n, do: GenServer.cast(server, {:note, 1})
    GenServer.call(server, :total, 60_000)
  end

  defp ask(server, n), do: Enum.each(1..n, fn i -> GenServer.call(server, {:add, i}) end)

  def serve do
    case IO.gets("") do
      :eof ->
        :ok

      line ->
        [what, node, in_flight, n] = String.split(line)
        server = {:server, String.to_atom(node)}
        GenServer.call(server, :total)
        # In a process of its own, as that of the script has a group leader to answer.
        task = fn -> run(what, server, String.to_integer(in_flight), String.to_integer(n)) end
        {micros, _} = :timer.tc(fn -> Task.await(Task.async(task), :infinity) end)
        IO.puts("#{micros / 1.0e6}")
        serve()
    end
  end
end

Logger.configure(level: :none)
{:ok, _} = GenServer.start(Server, 0, name: :server)
IO.puts("up")
Lane.serve()
