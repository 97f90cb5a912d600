# One VM that runs many scenarios: `elixir serve.exs`, then a scenario (JSON) a line on standard input,
# answered by its trace (JSON) on a line of standard output. It ends with its input.
oracle = Path.join(Path.dirname(__ENV__.file), "../oracle")

Code.put_compiler_option(:no_warn_undefined, :all)
for f <- ~w(json world neutral interp behaviours run), do: Code.require_file("#{f}.ex", oracle)

:logger.set_primary_config(:level, :none)
Application.ensure_all_started(:logger)
Logger.configure(level: :none)

# Load code before the first scenario, so that none waits for the code server.
for m <- [GenServer, Supervisor, DynamicSupervisor, Registry, Task, Task.Supervised, Process, RuntimeError,
          ArgumentError, ErlangError, Exception, :sys, :supervisor, :gen_server, :proc_lib, :gen, :erl_eval,
          Enum, Regex, Float] do
  Code.ensure_loaded(m)
end

limit = 30_000

for line <- IO.stream(:stdio, :line) do
  trace = line |> Orc.JSON.decode!() |> Orc.Run.scenario(limit)
  IO.write([Orc.JSON.compact(trace), "\n"])
end
