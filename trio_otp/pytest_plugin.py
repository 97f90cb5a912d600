"""The plugin for pytest: fixtures for tests of servers, see `trio_otp.testing`.

Where the package is installed pytest finds it by itself. It is the module `_trio_otp_pytest`, which
stands outside of the package: every run of pytest imports it, and it imports nothing until a test
uses a fixture. Without an installation, `pytest -p trio_otp.pytest_plugin` brings the same.
"""

import sys

import _trio_otp_pytest

sys.modules[__name__] = _trio_otp_pytest
