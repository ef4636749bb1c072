"""Lambda execution environments."""
