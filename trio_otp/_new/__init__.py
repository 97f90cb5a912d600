"""`trio-otp new`: a project to begin with."""
