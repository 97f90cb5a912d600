"""Settings for all tests."""

from hypothesis import settings

# A limit per example in real time would make slow machines fail.
settings.register_profile("trio_otp", deadline=None)
settings.load_profile("trio_otp")
