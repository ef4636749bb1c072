"""Policy documents and their evaluation: pure functions."""
