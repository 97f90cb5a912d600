"""The races, area by area: which floors stand beside which ways to use trio_otp."""
