# Runs random operations on Erlang's pg and prints what could be seen, as JSON:
#   elixir tests/data/random_pg.exs > tests/data/random_pg.json
# Each case is a list of [operation, what it returned, members of g and h, groups, messages].
# Members are numbers; one that was killed has a successor of the same number from then on.
:rand.seed(:exsss, {1, 2, 3})

defmodule Case do
  @groups [:g, :h]

  def run(number) do
    scope = :"scope#{number}"
    {:ok, pid} = :pg.start_link(scope)
    one = elem(:pg.monitor(scope, :g), 0)
    all = elem(:pg.monitor_scope(scope), 0)
    members = for i <- 0..2, into: %{}, do: {i, idle()}
    {steps, _} = Enum.map_reduce(1..14, members, fn _, members -> step(scope, {one, all}, members) end)
    :gen_server.stop(pid)
    steps
  end

  defp idle, do: spawn(fn -> Process.sleep(:infinity) end)

  defp step(scope, refs, members) do
    group = Enum.random(@groups)
    who = Enum.random(0..2)
    several = for _ <- 1..Enum.random(1..3), do: Enum.random(0..2)
    numbers = Map.new(members, fn {i, pid} -> {pid, i} end)

    {op, result, after_} =
      case Enum.random([:join, :join_many, :join_many, :leave, :leave, :kill]) do
        :join -> {["join", group, [who]], :pg.join(scope, group, members[who]), members}
        :join_many -> {["join", group, several], :pg.join(scope, group, Enum.map(several, &members[&1])), members}
        :leave -> {["leave", group, [who]], :pg.leave(scope, group, members[who]), members}
        :kill ->
          Process.exit(members[who], :kill)
          {["kill", group, [who]], :ok, Map.put(members, who, idle())}
      end

    Process.sleep(5)
    _ = :sys.get_state(scope)
    seen = for g <- @groups, do: Enum.sort(Enum.map(:pg.get_members(scope, g), &numbers[&1]))
    groups = Enum.sort(:pg.which_groups(scope))
    {[op, result, seen, groups, messages(refs, numbers)], after_}
  end

  defp messages({one, all} = refs, numbers) do
    receive do
      {ref, verb, group, pids} when ref in [one, all] ->
        who = if ref == one, do: "group", else: "scope"
        [[who, verb, group, Enum.map(pids, &numbers[&1])] | messages(refs, numbers)]
    after
      0 -> []
    end
  end
end

defmodule Json do
  def text(list) when is_list(list), do: "[" <> Enum.map_join(list, ",", &text/1) <> "]"
  def text(number) when is_integer(number), do: Integer.to_string(number)
  def text(word), do: "\"#{word}\""
end

cases = for number <- 1..40, do: Case.run(number)
IO.puts("[\n" <> Enum.map_join(cases, ",\n", &Json.text/1) <> "\n]")
