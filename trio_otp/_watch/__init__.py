"""Private: docs/design.md says what is in here."""
