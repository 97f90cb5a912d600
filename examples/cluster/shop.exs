# Asks a model server in Python, as a Phoenix application would: see model_server.py.
defmodule Spam do
  @moduledoc "What the rest of the application calls; it knows no node and no Python."

  def check(text, timeout \\ 1_000) do
    {:ok, GenServer.call(server(), {:predict, text}, timeout)}
  catch
    :exit, {:timeout, _} -> {:error, :timeout}
    :exit, {:noproc, _} -> {:error, :restarting}
    :exit, {{:nodedown, _}, _} -> {:error, :unavailable}
  end

  def train(word, weight), do: GenServer.call(server(), {:train, word, weight})

  defp server, do: {:model, Application.fetch_env!(:shop, :model_node)}
end

[node] = System.argv()
Application.put_env(:shop, :model_node, String.to_atom(node))

texts = ["Free money for the winner", "The meeting is at nine", "Your invoice"]

# At most four at a time, as requests of users would come in.
texts
|> Task.async_stream(&{&1, Spam.check(&1)}, max_concurrency: 4)
|> Enum.each(fn {:ok, {text, {:ok, %{label: label, score: score}}}} ->
  IO.puts("#{label} #{Float.round(score, 2)} #{text}")
end)

nil = Spam.train("invoice", 3.0)
{:ok, %{label: label}} = Spam.check("Your invoice")
IO.puts("now #{label}")

# What no node serves is an error that the page can show, and no crash of the request.
Application.put_env(:shop, :model_node, :"nobody@127.0.0.1")
IO.inspect(Spam.check("anything"))
