"""HTTP in, operation, HTTP out."""
