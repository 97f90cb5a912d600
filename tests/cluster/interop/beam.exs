# An Elixir node that takes orders: a line "ID CODE" on stdin, the code in Base64, is evaluated in a
# process of its own. What it says goes to stdout as "ID KIND TEXT", the text in Base64: `say` while
# it runs, then `ok` with what it returns, or `exit` with why it failed.
defmodule Orders do
  def loop do
    case IO.read(:stdio, :line) do
      line when is_binary(line) ->
        [id, code] = String.split(String.trim(line), " ")
        spawn(fn -> carry_out(id, Base.decode64!(code)) end)
        loop()

      _eof ->
        System.halt(0)
    end
  end

  defp carry_out(id, code) do
    Process.put(:order, id)

    try do
      {value, _} = Code.eval_string(code)
      answer("ok", value)
    catch
      kind, reason -> answer("exit", {kind, reason})
    end
  end

  def say(value), do: answer("say", value)

  defp answer(kind, value) do
    text = inspect(value, limit: :infinity, printable_limit: :infinity)
    IO.puts([Process.get(:order), " ", kind, " ", Base.encode64(text)])
  end
end

# What the tests call: it keeps what it is told, and does with itself what it is asked for.
defmodule Desk do
  use GenServer
  def start(name, opts \\ []), do: GenServer.start(__MODULE__, opts, name: name)
  def start_link(name, opts \\ []), do: GenServer.start_link(__MODULE__, opts, name: name)

  @impl true
  def init(opts) do
    if opts[:trap], do: Process.flag(:trap_exit, true)
    {:ok, []}
  end

  @impl true
  def handle_call({:add, a, b}, _from, log), do: {:reply, a + b, log}
  def handle_call({:echo, term}, _from, log), do: {:reply, term, log}
  def handle_call(:log, _from, log), do: {:reply, Enum.reverse(log), log}
  def handle_call(:me, {pid, _tag}, log), do: {:reply, pid, log}
  def handle_call(:pid, _from, log), do: {:reply, self(), log}
  def handle_call(:crash, _from, _log), do: raise("boom")
  def handle_call({:exit, reason}, _from, _log), do: exit(reason)
  def handle_call({:stop, reason}, _from, log), do: {:stop, reason, log}
  def handle_call(:never, _from, log), do: {:noreply, log}
  def handle_call({:refuse, why}, _from, log), do: {:reply, {:error, why}, log}
  def handle_call(:raised, _from, log), do: {:reply, {:error, %RuntimeError{message: "no"}}, log}

  def handle_call({:watch_me, why}, {pid, _tag}, log) do
    Process.monitor(pid)
    {:reply, why, log}
  end

  def handle_call({:watch, pid}, _from, log), do: {:reply, Process.monitor(pid), log}
  def handle_call({:link, pid}, _from, log), do: {:reply, Process.link(pid), log}
  def handle_call({:unlink, pid}, _from, log), do: {:reply, Process.unlink(pid), log}

  def handle_call({:later, ms}, from, log) do
    Process.send_after(self(), {:answer, from, :late}, ms)
    {:noreply, log}
  end

  def handle_call({:hand_over, term}, from, log) do
    spawn(fn -> GenServer.reply(from, term) end)
    {:noreply, log}
  end

  def handle_call({:tell, term}, {pid, _tag}, log) do
    send(pid, term)
    {:reply, :ok, log}
  end

  @impl true
  def handle_cast({:tell, pid, term}, log) do
    send(pid, term)
    {:noreply, log}
  end

  def handle_cast({:note, term}, log), do: {:noreply, [term | log]}
  def handle_cast(term, log), do: {:noreply, [term | log]}

  @impl true
  def handle_info({:answer, from, term}, log) do
    GenServer.reply(from, term)
    {:noreply, log}
  end

  def handle_info(term, log), do: {:noreply, [term | log]}
end

Logger.configure(level: :none)
:logger.set_primary_config(:level, :none)
IO.puts("up")
Orders.loop()
