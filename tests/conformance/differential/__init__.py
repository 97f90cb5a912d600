"""A differential test: made-up scenarios run on real OTP and on trio_otp, their traces compared."""
