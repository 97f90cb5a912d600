"""The benchmark suite: trio_otp beside floors and peers, in one interleaved run.

`nox -s bench` runs it; docs/performance.md says how to read what it prints.
"""
