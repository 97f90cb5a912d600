"""Settings for all tests."""

from hypothesis import Phase, settings

# A limit per example in real time would make slow machines fail.
settings.register_profile("trio_otp", deadline=None)
# For who asks only whether a test fails: the example that shows it is not made smaller.
settings.register_profile(
    "unshrunk",
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
)
settings.load_profile("trio_otp")
