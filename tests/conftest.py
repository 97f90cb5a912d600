"""Settings for all tests."""

from hypothesis import settings

# The second is here for those who run the tests without having installed the library.
pytest_plugins = ["pytester", "trio_otp.pytest_plugin"]

# A limit per example in real time would make slow machines fail.
settings.register_profile("trio_otp", deadline=None)
settings.load_profile("trio_otp")
