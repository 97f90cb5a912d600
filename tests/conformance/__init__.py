"""Conformance: scenarios that real Erlang/OTP has run, run by trio_otp, and the traces compared.

`python -m tests.conformance` runs them; `README.md` says what is where.
"""
