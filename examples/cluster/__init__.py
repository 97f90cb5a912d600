"""Nodes of an Erlang cluster: a model server that Elixir calls, and one that uses all cores."""
