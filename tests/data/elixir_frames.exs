# What real Elixir sends to a node; tests/support/record_frames.py starts it and keeps the bytes.
# `ready` says that it can be connected to.
Process.flag(:trap_exit, true)
Process.register(self(), :main)

terms = [
  1, 255, 256, -1, 2 ** 31, -(2 ** 31), 2 ** 63, -(2 ** 64), 2 ** 3000,
  1.5, -0.0, 1.0e308, :a, :é, :日本, nil, true, false, :"",
  "", "héllo", <<255>>, <<5::3>>, [], [1, 2, 3], [1 | 2], [1, 2 | :tail], [:a, "b"], [256, -1],
  {}, {1}, List.to_tuple(Enum.to_list(1..300)), Enum.to_list(250..260), Enum.to_list(0..255),
  %{}, %{"b" => 2, a: 1}, %{[1] => 2}, %{1 => :a, 1.0 => :b}, %{{[], 1} => %{}},
  self(), make_ref(), hd(Port.list()), &Enum.map/2, fn x -> {x, self()} end,
  %RuntimeError{message: "boom"}, ~D[2024-02-29], MapSet.new([1, 2]), 1..3, 'charlist'
]

crashes = [
  fn -> raise "boom" end,
  fn -> raise ArgumentError, "bad" end,
  fn -> :erlang.apply(Map, :fetch!, [%{}, :key]) end,
  fn -> :erlang.apply(:erlang, :div, [1, 0]) end,
  fn -> throw(:ball) end,
  fn -> exit(:why) end,
  fn -> exit({:shutdown, "done"}) end,
  fn -> exit(:normal) end,
  fn -> :erlang.error({:badthing, 1}) end
]

told = fn told ->
  receive do
    {:terms, to} ->
      for term <- terms, do: send(to, {inspect(term, limit: 5), term})

    {:signals, to} ->
      Process.link(to)
      Process.unlink(to)
      ref = Process.monitor(to)
      Process.demonitor(ref)
      Process.monitor({:nobody, node(to)})
      Process.exit(to, :kill)
      Process.exit(to, {:shutdown, "x"})
      Process.group_leader(to, self())
      send({:name, node(to)}, "to a name")
      send(to, :last)

    {:alias, from, alias} ->
      send(alias, "to an alias of #{inspect(node(from))}")

    {:crash, to} ->
      for crash <- crashes do
        spawn(fn -> Process.link(to) && crash.() end)
        Process.sleep(50)
      end

    {:connect, node} ->
      Node.connect(node)
  end

  told.(told)
end

IO.puts("ready #{System.otp_release()}")
told.(told)
