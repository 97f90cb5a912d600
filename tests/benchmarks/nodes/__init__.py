"""What it costs to call another node: beside a floor on TCP, and beside Elixir calling Elixir."""
