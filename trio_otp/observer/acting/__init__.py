"""What a client may do in the program, in its loop: actions and the shell."""
