"""Longer than a benchmark: all behaviours in one tree, under load, with kills and crashes."""
