"""Runnable examples of trio_otp."""
