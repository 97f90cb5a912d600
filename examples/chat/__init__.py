"""A chat over WebSockets: each connection a process, each room a server that a registry finds."""
