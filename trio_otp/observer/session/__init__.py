"""One client: the protocol of lines, what it has asked for, and the answers to it."""
