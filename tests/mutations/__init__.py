"""Changes of the source that break its laws, and the tests that notice."""
