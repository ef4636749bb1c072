"""One package per AWS service, each alone in its folder."""
