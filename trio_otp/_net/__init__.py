"""Services on the network: a process for each connection, and workers that are lent."""
