"""Longer than a benchmark: a tree of all behaviours under load, with kills, crashes and restarts."""
