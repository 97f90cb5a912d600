"""What is wrong with a program: what the rules look at, and the rules, which are pure."""
