"""The Unix socket by which commands in another terminal reach a program, from both ends."""
