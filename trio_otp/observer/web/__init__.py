"""The page over HTTP: its server, who may talk to it, its files and its token."""
