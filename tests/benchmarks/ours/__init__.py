"""The work as users of trio_otp write it: its public interface alone, all bookkeeping on."""
