"""The plain text that `otp.observer.start` draws in the program's own terminal."""
