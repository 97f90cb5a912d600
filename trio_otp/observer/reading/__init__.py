"""What the observer reads of a run, in its thread: rows, trees, stacks, states, crashes."""
